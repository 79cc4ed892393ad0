//! Single-file checkpoints: opened by memory map, their architecture detected from tensor shapes, checked before use.

mod architecture;
mod detect;
mod layout;
mod source;

pub use architecture::{Architecture, ClipDims, Family, Prediction, UnetDims, VaeDims};
pub use layout::tensors;
pub(crate) use layout::{CLIP_G_PREFIX, UNET_PREFIX, clip_l_prefix};
pub use source::{MappedFile, Source, TensorInfo};

use crate::{Error, Result};
use candle_core::DType;
use kernels::{Device, Tensor};
use std::{path::Path, sync::Arc};

/// A checkpoint whose architecture is known and whose tensors are all there.
pub struct Checkpoint {
    source: Arc<dyn Source>,
    vae: Arc<dyn Source>,
    vae_prefix: &'static str,
    architecture: Architecture,
}

/// What a user may decide against the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides<'a> {
    /// A VAE file in place of the checkpoint's own.
    pub vae: Option<&'a Path>,
    /// The prediction type in place of the detected one.
    pub prediction: Option<Prediction>,
}

pub(crate) const VAE_PREFIX: &str = "first_stage_model.";

impl Checkpoint {
    /// Opens a checkpoint file, detects what it is and checks that every tensor is there in the right shape.
    /// Values are read (and checked to be finite) only when a model loads them.
    ///
    /// # Errors
    /// If the file is unreadable, truncated, of another kind, or incomplete; the message says which.
    pub fn open(path: &Path, overrides: Overrides) -> Result<Self> {
        let mut checkpoint = Self::of(Arc::new(MappedFile::open(path)?))?;
        if let Some(prediction) = overrides.prediction {
            checkpoint.architecture.prediction = prediction;
        }
        if let Some(path) = overrides.vae {
            checkpoint.replace_vae(path)?;
        }
        Ok(checkpoint)
    }

    /// The same for tensors from elsewhere.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(source: Arc<dyn Source>) -> Result<Self> {
        let architecture = detect::architecture(&*source)?;
        layout::check(&*source, &architecture)?;
        Ok(Self { vae: source.clone(), source, vae_prefix: VAE_PREFIX, architecture })
    }

    fn replace_vae(&mut self, path: &Path) -> Result<()> {
        let file = MappedFile::open(path)?;
        let (prefix, dims) = detect::vae_file(&file)?;
        layout::check_vae(&file, prefix, &dims)?;
        self.architecture.vae = dims;
        (self.vae, self.vae_prefix) = (Arc::new(file), prefix);
        Ok(())
    }

    /// What was detected.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The tensors below `prefix` (without its final dot).
    pub fn scope(&self, prefix: &str) -> Scope<'_> {
        Scope { source: &*self.source, prefix: prefix.to_owned() }
    }

    /// The tensors of the VAE.
    pub fn vae_scope(&self) -> Scope<'_> {
        Scope { source: &*self.vae, prefix: self.vae_prefix.trim_end_matches('.').to_owned() }
    }
}

/// Tensors below a common prefix, as a layer loads them.
pub struct Scope<'a> {
    source: &'a dyn Source,
    prefix: String,
}

impl Scope<'_> {
    /// The scope `self.name`.
    pub fn scope(&self, name: impl std::fmt::Display) -> Self {
        Self { source: self.source, prefix: self.key(name) }
    }

    fn key(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether the tensor `self.name` is there.
    pub fn has(&self, name: &str) -> bool {
        self.source.info(&self.key(name)).is_some()
    }

    /// How many axes `self.name` has; none if it is absent.
    pub(crate) fn axes(&self, name: &str) -> usize {
        self.source.info(&self.key(name)).map_or(0, |info| info.shape.len())
    }

    /// Key and shape of the tensor `self.name`, if it is there.
    pub fn shape(&self, name: &str) -> Option<(String, &[usize])> {
        let key = self.key(name);
        let info = self.source.info(&key)?;
        Some((key, &info.shape))
    }

    /// Reads the tensor `self.name` as it is stored, on the CPU.
    ///
    /// # Errors
    /// If it is absent, or holds NaN or infinity.
    pub fn stored(&self, name: &str) -> Result<Tensor> {
        let key = self.key(name);
        let stored = Tensor::from(self.source.tensor(&key)?);
        if !all_finite(&stored)? {
            return Err(Error::NotFinite { path: self.source.path().to_owned(), key });
        }
        Ok(stored)
    }

    /// Loads the tensor `self.name` as `dtype` on `device`.
    ///
    /// # Errors
    /// If it is absent, or holds NaN or infinity.
    pub fn tensor(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.load(name, dtype, 1)?.map_or_else(|| self.slowly(name, dtype), Ok)?.to_device(device).map_err(Into::into)
    }

    /// Loads the weight `self.name [out, in, k, k]` of a convolution as `[out, k k in]`.
    ///
    /// # Errors
    /// As [`Self::tensor`].
    pub fn convolution(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let info = self.source.info(&self.key(name));
        let taps = info.map_or(1, |info| info.shape.iter().skip(2).product());
        let weight = match self.load(name, dtype, taps)? {
            Some(weight) => weight.flatten_from(1)?,
            None => self.slowly(name, dtype)?.permute(&[0, 2, 3, 1])?.flatten_from(1)?,
        };
        Ok(weight.to_device(device)?)
    }

    /// Straight from the file into the wanted type and order, if the source lies in memory and the types are usual.
    fn load(&self, name: &str, dtype: DType, taps: usize) -> Result<Option<Tensor>> {
        let key = self.key(name);
        let (Some(bytes), Some(info)) = (self.source.bytes(&key), self.source.info(&key)) else { return Ok(None) };
        let usual = |dtype: &DType| matches!(dtype, DType::F16 | DType::BF16 | DType::F32);
        let Some(from) = info.float().filter(|from| usual(from) && usual(&dtype)) else { return Ok(None) };
        let loaded = kernels::stored(bytes, from, dtype, &info.shape, taps)?;
        let not_finite = || Error::NotFinite { path: self.source.path().to_owned(), key };
        loaded.ok_or_else(not_finite).map(Some)
    }

    /// By way of a tensor of the stored type.
    fn slowly(&self, name: &str, dtype: DType) -> Result<Tensor> {
        Ok(self.stored(name)?.to_dtype(dtype)?)
    }
}

fn all_finite(tensor: &Tensor) -> Result<bool> {
    Ok(match tensor.dtype() {
        DType::F16 => kernels::read::<half::f16>(tensor)?.iter().all(|x| x.is_finite()),
        DType::BF16 => kernels::read::<half::bf16>(tensor)?.iter().all(|x| x.is_finite()),
        DType::F32 => kernels::read::<f32>(tensor)?.iter().all(|x| x.is_finite()),
        DType::F64 => kernels::read::<f64>(tensor)?.iter().all(|x| x.is_finite()),
        _ => true,
    })
}
