//! Where a concept is learnt or drawn.

use crate::{Error, Result};
use diffusion::layer::Precision;
use kernels::{Device, cuda::Gpu};
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

/// [`choose`], with the types that are usual there.
///
/// # Errors
/// As [`choose`].
pub fn precision(wanted: Wanted) -> Result<Precision> {
    Ok(Precision::on(&choose(wanted)?))
}

/// What must be said of the device: which GPU it is, or why one that is there is not used. Of a processor alone nothing.
pub fn remark(device: &Device) -> Option<String> {
    match device.gpu().map(Gpu::description) {
        Some(gpu) => Some(format!("on {} with {} MiB", gpu.name, gpu.memory >> 20)),
        None => match (kernels::cuda::describe(), kernels::first_gpu()) {
            (Ok(gpus), Err(why)) if !gpus.is_empty() => Some(format!("on the processor: {why}")),
            _ => None,
        },
    }
}
