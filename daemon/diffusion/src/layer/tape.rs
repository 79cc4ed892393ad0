//! What the forward pass leaves for the backward pass.

use crate::{Error, Result};
use kernels::Tensor;

/// A stack of saved tensors: the forward pass pushes, the backward pass pops in the opposite order.
///
/// Tensors are shared, not copied: pushing one twice costs nothing.
pub struct Tape {
    saved: Vec<Tensor>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Forget everything: inference.
    Off,
    /// Keep what the backward pass needs.
    Keep,
    /// Keep only each block's inputs and run the block again backward (Chen et al., arXiv 1604.06174).
    Recompute,
}

impl Tape {
    /// A tape that keeps nothing, for inference.
    pub fn off() -> Self {
        Self { saved: Vec::new(), mode: Mode::Off }
    }

    /// A tape for training; with `recompute`, blocks keep their inputs only.
    pub fn keep(recompute: bool) -> Self {
        Self { saved: Vec::new(), mode: if recompute { Mode::Recompute } else { Mode::Keep } }
    }

    /// Saves a tensor for the backward pass.
    pub fn push(&mut self, tensor: &Tensor) {
        if self.mode != Mode::Off {
            self.saved.push(tensor.clone());
        }
    }

    /// The tensor that was saved last.
    ///
    /// # Errors
    /// If the tape is empty: the passes do not match.
    pub fn pop(&mut self) -> Result<Tensor> {
        self.saved.pop().ok_or_else(|| Error::Invalid("bug: the backward pass popped an empty tape".into()))
    }

    /// Runs a block's forward pass `run(inputs, tape)`, keeping all that it saves or, when recomputing, its inputs only.
    ///
    /// # Errors
    /// Whatever `run` fails with.
    pub fn block(&mut self, inputs: &[&Tensor], run: impl FnOnce(&mut Tape) -> Result<Tensor>) -> Result<Tensor> {
        if self.mode != Mode::Recompute {
            return run(self);
        }
        inputs.iter().for_each(|input| self.push(input));
        run(&mut Tape::off())
    }

    /// Runs a block's backward pass `unwind(tape)`; when recomputing, `run(inputs, tape)` fills that tape first.
    ///
    /// # Errors
    /// Whatever the passes fail with.
    pub fn unwind_block<const N: usize, R>(
        &mut self,
        run: impl FnOnce(&[Tensor; N], &mut Tape) -> Result<Tensor>,
        unwind: impl FnOnce(&mut Tape) -> Result<R>,
    ) -> Result<R> {
        if self.mode != Mode::Recompute {
            return unwind(self);
        }
        let mut inputs = Vec::with_capacity(N);
        for _ in 0..N {
            inputs.push(self.pop()?);
        }
        inputs.reverse();
        let inputs = inputs.try_into().map_err(|_| Error::Invalid("bug: a block's inputs were miscounted".into()))?;
        let mut tape = Tape::keep(false);
        run(&inputs, &mut tape)?;
        unwind(&mut tape)
    }

    /// Whether everything was popped, as it must be after a backward pass.
    pub fn is_empty(&self) -> bool {
        self.saved.is_empty()
    }

    /// Bytes that the saved tensors hold, each storage counted once.
    pub fn bytes(&self) -> usize {
        let mut seen = std::collections::HashSet::new();
        let fresh = self.saved.iter().filter(|t| seen.insert(t.identity()));
        fresh.map(|t| t.elem_count() * t.dtype().size_in_bytes()).sum()
    }
}
