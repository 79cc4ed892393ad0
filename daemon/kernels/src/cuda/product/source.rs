//! An image as kernels read it: row by row of the matrix that a window makes of it.

use crate::{Result, Tensor, Window};
use candle_core::Error;

/// Exact division of numbers below 2^31: `x * factor >> shift`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Divisor {
    factor: u32,
    shift: u32,
}

impl Divisor {
    pub(super) fn new(by: usize) -> Self {
        let by = (by as u64).max(1);
        let bits = by.next_power_of_two().trailing_zeros();
        Self { factor: ((1_u64 << (31 + bits)) / by + 1) as u32, shift: 31 + bits }
    }
}

/// An image and the window that it is read through.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Source {
    pub(super) image: u64,
    pub(super) channels: i32,
    pub(super) inner: i32,
    pub(super) kernel: i32,
    pub(super) height: i32,
    pub(super) width: i32,
    pub(super) out_height: i32,
    pub(super) out_width: i32,
    pub(super) step: i32,
    pub(super) turn: i32,
    pub(super) shift: i32,
    pub(super) stride: i32,
    pub(super) wide: i32,
    pub(super) by_width: Divisor,
    pub(super) by_height: Divisor,
    pub(super) by_kernel: Divisor,
}

/// How a term reads its input.
#[derive(Clone, Copy)]
pub(super) enum View {
    /// `[..., channels]`, a row a position.
    Rows,
    /// `[B, H, W, channels]` through a window.
    Patches(Window),
    /// `[B, H, W, channels]`, the gradient of what a window gave of an image of the given height and width.
    Spread(Window, usize, usize),
}

impl Source {
    /// `image` seen by positions; also their number.
    pub(super) fn new(image: &Tensor, view: View) -> Result<(Self, usize)> {
        let channels = image.dims().last().copied().unwrap_or(1);
        let pixels = image.elem_count() / channels.max(1);
        let (window, spread) = match view {
            View::Rows | View::Patches(Window::POINT) | View::Spread(Window::POINT, ..) => (Window::POINT, false),
            View::Patches(window) => (window, false),
            View::Spread(window, ..) => (window, true),
        };
        let (batch, height, width) = match window {
            Window::POINT => (1, 1, pixels),
            _ => image.dims4().map(|(batch, height, width, _)| (batch, height, width))?,
        };
        let (out_height, out_width) = match view {
            View::Spread(_, out_height, out_width) if spread => (out_height, out_width),
            _ => (window.output(height), window.output(width)),
        };
        if spread && (window.output(out_height), window.output(out_width)) != (height, width) {
            return Err(Error::Msg(format!(
                "convolution backward: {:?} is no output of {out_height} x {out_width}",
                image.shape()
            )));
        }
        let stride = window.stride as i32;
        let source = Self {
            image: image.address(),
            channels: channels as i32,
            inner: (window.taps() * channels) as i32,
            kernel: window.kernel as i32,
            height: height as i32,
            width: width as i32,
            out_height: out_height as i32,
            out_width: out_width as i32,
            step: if spread { 1 } else { stride },
            turn: if spread { -1 } else { 1 },
            shift: if spread { window.before as i32 } else { -(window.before as i32) },
            stride: if spread { stride } else { 1 },
            wide: i32::from(channels.is_multiple_of(8) && image.address().is_multiple_of(16)),
            by_width: Divisor::new(out_width),
            by_height: Divisor::new(out_height),
            by_kernel: Divisor::new(window.kernel),
        };
        Ok((source, counted(batch * out_height * out_width, counted(pixels, pixels)?)?))
    }
}

/// `value`, which kernels hold in 31 bits, if `other` fits too.
pub(super) fn counted(value: usize, other: usize) -> Result<usize> {
    if value.max(other) > i32::MAX as usize {
        return Err(Error::Msg(format!("product: {value} positions are more than a GPU kernel counts")));
    }
    Ok(value)
}
