//! The base model of a run, and which file it is.

use crate::{Result, error::at};
use diffusion::{Checkpoint, Family, checkpoint::Overrides};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// A checkpoint with the digest of its file.
pub struct Base {
    /// The opened checkpoint.
    pub checkpoint: Checkpoint,
    /// SHA-256 of the file.
    pub digest: String,
    /// SHA-256 of the VAE file that replaces its own.
    pub vae_digest: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
}

impl Base {
    /// Opens a checkpoint and reads it once for its digest.
    ///
    /// # Errors
    /// If it is no checkpoint that can be trained.
    pub fn open(path: &Path, overrides: Overrides) -> Result<Self> {
        let checkpoint = Checkpoint::open(path, overrides)?;
        let vae_digest = overrides.vae.map(digest_of).transpose()?;
        Ok(Self { checkpoint, digest: digest_of(path)?, vae_digest, path: path.to_owned() })
    }
}

/// Side of the pictures that the published model of a checkpoint's family was made for.
pub fn usual_side(checkpoint: &Checkpoint) -> usize {
    match checkpoint.architecture().family {
        Family::Sdxl => 1024,
        Family::Sd15 => 512,
    }
}

/// SHA-256 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn digest_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(at(path))? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
