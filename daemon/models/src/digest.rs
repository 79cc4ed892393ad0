//! SHA-256 of files, read in pieces so that a caller can stop between them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{ModelsError, Result};
use crate::progress::Meter;

/// Bytes read at once.
pub(crate) const PIECE: usize = 256 * 1024;

/// A digest as 64 lower-case hex digits.
pub(crate) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `text` is a SHA-256 as hubs write it.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Feeds `file` from where it stands to its end into `hasher`; returns the bytes read.
pub(crate) fn feed(file: &mut File, path: &Path, hasher: &mut Sha256, meter: &mut Meter<'_>) -> Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut total = 0;
    loop {
        let read = file.read(&mut piece).map_err(|error| ModelsError::io("read", path, error))?;
        if read == 0 {
            return Ok(total);
        }
        hasher.update(&piece[..read]);
        total += read as u64;
        meter.advance(read as u64)?;
    }
}

/// The size and SHA-256 of the file at `path`.
pub(crate) fn of_file(path: &Path, meter: &mut Meter<'_>) -> Result<(u64, String)> {
    let mut file = File::open(path).map_err(|error| ModelsError::io("open", path, error))?;
    let mut hasher = Sha256::new();
    let bytes = feed(&mut file, path, &mut hasher, meter)?;
    Ok((bytes, hex(hasher)))
}
