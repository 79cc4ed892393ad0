//! Which GPUs there are, asked of the driver before anything is opened.

use super::failed;
use crate::Result;
use candle_core::Error;
use cudarc::driver::{
    result::{self, device},
    sys,
};

/// The least compute capability that the kernels are made for: Turing, RTX 20.
pub const LEAST_CAPABILITY: u32 = 75;

/// The CUDA version that the kernels need of a driver: 580 speaks it.
pub const LEAST_DRIVER: i32 = 13_000;

/// What is known of a GPU before anything is allocated on it.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// As the driver names it.
    pub name: String,
    /// 86 for 8.6.
    pub capability: u32,
    /// Bytes in all.
    pub memory: usize,
    /// The CUDA version that the driver speaks: 13000 for 13.0.
    pub driver: i32,
    /// Multiprocessors, by which work is cut to size.
    pub multiprocessors: u32,
    /// Bytes of shared memory that a block may ask for.
    pub shared_limit: u32,
    /// Whether it reads the processor's pageable memory itself, as Grace's do.
    pub shares_pages: bool,
}

impl Description {
    /// Whether the kernels run on it.
    pub fn is_fit(&self) -> bool {
        self.capability >= LEAST_CAPABILITY && self.driver >= LEAST_DRIVER
    }
}

/// The number of the first GPU that the kernels run on; 0 if none is, whose opening says why.
pub fn first_fit() -> usize {
    describe().ok().and_then(|gpus| gpus.iter().position(Description::is_fit)).unwrap_or_default()
}

/// The GPUs of this machine, in the driver's order; why there are none if there is no driver.
///
/// # Errors
/// If the driver is missing, too old, or fails.
pub fn describe() -> Result<Vec<Description>> {
    // SAFETY: only asks whether the library can be opened.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::Msg("no NVIDIA driver was found (libcuda.so.1, nvcuda.dll)".into()));
    }
    result::init().map_err(failed("the NVIDIA driver"))?;
    let mut driver = 0;
    // SAFETY: writes one number.
    unsafe { sys::cuDriverGetVersion(&mut driver) }.result().map_err(failed("the NVIDIA driver"))?;
    let count = device::get_count().map_err(failed("counting GPUs"))?;
    (0..count).map(|ordinal| description(device::get(ordinal).map_err(failed("a GPU"))?, driver)).collect()
}

fn description(handle: sys::CUdevice, driver: i32) -> Result<Description> {
    use sys::CUdevice_attribute as Attribute;
    // SAFETY: `handle` came from the driver.
    let ask = |attribute| unsafe { device::get_attribute(handle, attribute) }.map_err(failed("a GPU's properties"));
    let major = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = ask(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    Ok(Description {
        name: device::get_name(handle).map_err(failed("a GPU's name"))?,
        capability: (10 * major + minor) as u32,
        // SAFETY: as above.
        memory: unsafe { device::total_mem(handle) }.map_err(failed("a GPU's memory"))?,
        driver,
        multiprocessors: ask(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as u32,
        shared_limit: ask(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)? as u32,
        shares_pages: ask(Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES)? != 0,
    })
}
