//! Tensors on either device: candle's on the CPU, contiguous pieces of our own memory on a GPU.
//!
//! candle's CUDA backend is not used: it links cuBLAS and cuRAND, which every user would have to install, allocates
//! behind our back, and has kernels for everything but training. Views on the GPU are contiguous always: what
//! rearranges numbers makes new ones.

use crate::{
    Device, Result,
    cuda::{self, Gpu, Slice},
};
use candle_core::{DType, Error, Shape, WithDType};

/// Numbers of one type in rows and columns, on one device. Clones share the numbers.
#[derive(Clone, Debug)]
pub struct Tensor(Place);

#[derive(Clone, Debug)]
enum Place {
    Host(candle_core::Tensor),
    Device(Slice),
}

impl From<candle_core::Tensor> for Tensor {
    fn from(tensor: candle_core::Tensor) -> Self {
        Self(Place::Host(tensor))
    }
}

impl From<Slice> for Tensor {
    fn from(slice: Slice) -> Self {
        Self(Place::Device(slice))
    }
}

/// Making tensors.
impl Tensor {
    /// `values`, row major.
    ///
    /// # Errors
    /// If their number is not that of the shape, or the device has no memory.
    pub fn from_vec<T: WithDType, S: Into<Shape>>(values: Vec<T>, shape: S, device: &Device) -> Result<Self> {
        match device {
            Device::Cpu => {
                let shape: Shape = shape.into();
                Ok(candle_core::Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?.into())
            }
            Device::Cuda(gpu) => gpu.upload(&values, shape),
        }
    }

    /// One number.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn new<T: WithDType>(value: T, device: &Device) -> Result<Self> {
        Self::from_vec(vec![value], (), device)
    }

    /// Zeros.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn zeros<S: Into<Shape>>(shape: S, dtype: DType, device: &Device) -> Result<Self> {
        match device {
            Device::Cpu => Ok(candle_core::Tensor::zeros(shape, dtype, &candle_core::Device::Cpu)?.into()),
            Device::Cuda(gpu) => gpu.zeros(shape, dtype),
        }
    }

    /// Ones.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn ones<S: Into<Shape>>(shape: S, dtype: DType, device: &Device) -> Result<Self> {
        Self::from(candle_core::Tensor::ones(shape, dtype, &candle_core::Device::Cpu)?).to_device(device)
    }

    /// Zeros like this.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn zeros_like(&self) -> Result<Self> {
        Self::zeros(self.shape().clone(), self.dtype(), self.device())
    }

    /// Joins tensors of one shape but for the first axis along it.
    ///
    /// # Errors
    /// If there is none, or shapes, types or devices disagree.
    pub fn cat(parts: &[Self]) -> Result<Self> {
        let Some(first) = parts.first() else { return Err(Error::Msg("nothing to join".into())) };
        match first.gpu() {
            None => Ok(candle_core::Tensor::cat(&parts.iter().map(Self::host).collect::<Result<Vec<_>>>()?, 0)?.into()),
            Some(gpu) => cuda::join(gpu, parts),
        }
    }
}

/// What a tensor is.
impl Tensor {
    /// Its shape.
    pub fn shape(&self) -> &Shape {
        match &self.0 {
            Place::Host(tensor) => tensor.shape(),
            Place::Device(slice) => slice.shape(),
        }
    }

    /// Its axes.
    pub fn dims(&self) -> &[usize] {
        self.shape().dims()
    }

    /// The size of one axis.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn dim(&self, axis: usize) -> Result<usize> {
        self.dims().get(axis).copied().ok_or_else(|| Error::Msg(format!("{:?} has no axis {axis}", self.dims())))
    }

    /// Two axes.
    ///
    /// # Errors
    /// If there are more or fewer.
    pub fn dims2(&self) -> Result<(usize, usize)> {
        self.shape().dims2()
    }

    /// Three axes.
    ///
    /// # Errors
    /// If there are more or fewer.
    pub fn dims3(&self) -> Result<(usize, usize, usize)> {
        self.shape().dims3()
    }

    /// Four axes.
    ///
    /// # Errors
    /// If there are more or fewer.
    pub fn dims4(&self) -> Result<(usize, usize, usize, usize)> {
        self.shape().dims4()
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.dims().len()
    }

    /// Number of elements.
    pub fn elem_count(&self) -> usize {
        self.shape().elem_count()
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        match &self.0 {
            Place::Host(tensor) => tensor.dtype(),
            Place::Device(slice) => slice.dtype(),
        }
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        static CPU: Device = Device::Cpu;
        match &self.0 {
            Place::Host(_) => &CPU,
            Place::Device(slice) => slice.device(),
        }
    }

    /// The GPU that it lies on, if it does.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.device().gpu()
    }

    /// Address of the first element on the GPU; zero on the CPU.
    pub fn address(&self) -> u64 {
        match &self.0 {
            Place::Host(_) => 0,
            Place::Device(slice) => slice.address(),
        }
    }

    /// A number that all views of the same memory share and no other tensor has.
    pub fn identity(&self) -> usize {
        match &self.0 {
            Place::Host(tensor) => std::ptr::from_ref(&*tensor.storage_and_layout().0) as usize,
            Place::Device(slice) => slice.identity(),
        }
    }

    /// candle's tensor, of a tensor on the CPU.
    pub(crate) fn on_host(&self) -> Result<&candle_core::Tensor> {
        match &self.0 {
            Place::Host(tensor) => Ok(tensor),
            Place::Device(_) => Err(Error::Msg("this operation has no GPU kernel; run on the CPU".into())),
        }
    }

    /// As candle's tensor on the CPU, copied there if need be.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn host(&self) -> Result<candle_core::Tensor> {
        match &self.0 {
            Place::Host(tensor) => Ok(tensor.clone()),
            Place::Device(slice) => slice.download(),
        }
    }
}

/// The same numbers otherwise.
impl Tensor {
    fn view(
        &self,
        host: impl FnOnce(&candle_core::Tensor) -> Result<candle_core::Tensor>,
        shape: Shape,
    ) -> Result<Self> {
        match &self.0 {
            Place::Host(tensor) => Ok(host(tensor)?.into()),
            Place::Device(_) if shape.elem_count() != self.elem_count() => {
                Err(Error::Msg(format!("{:?} cannot be seen as {shape:?}", self.shape())))
            }
            Place::Device(slice) => Ok(slice.part(0, shape)?.into()),
        }
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape<S: Into<Shape>>(&self, shape: S) -> Result<Self> {
        let shape = shape.into();
        self.view(|tensor| tensor.reshape(shape.clone()), shape.clone())
    }

    /// One axis.
    ///
    /// # Errors
    /// Never.
    pub fn flatten_all(&self) -> Result<Self> {
        self.reshape(self.elem_count())
    }

    /// The axes from `axis` on as one.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn flatten_from(&self, axis: usize) -> Result<Self> {
        self.dim(axis)?;
        let mut shape = self.dims()[..axis].to_vec();
        shape.push(self.dims()[axis..].iter().product());
        self.reshape(shape)
    }

    /// The part `start..start + length` of one axis: a view where that is contiguous, else new on the GPU.
    ///
    /// # Errors
    /// If it leaves the tensor.
    pub fn narrow(&self, axis: usize, start: usize, length: usize) -> Result<Self> {
        match &self.0 {
            Place::Host(tensor) => Ok(tensor.narrow(axis, start, length)?.into()),
            Place::Device(slice) => slice.narrow(axis, start, length),
        }
    }

    /// Element `index` of the first axis.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, index: usize) -> Result<Self> {
        let rest = self.dims().get(1..).unwrap_or_default().to_vec();
        self.narrow(0, index, 1)?.reshape(rest)
    }

    /// The axes in another order, contiguous.
    ///
    /// # Errors
    /// If `axes` does not name each once.
    pub fn permute(&self, axes: &[usize]) -> Result<Self> {
        match &self.0 {
            Place::Host(tensor) => Ok(tensor.permute(axes)?.contiguous()?.into()),
            Place::Device(slice) => slice.permute(axes),
        }
    }

    /// In another type.
    ///
    /// # Errors
    /// If the GPU knows no such type or has no memory.
    pub fn to_dtype(&self, dtype: DType) -> Result<Self> {
        match &self.0 {
            _ if dtype == self.dtype() => Ok(self.clone()),
            Place::Host(tensor) => Ok(tensor.to_dtype(dtype)?.into()),
            Place::Device(slice) => cuda::arrange::cast(slice.gpu(), self, dtype),
        }
    }

    /// On another device.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        match (&self.0, device) {
            (Place::Host(tensor), Device::Cuda(gpu)) => gpu.upload_tensor(tensor),
            (Place::Device(slice), Device::Cpu) => Ok(slice.download()?.into()),
            _ => Ok(self.clone()),
        }
    }

    /// A copy that shares nothing.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn copy(&self) -> Result<Self> {
        match &self.0 {
            Place::Host(tensor) => Ok(tensor.copy()?.into()),
            Place::Device(slice) => cuda::join(slice.gpu(), std::slice::from_ref(self)),
        }
    }

    /// All elements, row major, as `T` whatever they are stored as.
    ///
    /// # Errors
    /// If the GPU fails.
    pub fn to_vec<T: WithDType>(&self) -> Result<Vec<T>> {
        self.host()?.flatten_all()?.to_dtype(T::DTYPE)?.to_vec1()
    }

    /// The only element, as `T` whatever it is stored as.
    ///
    /// # Errors
    /// If there are more or the GPU fails.
    pub fn to_scalar<T: WithDType>(&self) -> Result<T> {
        self.host()?.reshape(())?.to_dtype(T::DTYPE)?.to_scalar()
    }

    /// `self / other` elementwise.
    ///
    /// # Errors
    /// If shapes, types or devices disagree.
    pub fn div(&self, other: &Self) -> Result<Self> {
        match self.gpu() {
            None => Ok(self.on_host()?.div(other.on_host()?)?.into()),
            Some(gpu) => cuda::dora::div(gpu, self, other),
        }
    }
}
