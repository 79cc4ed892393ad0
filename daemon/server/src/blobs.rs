//! Where finished files go. The home folder is the one store here; a studio with many machines puts another behind the
//! same two verbs.

use crate::{Error, Home, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A store of files by name.
pub trait Blobs: Send + Sync {
    /// Stores a copy of the file `from` as `name` among the files of `owner`, whole or not at all.
    ///
    /// # Errors
    /// If the store refuses.
    fn put(&self, owner: &str, name: &str, from: &Path) -> Result<()>;

    /// The file on this machine's disk; `None` if there is none.
    ///
    /// # Errors
    /// If the store refuses.
    fn get(&self, owner: &str, name: &str) -> Result<Option<PathBuf>>;
}

impl Blobs for Home {
    fn put(&self, owner: &str, name: &str, from: &Path) -> Result<()> {
        let folder = self.concept(owner);
        fs::create_dir_all(&folder).map_err(Error::disk(&folder))?;
        let (to, temporary) = (folder.join(name), folder.join(format!("{name}.part")));
        fs::copy(from, &temporary).map_err(Error::disk(from))?;
        let file = fs::File::options().write(true).open(&temporary).map_err(Error::disk(&temporary))?;
        file.sync_all().map_err(Error::disk(&temporary))?;
        drop(file);
        fs::rename(&temporary, &to).map_err(Error::disk(&to))
    }

    fn get(&self, owner: &str, name: &str) -> Result<Option<PathBuf>> {
        let path = self.concept(owner).join(name);
        Ok(path.is_file().then_some(path))
    }
}
