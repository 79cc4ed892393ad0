//! Writing files so that they are there whole or not at all.

use crate::{Result, error::at};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

/// Writes `bytes` to `path`: to a temporary name beside it, synced, renamed. A reader sees the old file or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(at(folder))?;
    // What a crash leaves under this name, the next writing replaces.
    let temporary = path.with_extension("part");
    let mut file = File::create(&temporary).map_err(at(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(&temporary))?;
    drop(file);
    fs::rename(&temporary, path).map_err(at(path))?;
    sync_folder(folder);
    Ok(())
}

/// Makes a rename durable where folders can be synced (they cannot on Windows, which journals them).
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
