//! The GPU: its driver, opened late, our kernels in it, and the functions that launch them.
//!
//! Nothing here is linked: `libcuda` is looked for when a GPU is asked for, and the kernels are a file beside the
//! program, so that the same binary starts on machines with neither. No other library of CUDA's is used.

pub(crate) mod activation;
pub(crate) mod arrange;
pub(crate) mod attention;
mod columns;
mod describe;
pub(crate) mod dora;
mod elements;
pub(crate) mod embedding;
pub mod image;
pub(crate) mod loss;
mod memory;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod product;
mod slice;

pub use describe::{Description, LEAST_CAPABILITY, LEAST_DRIVER, describe, first_fit};
pub use memory::{OUT_OF_MEMORY, Usage};
pub use slice::Slice;

use crate::{Device, Result, Tensor};
use candle_core::{DType, Error, Shape, WithDType};
use cudarc::driver::{
    DriverError,
    result::{self, ctx, device, function, module, primary_ctx, stream},
    sys,
};
use memory::Pool;
use std::{
    cell::Cell,
    collections::HashMap,
    ffi::{CString, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Bytes of shared memory that a block may have without being asked for.
const UNASKED: u32 = 48 << 10;

/// An opened GPU with one stream of work. Clones are the same one.
#[derive(Clone)]
pub struct Gpu(Arc<Opened>);

struct Opened {
    description: Description,
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
    module: sys::CUmodule,
    /// Kernels by name, with the shared memory that each may have by now.
    functions: Mutex<HashMap<String, (usize, u32)>>,
    pool: Mutex<Pool>,
    /// Launches and seconds of each kernel, where that is asked for.
    profile: Mutex<Option<HashMap<String, (u64, f64)>>>,
}

// SAFETY: the handles are the driver's, which may be used from any thread once the context is current there; `enter` sees to that.
unsafe impl Send for Opened {}
// SAFETY: as above; what changes is behind mutexes.
unsafe impl Sync for Opened {}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.description.name)
    }
}

impl Gpu {
    /// Opens GPU number `ordinal` and loads the kernels.
    ///
    /// # Errors
    /// If there is no driver, no such GPU, or no kernels for it.
    pub fn open(ordinal: usize) -> Result<Self> {
        let all = describe()?;
        let Some(description) = all.get(ordinal).cloned() else {
            return Err(Error::Msg(format!("there is no GPU {ordinal}: the driver knows {}", all.len())));
        };
        if description.capability < LEAST_CAPABILITY {
            return Err(Error::Msg(format!(
                "{} has compute capability {}.{}; the least is 7.5 (RTX 20)",
                description.name,
                description.capability / 10,
                description.capability % 10
            )));
        }
        let image = image::load()?;
        let device = device::get(ordinal as i32).map_err(failed("a GPU"))?;
        // SAFETY: `device` came from the driver; the context is released when the GPU is dropped.
        let context = unsafe { primary_ctx::retain(device) }.map_err(failed("opening the GPU"))?;
        make_current(context).map_err(failed("opening the GPU"))?;
        let stream = stream::create(stream::StreamKind::NonBlocking).map_err(failed("opening the GPU"))?;
        // SAFETY: the image is a whole fat binary, as its name and digest say; the driver checks the rest.
        let module = unsafe { module::load_data(image.as_ptr().cast::<c_void>()) }.map_err(|error| {
            Error::Msg(format!("the driver refuses the GPU kernels ({error}): driver 580 or newer is needed"))
        })?;
        let (free, _) = result::mem_get_info().map_err(failed("the GPU's memory"))?;
        let (functions, pool, profile) = (Mutex::default(), Mutex::new(Pool::new(free)), Mutex::default());
        Ok(Self(Arc::new(Opened { description, device, context, stream, module, functions, pool, profile })))
    }

    /// What it is.
    pub fn description(&self) -> &Description {
        &self.0.description
    }

    /// Number of multiprocessors, by which work is cut to size.
    pub fn multiprocessors(&self) -> u32 {
        self.0.description.multiprocessors.max(1)
    }

    /// Compute capability: 86 for 8.6.
    pub fn capability(&self) -> u32 {
        self.0.description.capability
    }

    /// Bytes of shared memory that a block may ask for.
    pub fn shared_limit(&self) -> u32 {
        self.0.description.shared_limit
    }

    /// The half type that this GPU computes in: bf16, or f16 on Turing.
    pub fn half(&self) -> DType {
        if self.capability() >= 80 { DType::BF16 } else { DType::F16 }
    }

    /// `base` with the ending of kernels for `dtype`.
    ///
    /// # Errors
    /// If the GPU does not compute in that type.
    pub fn named(base: &str, dtype: DType) -> Result<String> {
        let ending = match dtype {
            DType::F32 => "f32",
            DType::BF16 => "bf16",
            DType::F16 => "f16",
            other => return Err(Error::Msg(format!("{base}: the GPU does not compute in {other:?}"))),
        };
        Ok(format!("{base}_{ending}"))
    }

    /// Runs a kernel over `grid` blocks of `threads` lanes with `shared` bytes of shared memory each.
    ///
    /// `arguments` must be the twin of the struct that the kernel takes, its addresses those of living tensors.
    ///
    /// # Errors
    /// If there is no such kernel or the driver refuses. What fails while it runs is said by a later call.
    pub(crate) fn launch<A: Copy>(
        &self,
        kernel: &str,
        (x, y, z): (u32, u32, u32),
        threads: u32,
        shared: u32,
        arguments: &A,
    ) -> Result<()> {
        if x == 0 || y == 0 || z == 0 {
            return Ok(());
        }
        let function = self.function(kernel, shared)?;
        let begun = self.is_profiled().then(|| self.synchronize().map(|()| Instant::now())).transpose()?;
        let mut parameters = [std::ptr::from_ref(arguments).cast_mut().cast::<c_void>()];
        // SAFETY: the function takes one struct, of which `arguments` is the twin; tensors live until the stream has
        // passed this point, since their memory is given to later kernels of the same stream only.
        unsafe { result::launch_kernel(function, (x, y, z), (threads, 1, 1), shared, self.0.stream, &mut parameters) }
            .map_err(failed(kernel))?;
        begun.map_or(Ok(()), |begun| self.note(kernel, begun))
    }

    /// Lets every kernel be timed from now on, each waited for: the whole becomes slower, its parts comparable.
    pub fn begin_profile(&self) {
        *lock(&self.0.profile) = Some(HashMap::new());
    }

    /// (kernel, launches, seconds) since [`Self::begin_profile`], the longest first.
    pub fn profile(&self) -> Vec<(String, u64, f64)> {
        let profile = lock(&self.0.profile).clone().unwrap_or_default();
        let mut kernels: Vec<_> =
            profile.into_iter().map(|(kernel, (count, seconds))| (kernel, count, seconds)).collect();
        kernels.sort_by(|a, b| b.2.total_cmp(&a.2));
        kernels
    }

    fn is_profiled(&self) -> bool {
        lock(&self.0.profile).is_some()
    }

    fn note(&self, kernel: &str, begun: Instant) -> Result<()> {
        self.synchronize()?;
        if let Some(profile) = lock(&self.0.profile).as_mut() {
            let (count, seconds) = profile.entry(kernel.to_owned()).or_default();
            (*count, *seconds) = (*count + 1, *seconds + begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// A kernel that may be launched with `shared` bytes of shared memory.
    fn function(&self, kernel: &str, shared: u32) -> Result<sys::CUfunction> {
        if kernel.ends_with("_bf16") && self.capability() < 80 {
            return Err(Error::Msg(format!("{kernel}: {} does not compute in bf16", self.0.description.name)));
        }
        self.enter()?;
        let mut functions = lock(&self.0.functions);
        if let Some(&(function, allowed)) = functions.get(kernel)
            && shared <= allowed
        {
            return Ok(function as sys::CUfunction);
        }
        let name = CString::new(kernel).map_err(|_| Error::Msg(format!("bug: a kernel named {kernel:?}")))?;
        // SAFETY: the module lives as long as `self`.
        let function = unsafe { module::get_function(self.0.module, name) }.map_err(failed(kernel))?;
        if shared > UNASKED {
            let attribute = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: as above.
            unsafe { function::set_function_attribute(function, attribute, shared as i32) }.map_err(failed(kernel))?;
        }
        functions.insert(kernel.to_owned(), (function as usize, shared.max(UNASKED)));
        Ok(function)
    }

    /// Makes the GPU's context current on this thread.
    fn enter(&self) -> Result<()> {
        make_current(self.0.context).map_err(failed("the GPU"))
    }

    /// A tensor of whatever the memory holds.
    pub(crate) fn empty<S: Into<Shape>>(&self, shape: S, dtype: DType) -> Result<Tensor> {
        let shape = shape.into();
        self.enter()?;
        let bytes = shape.elem_count() * dtype.size_in_bytes();
        let address = lock(&self.0.pool).take(bytes, || self.synchronize())?;
        Ok(Slice::new(self.clone(), address, bytes, shape, dtype).into())
    }

    /// Zeros.
    pub(crate) fn zeros<S: Into<Shape>>(&self, shape: S, dtype: DType) -> Result<Tensor> {
        let tensor = self.empty(shape, dtype)?;
        self.clear(&tensor)?;
        Ok(tensor)
    }

    /// Sets every byte of a tensor to zero.
    pub(crate) fn clear(&self, tensor: &Tensor) -> Result<()> {
        self.enter()?;
        let bytes = tensor.elem_count() * tensor.dtype().size_in_bytes();
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the bytes are the tensor's.
        unsafe { result::memset_d8_async(tensor.address(), 0, bytes, self.0.stream) }.map_err(failed("clearing memory"))
    }

    /// Brings numbers to the GPU.
    pub(crate) fn upload<T: WithDType, S: Into<Shape>>(&self, values: &[T], shape: S) -> Result<Tensor> {
        let shape = shape.into();
        if shape.elem_count() != values.len() {
            return Err(Error::Msg(format!("{} values for shape {shape:?}", values.len())));
        }
        let tensor = self.empty(shape, T::DTYPE)?;
        if !values.is_empty() {
            // SAFETY: the tensor has room for just these; the driver reads pageable memory before it returns, unless the
            // GPU shares the processor's page tables: then we wait.
            unsafe { result::memcpy_htod_async(tensor.address(), values, self.0.stream) }
                .map_err(failed("copying to the GPU"))?;
            if self.0.description.shares_pages {
                self.synchronize()?;
            }
        }
        Ok(tensor)
    }

    /// Brings a tensor to the GPU.
    pub(crate) fn upload_tensor(&self, tensor: &candle_core::Tensor) -> Result<Tensor> {
        let tensor = &Tensor::from(tensor.contiguous()?);
        let shape = tensor.shape().clone();
        match tensor.dtype() {
            DType::F32 => self.upload(&crate::read::<f32>(tensor)?, shape),
            DType::BF16 => self.upload(&crate::read::<half::bf16>(tensor)?, shape),
            DType::F16 => self.upload(&crate::read::<half::f16>(tensor)?, shape),
            DType::U8 => self.upload(&crate::read::<u8>(tensor)?, shape),
            DType::U32 => self.upload(&crate::read::<u32>(tensor)?, shape),
            other => Err(Error::Msg(format!("{other:?} is not brought to the GPU"))),
        }
    }

    /// Waits until everything that was asked for is done.
    ///
    /// # Errors
    /// If something that was asked failed.
    pub fn synchronize(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the stream lives as long as `self`.
        unsafe { stream::synchronize(self.0.stream) }.map_err(failed("the GPU"))
    }

    /// How much memory is used.
    pub fn usage(&self) -> Usage {
        lock(&self.0.pool).usage()
    }

    /// Lets the peak of [`Self::usage`] begin anew.
    pub fn forget_peak(&self) {
        lock(&self.0.pool).forget_peak();
    }

    fn give_back(&self, address: u64, bytes: usize) {
        lock(&self.0.pool).give(address, bytes);
    }
}

/// Joins tensors along the first axis into one of its own.
pub(crate) fn join(gpu: &Gpu, parts: &[Tensor]) -> Result<Tensor> {
    let mut shape = parts.first().map(|part| part.dims().to_vec()).unwrap_or_default();
    if let Some(first) = shape.first_mut() {
        *first = parts.iter().map(|part| part.dims()[0]).sum();
    }
    let dtype = parts[0].dtype();
    let joined = gpu.empty(shape, dtype)?;
    let mut at = joined.address();
    for part in parts {
        if part.dtype() != dtype || part.dims().get(1..) != parts[0].dims().get(1..) || part.gpu().is_none() {
            return Err(Error::Msg(format!("join: {:?} and {:?} differ", parts[0].shape(), part.shape())));
        }
        let bytes = part.elem_count() * dtype.size_in_bytes();
        if bytes > 0 {
            // SAFETY: the parts fill the joined tensor in order.
            unsafe { result::memcpy_dtod_async(at, part.address(), bytes, gpu.0.stream) }.map_err(failed("join"))?;
        }
        at += bytes as u64;
    }
    Ok(joined)
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: nothing uses the handles any more; what fails here has no one to be told.
        unsafe {
            let _ = make_current(self.context);
            let _ = stream::synchronize(self.stream);
            lock(&self.pool).release();
            let _ = module::unload(self.module);
            let _ = stream::destroy(self.stream);
            let _ = primary_ctx::release(self.device);
        }
    }
}

/// Makes a context that lives current on this thread.
fn make_current(context: sys::CUcontext) -> std::result::Result<(), DriverError> {
    thread_local!(static CURRENT: Cell<usize> = const { Cell::new(0) });
    if CURRENT.get() != context as usize {
        // SAFETY: callers hold the context.
        unsafe { ctx::set_current(context) }?;
        CURRENT.set(context as usize);
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(what: &str) -> impl FnOnce(DriverError) -> Error + '_ {
    move |error| Error::Msg(format!("{what} failed on the GPU: {error}"))
}

/// The device of a slice.
fn device_of(gpu: &Gpu) -> Device {
    Device::Cuda(gpu.clone())
}
