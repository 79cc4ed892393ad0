//! The base model of a run, and which file it is.

use crate::{Result, error::at};
use diffusion::{Checkpoint, Family, checkpoint::Overrides};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    thread::{self, JoinHandle},
};

/// A checkpoint with the digest of its file, which is found on a thread of its own while work on the checkpoint begins:
/// gigabytes take seconds.
pub struct Base {
    /// The opened checkpoint.
    pub checkpoint: Checkpoint,
    digest: Hashed,
    vae_digest: Option<Hashed>,
    /// Where it lies.
    pub path: PathBuf,
}

impl Base {
    /// Opens a checkpoint, and begins to read it for its digest.
    ///
    /// # Errors
    /// If it is no checkpoint that can be trained.
    pub fn open(path: &Path, overrides: Overrides) -> Result<Self> {
        let checkpoint = Checkpoint::open(path, overrides)?;
        let vae_digest = overrides.vae.map(Hashed::begin);
        Ok(Self { checkpoint, digest: Hashed::begin(path), vae_digest, path: path.to_owned() })
    }

    /// SHA-256 of the file, waited for.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn digest(&self) -> Result<&str> {
        self.digest.wait()
    }

    /// SHA-256 of the VAE file that replaces its own.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn vae_digest(&self) -> Result<Option<&str>> {
        self.vae_digest.as_ref().map(Hashed::wait).transpose()
    }
}

/// A digest that is being found.
struct Hashed {
    path: PathBuf,
    thread: Mutex<Option<JoinHandle<Result<String>>>>,
    found: OnceLock<String>,
}

impl Hashed {
    fn begin(path: &Path) -> Self {
        let file = path.to_owned();
        let thread = Mutex::new(Some(thread::spawn(move || digest_of(&file))));
        Self { path: path.to_owned(), thread, found: OnceLock::new() }
    }

    fn wait(&self) -> Result<&str> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let digest = thread.join().unwrap_or_else(|_| digest_of(&self.path))?;
            return Ok(self.found.get_or_init(|| digest));
        }
        match self.found.get() {
            Some(found) => Ok(found),
            // It failed before, or another thread is just putting it here.
            None => digest_of(&self.path).map(|digest| self.found.get_or_init(|| digest).as_str()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_beside_other_work_and_a_missing_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("base.safetensors");
        std::fs::write(&path, "abc").expect("written");
        let hashed = Hashed::begin(&path);
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hashed.wait().expect("found"), known);
        assert_eq!(hashed.wait().expect("found again"), known);
        let missing = Hashed::begin(&folder.path().join("none"));
        for _ in 0..2 {
            assert!(missing.wait().expect_err("it is missing").to_string().contains("none"));
        }
    }
}
