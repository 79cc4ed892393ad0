//! A contiguous piece of the GPU's memory as a tensor.

use super::{Gpu, arrange, device_of, failed};
use crate::{Device, Result, Tensor};
use candle_core::{DType, Error, Shape, WithDType};
use cudarc::driver::result;
use std::sync::Arc;

/// Elements of one type, row major and contiguous, in memory that clones and views share.
#[derive(Clone, Debug)]
pub struct Slice {
    memory: Arc<Memory>,
    offset: usize,
    shape: Shape,
    dtype: DType,
}

#[derive(Debug)]
struct Memory {
    device: Device,
    address: u64,
    bytes: usize,
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Device::Cuda(gpu) = &self.device {
            gpu.give_back(self.address, self.bytes);
        }
    }
}

impl Slice {
    pub(super) fn new(gpu: Gpu, address: u64, bytes: usize, shape: Shape, dtype: DType) -> Self {
        Self { memory: Arc::new(Memory { device: device_of(&gpu), address, bytes }), offset: 0, shape, dtype }
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn device(&self) -> &Device {
        &self.memory.device
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        match &self.memory.device {
            Device::Cuda(gpu) => gpu,
            Device::Cpu => unreachable!("bug: a slice is made on a GPU"),
        }
    }

    pub(crate) fn address(&self) -> u64 {
        self.memory.address + self.offset as u64
    }

    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.memory) as usize
    }

    /// The elements from `start` on in `shape`.
    pub(crate) fn part(&self, start: usize, shape: Shape) -> Result<Self> {
        if start + shape.elem_count() > self.shape.elem_count() {
            return Err(Error::Msg(format!("{:?} holds no {shape:?} from element {start} on", self.shape)));
        }
        let offset = self.offset + start * self.dtype.size_in_bytes();
        Ok(Self { memory: self.memory.clone(), offset, shape, dtype: self.dtype })
    }

    pub(crate) fn narrow(&self, axis: usize, start: usize, length: usize) -> Result<Tensor> {
        let dims = self.shape.dims();
        if axis >= dims.len() || start + length > dims[axis] {
            return Err(Error::Msg(format!("{dims:?} has no {start}..{} on axis {axis}", start + length)));
        }
        let strides = contiguous_strides(dims);
        let mut shape = dims.to_vec();
        shape[axis] = length;
        if dims[..axis].iter().all(|&size| size == 1) {
            return Ok(self.part(start * strides[axis], shape.into())?.into());
        }
        arrange::copy_strided(self.gpu(), self, start * strides[axis], &shape, &strides)
    }

    pub(crate) fn permute(&self, axes: &[usize]) -> Result<Tensor> {
        let dims = self.shape.dims();
        let strides = contiguous_strides(dims);
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..dims.len()) {
            return Err(Error::Msg(format!("{axes:?} is no order of the axes of {dims:?}")));
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| dims[axis]).collect();
        let strides: Vec<usize> = axes.iter().map(|&axis| strides[axis]).collect();
        arrange::copy_strided(self.gpu(), self, 0, &shape, &strides)
    }

    /// Waits for the numbers and brings them to the CPU.
    pub(crate) fn download(&self) -> Result<candle_core::Tensor> {
        match self.dtype {
            DType::F32 => self.download_as::<f32>(),
            DType::BF16 => self.download_as::<half::bf16>(),
            DType::F16 => self.download_as::<half::f16>(),
            DType::F64 => self.download_as::<f64>(),
            DType::U8 => self.download_as::<u8>(),
            DType::U32 => self.download_as::<u32>(),
            other => Err(Error::Msg(format!("{other:?} is not brought back from the GPU"))),
        }
    }

    fn download_as<T: WithDType>(&self) -> Result<candle_core::Tensor> {
        let gpu = self.gpu();
        gpu.enter()?;
        let mut values = vec![T::zero(); self.shape.elem_count()];
        if !values.is_empty() {
            // SAFETY: the slice holds just so many elements; the call below waits until they are here.
            unsafe { result::memcpy_dtoh_async(&mut values, self.address(), gpu.0.stream) }
                .map_err(failed("copying from the GPU"))?;
        }
        gpu.synchronize()?;
        candle_core::Tensor::from_vec(values, &self.shape, &candle_core::Device::Cpu)
    }
}

/// Elements from one index of each axis to the next.
fn contiguous_strides(dims: &[usize]) -> Vec<usize> {
    (0..dims.len()).map(|axis| dims[axis + 1..].iter().product()).collect()
}
