//! Borrowing a tensor's numbers, and making a tensor of new ones: all on the processor.

use crate::{Device, Real, Result, Tensor, cuda};
use candle_core::{CpuStorage, CudaStorage, Error, InplaceOp1, Layout, Shape, Storage, StorageRef, WithDType};
use std::{cell::Cell, marker::PhantomData, ops::Deref};

/// The elements of a contiguous CPU tensor, borrowed for reading.
pub struct Slice<'a, T> {
    /// Keeps the storage from being written while its elements are read.
    _storage: StorageRef<'a>,
    start: *const T,
    length: usize,
}

// SAFETY: a shared borrow of plain numbers; the lock guard stays with the thread that made it.
unsafe impl<T: Sync> Sync for Slice<'_, T> {}

impl<T> Deref for Slice<'_, T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `read` took address and length from a slice of the storage that `_storage` keeps borrowed.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// Borrows the elements of `tensor`, row major.
///
/// # Errors
/// If the tensor is not contiguous, not of type `T`, or lies on a device that has no kernels yet.
pub fn read<T: WithDType>(tensor: &Tensor) -> Result<Slice<'_, T>> {
    let (storage, layout) = tensor.on_host()?.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        return Err(Error::Msg(format!("a kernel wants a contiguous tensor, not shape {:?}", tensor.shape())));
    };
    let elements = match &*storage {
        Storage::Cpu(cpu) => &cpu.as_slice::<T>()?[start..end],
        _ => return Err(Error::Msg("bug: candle holds a tensor that is not on the CPU".into())),
    };
    let (start, length) = (elements.as_ptr(), elements.len());
    Ok(Slice { _storage: storage, start, length })
}

/// Makes a tensor of `shape` whose elements `fill` writes. Every kernel's output is born here, so that an arena of our
/// own has one place to stand.
pub(crate) fn build<T: Real, S: Into<Shape>>(
    shape: S,
    device: &Device,
    fill: impl FnOnce(&mut [T]) -> Result<()>,
) -> Result<Tensor> {
    if !device.is_cpu() {
        return Err(Error::Msg("this operation has no GPU kernel; run on the CPU".into()));
    }
    let shape = shape.into();
    let mut values = vec![T::ZERO; shape.elem_count()];
    fill(&mut values)?;
    Tensor::from_vec(values, shape, device)
}

/// Lets `update` change the elements of `tensor` where they lie; every view that shares them sees the change.
///
/// # Errors
/// If the tensor is not contiguous, not of type `T`, or lies on a device that has no kernels yet.
pub fn write<T: Real>(tensor: &Tensor, update: impl FnOnce(&mut [T])) -> Result<()> {
    tensor.on_host()?.inplace_op1(&Update { update: Cell::new(Some(update)), element: PhantomData::<T> })
}

struct Update<T, F> {
    update: Cell<Option<F>>,
    element: PhantomData<T>,
}

impl<T: Real, F: FnOnce(&mut [T])> InplaceOp1 for Update<T, F> {
    fn name(&self) -> &'static str {
        "update in place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(Error::Msg("an update in place wants a contiguous tensor".into()));
        };
        let Some(values) = T::elements(storage) else {
            return Err(Error::Msg(format!("an update in place wants a tensor of {:?}", T::DTYPE)));
        };
        if let Some(update) = self.update.take() {
            update(&mut values[start..end]);
        }
        Ok(())
    }

    fn cuda_fwd(&self, _: &mut CudaStorage, _: &Layout) -> Result<()> {
        Err(Error::Msg("bug: candle holds a tensor that is not on the CPU".into()))
    }
}

/// `target += source`, in place.
///
/// # Errors
/// If the shapes or types differ.
pub fn accumulate(target: &Tensor, source: &Tensor) -> Result<()> {
    same_shape("accumulate", target, source)?;
    if let Some(gpu) = target.gpu() {
        return cuda::arrange::accumulate(gpu, target, source);
    }
    crate::element::dispatch!(target, "accumulate", T => {
        let source = read::<T>(source)?;
        write::<T>(target, |target| target.iter_mut().zip(&*source).for_each(|(t, s)| *t += *s))
    })
}

/// `target *= factor`, in place.
///
/// # Errors
/// If the tensor cannot be written.
pub fn scale_in_place(target: &Tensor, factor: f64) -> Result<()> {
    if let Some(gpu) = target.gpu() {
        return cuda::arrange::scale_in_place(gpu, target, factor);
    }
    crate::element::dispatch!(target, "scale in place", T => {
        let factor = T::from_f64(factor);
        write::<T>(target, |target| target.iter_mut().for_each(|t| *t *= factor))
    })
}

/// `target = 0`, in place, whatever it held.
///
/// # Errors
/// If the tensor cannot be written.
pub fn clear(target: &Tensor) -> Result<()> {
    if let Some(gpu) = target.gpu() {
        return gpu.clear(target);
    }
    crate::element::dispatch!(target, "clear", T => write::<T>(target, |target| target.fill(T::ZERO)))
}

/// Fails, naming `operation`, unless both tensors have one shape.
pub(crate) fn same_shape(operation: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    if a.shape() == b.shape() {
        return Ok(());
    }
    Err(Error::Msg(format!("{operation}: shapes {:?} and {:?} differ", a.shape(), b.shape())))
}

/// Splits a shape into (product of all axes but the last, last axis).
pub(crate) fn rows_and_channels(tensor: &Tensor) -> (usize, usize) {
    let channels = tensor.dims().last().copied().unwrap_or(1);
    (tensor.elem_count() / channels.max(1), channels)
}

/// The shape of `tensor` with another last axis.
pub(crate) fn with_channels(tensor: &Tensor, channels: usize) -> Vec<usize> {
    let mut shape = tensor.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = channels;
    }
    shape
}
