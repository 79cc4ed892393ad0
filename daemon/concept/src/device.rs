//! Where a concept is learnt or drawn.

use crate::{Error, Result, base::usual_side, ladder::REST_OF_GPU, room_on_card};
use diffusion::{
    Checkpoint,
    layer::Precision,
    plan::{StepShape, Storage, drawing_bytes, weight_bytes},
};
use kernels::{
    Device, Quantization,
    cuda::{self, Gpu},
};
use protocol::Device as Wanted;

/// The device that is asked for: by itself the first GPU that can be used, else the processor.
///
/// # Errors
/// If a GPU is asked for and none can be used; the message says why.
pub fn choose(wanted: Wanted) -> Result<Device> {
    match wanted {
        Wanted::Cpu => Ok(Device::Cpu),
        Wanted::Auto => Ok(kernels::first_gpu().map_or(Device::Cpu, Device::Cuda)),
        Wanted::Cuda => match kernels::first_gpu() {
            Ok(gpu) => Ok(Device::Cuda(gpu)),
            Err(why) => Err(Error::Invalid(format!("the GPU cannot be used: {why}"))),
        },
    }
}

/// How a base is loaded to draw with at its usual size: in as many bits as the GPU has room for; on the processor where that
/// has room for none, unless a GPU is asked for.
///
/// # Errors
/// As [`choose`]; if a GPU is asked for and has no room.
pub fn to_draw(wanted: Wanted, base: &Checkpoint) -> Result<Precision> {
    let device = choose(wanted)?;
    let usual = Precision::on(&device);
    let Some(gpu) = device.gpu() else { return Ok(usual) };
    let architecture = base.architecture();
    let side = usual_side(base) / architecture.vae.factor();
    let picture = StepShape { height: side, width: side, ..StepShape::default() };
    let drawing = drawing_bytes(architecture, &picture, usual.compute, true) + REST_OF_GPU;
    let takes = |precision: &Precision| {
        let weights = weight_bytes(architecture, &Storage::of(precision));
        weights.unet + weights.text + drawing
    };
    let left = gpu.usage().limit;
    let packed = [Quantization::Int8, Quantization::Nf4].map(|kind| usual.clone().with(Some(kind)));
    match std::iter::once(&usual).chain(&packed).find(|precision| takes(precision) <= left) {
        Some(precision) => Ok(precision.clone()),
        None if wanted == Wanted::Auto => Ok(Precision::on(&Device::Cpu)),
        None => Err(Error::TooLittleMemory {
            what: "drawing",
            how: "with the base in 4 bits",
            needed: takes(&packed[1]).div_ceil(1 << 20) as u64,
            available: left as u64 >> 20,
            place: "on the GPU",
            advice: "Close what else uses it, or draw on the processor".into(),
        }),
    }
}

/// Bytes that a training may take on the first GPU, as far as can be said before that is opened; none if it cannot be used.
pub fn room_beforehand() -> Option<u64> {
    let gpu = cuda::describe().ok()?.into_iter().nth(cuda::first_fit())?;
    (gpu.is_fit() && cuda::image::path().exists()).then(|| room_on_card(gpu.memory as u64))
}

/// What must be said of the device: which GPU it is, or why one that is there is not used. Of a processor alone nothing.
pub fn remark(device: &Device) -> Option<String> {
    match device.gpu().map(Gpu::description) {
        Some(gpu) => Some(format!("on {} with {} MiB", gpu.name, gpu.memory >> 20)),
        None => match (cuda::describe(), kernels::first_gpu()) {
            (Ok(gpus), Err(why)) if !gpus.is_empty() => Some(format!("on the processor: {why}")),
            _ => None,
        },
    }
}
