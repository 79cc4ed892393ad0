//! Attention of tokens to themselves or to the text.

use super::Flow;
use crate::{
    Result,
    checkpoint::Scope,
    layer::{Extra, Precision, Projection, Tape},
    lora::LayerPath,
};
use kernels::{Attended, Tensor};

pub(super) struct Attention {
    q: Projection,
    k: Projection,
    v: Projection,
    out: Projection,
    heads: usize,
}

impl Attention {
    pub fn load(scope: &Scope, heads: usize, precision: &Precision) -> Result<Self> {
        let linear = |name: &str| Projection::linear(&scope.scope(name), precision);
        Ok(Self { q: linear("to_q")?, k: linear("to_k")?, v: linear("to_v")?, out: linear("to_out.0")?, heads })
    }

    /// `x [B, N, C]` attends to `context [B, M, D]`; `residual [B, N, C]` is added.
    pub fn forward(&self, x: &Tensor, context: &Tensor, residual: &Tensor, tape: &mut Tape) -> Result<Tensor> {
        let q = self.q.forward(x, Extra::default(), tape)?;
        let k = self.k.forward(context, Extra::default(), tape)?;
        let v = self.v.forward(context, Extra::default(), tape)?;
        let (o, log_sums) = kernels::attention(&q, &k, &v, self.heads, false)?;
        [&q, &k, &v, &o, &log_sums].into_iter().for_each(|t| tape.push(t));
        self.out.forward(&o, Extra::residual(residual), tape)
    }

    /// The gradient of `x` where x is its own context.
    pub fn backward_self(&self, grad: &Tensor, tape: &mut Tape, flow: &Flow) -> Result<Tensor> {
        let (dq, dk, dv) = self.unwind(grad, tape, flow)?;
        let dv = self.v.gradient(&dv, tape, flow.grads)?;
        let dk = self.k.gradient(&dk, tape, flow.grads)?;
        let dq = self.q.gradient(&dq, tape, flow.grads)?;
        Projection::input_gradient(&[(&self.q, &dq), (&self.k, &dk), (&self.v, &dv)], None)
    }

    /// The gradient of `x`; that of the text goes into `flow`.
    pub fn backward_text(&self, grad: &Tensor, tape: &mut Tape, flow: &mut Flow) -> Result<Tensor> {
        let (dq, dk, dv) = self.unwind(grad, tape, flow)?;
        let dv = self.v.gradient(&dv, tape, flow.grads)?;
        let dk = self.k.gradient(&dk, tape, flow.grads)?;
        if let Some(context) = &flow.context {
            flow.context = Some(Projection::input_gradient(&[(&self.k, &dk), (&self.v, &dv)], Some(context))?);
        }
        self.q.backward(&dq, tape, flow.grads)
    }

    fn unwind(&self, grad: &Tensor, tape: &mut Tape, flow: &Flow) -> Result<(Tensor, Tensor, Tensor)> {
        let through = self.out.backward(grad, tape, flow.grads)?;
        let (log_sums, o, v, k, q) = (tape.pop()?, tape.pop()?, tape.pop()?, tape.pop()?, tape.pop()?);
        let attended = Attended { q: &q, k: &k, v: &v, o: &o, log_sums: &log_sums };
        Ok(kernels::attention_backward(&through, attended, self.heads, false)?)
    }

    pub fn visit(&mut self, path: &LayerPath, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
        for (name, layer) in
            [("to_q", &mut self.q), ("to_k", &mut self.k), ("to_v", &mut self.v), ("to_out.0", &mut self.out)]
        {
            see(&path.child(name), layer);
        }
    }
}
