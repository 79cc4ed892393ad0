//! The processor or a GPU.

use crate::{
    Result,
    cuda::{self, Gpu},
};
use std::sync::OnceLock;

/// Where tensors lie and kernels run.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// The processor and its memory.
    #[default]
    Cpu,
    /// An NVIDIA GPU.
    Cuda(Gpu),
}

impl Device {
    /// GPU number `ordinal`.
    ///
    /// # Errors
    /// If there is no driver, no such GPU, or no kernels that it can run.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        Gpu::open(ordinal).map(Self::Cuda)
    }

    /// Whether this is the CPU.
    pub fn is_cpu(&self) -> bool {
        matches!(self, Self::Cpu)
    }

    /// The GPU, if this is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        match self {
            Self::Cpu => None,
            Self::Cuda(gpu) => Some(gpu),
        }
    }

    /// Waits until everything that was asked of the device is done.
    ///
    /// # Errors
    /// If something that was asked failed.
    pub fn synchronize(&self) -> Result<()> {
        self.gpu().map_or(Ok(()), Gpu::synchronize)
    }
}

/// The first GPU that can be used, asked for once; the reason if there is none.
pub fn first_gpu() -> std::result::Result<Gpu, String> {
    static FIRST: OnceLock<std::result::Result<Gpu, String>> = OnceLock::new();
    FIRST.get_or_init(|| Gpu::open(cuda::first_fit()).map_err(|error| error.to_string())).clone()
}
