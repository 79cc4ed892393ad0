//! Writing files so that they are there whole or not at all.

use crate::{Result, error::at};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

/// Writes `bytes` to `path`: to a temporary name beside it, synced, renamed. A reader sees the old file or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(at(folder))?;
    let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder).map_err(at(path))?;
    file.write_all(bytes).map_err(at(path))?;
    file.as_file().sync_all().map_err(at(path))?;
    file.persist(path).map_err(|error| at(path)(error.error))?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename durable where folders can be synced (they cannot on Windows, which journals them).
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
