//! Blocks of the autoencoder.

use crate::{
    Result,
    checkpoint::Scope,
    layer::{Extra, GroupNorm, Precision, Projection, Tape},
};
use kernels::{Tensor, Window};

/// Two convolutions behind group norms.
pub(super) struct VaeBlock {
    norm1: GroupNorm,
    conv1: Projection,
    norm2: GroupNorm,
    conv2: Projection,
    shortcut: Option<Projection>,
}

impl VaeBlock {
    pub fn load(scope: &Scope, precision: &Precision) -> Result<Self> {
        let conv = |name: &str, window| Projection::conv(&scope.scope(name), window, precision);
        let shortcut = scope.has("nin_shortcut.weight").then(|| conv("nin_shortcut", Window::POINT)).transpose()?;
        Ok(Self {
            norm1: GroupNorm::load(&scope.scope("norm1"), 1e-6, true, precision)?,
            conv1: conv("conv1", Window::SAME3)?,
            norm2: GroupNorm::load(&scope.scope("norm2"), 1e-6, true, precision)?,
            conv2: conv("conv2", Window::SAME3)?,
            shortcut,
        })
    }

    /// Each state is dropped behind its last use: at 1024 px one is up to 1 GiB.
    pub fn forward(&self, x: Tensor) -> Result<Tensor> {
        let tape = &mut Tape::off();
        let h = self.conv1.forward(&self.norm1.forward(&x, tape)?, Extra::default(), tape)?;
        let beside = match &self.shortcut {
            Some(shortcut) => {
                let beside = shortcut.forward(&x, Extra::default(), tape)?;
                drop(x);
                beside
            }
            None => x,
        };
        let y = self.norm2.forward(&h, tape)?;
        drop(h);
        self.conv2.forward(&y, Extra::residual(&beside), tape)
    }
}

/// Block, attention with one head, block.
pub(super) struct Middle {
    block1: VaeBlock,
    norm: GroupNorm,
    q: Projection,
    k: Projection,
    v: Projection,
    out: Projection,
    block2: VaeBlock,
}

impl Middle {
    pub fn load(scope: &Scope, precision: &Precision) -> Result<Self> {
        let linear = |name: &str| Projection::linear(&scope.scope(name), precision);
        Ok(Self {
            block1: VaeBlock::load(&scope.scope("block_1"), precision)?,
            norm: GroupNorm::load(&scope.scope("attn_1.norm"), 1e-6, false, precision)?,
            q: linear("attn_1.q")?,
            k: linear("attn_1.k")?,
            v: linear("attn_1.v")?,
            out: linear("attn_1.proj_out")?,
            block2: VaeBlock::load(&scope.scope("block_2"), precision)?,
        })
    }

    pub fn forward(&self, x: Tensor) -> Result<Tensor> {
        let tape = &mut Tape::off();
        let x = self.block1.forward(x)?;
        let (batch, height, width, channels) = x.dims4()?;
        let y = self.norm.forward(&x, tape)?.reshape((batch, height * width, channels))?;
        let q = self.q.forward(&y, Extra::default(), tape)?;
        let k = self.k.forward(&y, Extra::default(), tape)?;
        let v = self.v.forward(&y, Extra::default(), tape)?;
        let (o, _) = kernels::attention(&q, &k, &v, 1, false)?;
        self.block2.forward(self.out.forward(&o.reshape(x.shape())?, Extra::residual(&x), tape)?)
    }
}
