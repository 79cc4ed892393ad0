//! Seeing an image through a window: the rows of the matrix that a convolution multiplies.

use crate::{
    Result, Tensor,
    element::Real,
    matrix::{Matrix, Target, multiply},
    view::rows_and_channels,
};

/// The sliding window of a convolution: square, with zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side of the kernel in pixels.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Zeros before the first row and column.
    pub before: usize,
    /// Zeros after the last row and column.
    pub after: usize,
}

impl Window {
    /// The usual 3 x 3 window that keeps the size.
    pub const SAME3: Self = Self { kernel: 3, stride: 1, before: 1, after: 1 };
    /// A single pixel: a linear map at every position.
    pub const POINT: Self = Self { kernel: 1, stride: 1, before: 0, after: 0 };

    /// Output pixels along an axis of `size` input pixels.
    pub fn output(&self, size: usize) -> usize {
        (size + self.before + self.after - self.kernel) / self.stride + 1
    }

    pub(crate) fn taps(&self) -> usize {
        self.kernel * self.kernel
    }
}

/// How the left matrix of a product is read from a tensor, row by row of the output.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub batch: usize,
    /// Size of the image that is read.
    pub height: usize,
    pub width_in: usize,
    pub channels: usize,
    /// Size of the image whose positions are the rows.
    pub out_height: usize,
    pub out_width: usize,
    pub window: Window,
    /// Read against the window: the transposed convolution.
    pub spread: bool,
}

impl Source {
    pub fn new(tensor: &Tensor, window: Window) -> Result<Self> {
        if window == Window::POINT {
            let (rows, channels) = rows_and_channels(tensor);
            let one = Self {
                batch: 1,
                height: rows,
                width_in: 1,
                channels,
                out_height: rows,
                out_width: 1,
                window,
                spread: false,
            };
            return Ok(one);
        }
        let (batch, height, width_in, channels) = tensor.dims4()?;
        let (out_height, out_width) = (window.output(height), window.output(width_in));
        Ok(Self { batch, height, width_in, channels, out_height, out_width, window, spread: false })
    }

    pub fn positions(&self) -> usize {
        self.batch * self.out_height * self.out_width
    }

    /// Columns of the left matrix.
    pub fn width(&self) -> usize {
        self.window.taps() * self.channels
    }

    pub fn is_plain(&self) -> bool {
        self.window == Window::POINT
    }

    /// The input pixel that tap `tap` along one axis reads for output pixel `out`, if it lies inside the image.
    fn tap(&self, out: usize, tap: usize, size: usize) -> Option<usize> {
        let Window { stride, before, .. } = self.window;
        let at = if self.spread {
            let reach = (out + before).checked_sub(tap)?;
            if reach % stride != 0 {
                return None;
            }
            reach / stride
        } else {
            (out * stride + tap).checked_sub(before)?
        };
        (at < size).then_some(at)
    }

    /// Copies the patches of rows `start..start + count` into `patches`, `[count, taps * channels]`.
    pub fn gather<T: Real>(&self, values: &[T], start: usize, count: usize, patches: &mut Vec<T>) {
        patches.clear();
        patches.reserve(count * self.width());
        let kernel = self.window.kernel;
        for position in start..start + count {
            let (x, rest) = (position % self.out_width, position / self.out_width);
            let (y, b) = (rest % self.out_height, rest / self.out_height);
            let image = &values[b * self.height * self.width_in * self.channels..];
            for r in 0..kernel {
                let row = self.tap(y, r, self.height);
                for s in 0..kernel {
                    match (row, self.tap(x, s, self.width_in)) {
                        (Some(row), Some(col)) => {
                            let at = (row * self.width_in + col) * self.channels;
                            patches.extend_from_slice(&image[at..at + self.channels]);
                        }
                        _ => patches.resize(patches.len() + self.channels, T::ZERO),
                    }
                }
            }
        }
    }

    /// `target += scale left right[:, columns]`, where `right` is this source and `left [n, positions]`.
    pub fn outer<T: Real>(
        &self,
        left: Matrix<T>,
        values: &[T],
        (start, count): (usize, usize),
        scale: T,
        target: Target<T>,
    ) {
        if self.is_plain() {
            let right = Matrix::dense(values, self.positions(), self.channels).col_block(start, count);
            // SAFETY: the caller owns the target.
            unsafe { multiply(target, true, scale, left, right) };
            return;
        }
        const POSITIONS: usize = 256;
        let mut patches = Vec::new();
        for from in (0..self.positions()).step_by(POSITIONS) {
            let some = POSITIONS.min(self.positions() - from);
            self.gather_columns(values, (from, some), (start, count), &mut patches);
            let right = Matrix::dense(&patches, some, count);
            // SAFETY: the caller owns the target.
            unsafe { multiply(target, true, scale, left.col_block(from, some), right) };
        }
    }

    /// Like [`Self::gather`], but only the columns `start..start + count` of each patch.
    fn gather_columns<T: Real>(
        &self,
        values: &[T],
        rows: (usize, usize),
        (start, count): (usize, usize),
        patches: &mut Vec<T>,
    ) {
        if count == self.width() {
            return self.gather(values, rows.0, rows.1, patches);
        }
        patches.clear();
        let (first_tap, last_tap) = (start / self.channels, (start + count - 1) / self.channels);
        for position in rows.0..rows.0 + rows.1 {
            let (x, rest) = (position % self.out_width, position / self.out_width);
            let (y, b) = (rest % self.out_height, rest / self.out_height);
            let image = &values[b * self.height * self.width_in * self.channels..];
            for tap in first_tap..=last_tap {
                let from = start.max(tap * self.channels) - tap * self.channels;
                let to = (start + count).min((tap + 1) * self.channels) - tap * self.channels;
                let (row, col) = (tap / self.window.kernel, tap % self.window.kernel);
                match (self.tap(y, row, self.height), self.tap(x, col, self.width_in)) {
                    (Some(row), Some(col)) => {
                        let at = (row * self.width_in + col) * self.channels;
                        patches.extend_from_slice(&image[at + from..at + to]);
                    }
                    _ => patches.resize(patches.len() + to - from, T::ZERO),
                }
            }
        }
    }
}
