//! The home folder: what lies where, who owns it, and how files get there whole.

use crate::{Error, Result, platform};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

/// A home folder.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// What `daemon.json` says: where the running daemon can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    /// Its process.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// Where requests go.
    pub url: String,
    /// Of the program.
    pub version: String,
}

impl Home {
    /// The home at `path`; nothing is made yet.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// `CONCEPTD_HOME`, else the platform's folder for data.
    pub fn usual() -> PathBuf {
        if let Some(home) = std::env::var_os("CONCEPTD_HOME").filter(|home| !home.is_empty()) {
            return home.into();
        }
        platform::data_folder().join("conceptd")
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The settings of a user.
    pub fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The secret that requests must show.
    pub fn token_file(&self) -> PathBuf {
        self.0.join("token")
    }

    /// Where the running daemon can be reached.
    pub fn beacon_file(&self) -> PathBuf {
        self.0.join("daemon.json")
    }

    /// Everything that is known.
    pub fn database(&self) -> PathBuf {
        self.0.join("conceptd.db")
    }

    /// The files of a data set.
    pub fn dataset(&self, id: &str) -> PathBuf {
        self.0.join("datasets").join(id)
    }

    /// What was seen in a data set: masks and the preview sheet.
    pub fn prepared(&self, id: &str) -> PathBuf {
        self.0.join("prepared").join(id)
    }

    /// Small copies of the pictures of a data set.
    pub fn thumbnails(&self, id: &str) -> PathBuf {
        self.0.join("thumbnails").join(id)
    }

    /// Models that look at pictures.
    pub fn eyes(&self) -> PathBuf {
        self.0.join("captioners")
    }

    /// The run of a job.
    pub fn job(&self, id: &str) -> PathBuf {
        self.0.join("jobs").join(id)
    }

    /// The pictures of a creation.
    pub fn creation(&self, id: &str) -> PathBuf {
        self.0.join("creations").join(id)
    }

    /// The files of a concept.
    pub fn concept(&self, id: &str) -> PathBuf {
        self.0.join("concepts").join(id)
    }

    /// Checkpoints that are found without being told.
    pub fn models(&self) -> PathBuf {
        self.0.join("models")
    }

    /// A fresh folder for what is not complete yet.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn staging(&self) -> Result<PathBuf> {
        let folder = self.0.join("staging").join(crate::id("s")?);
        fs::create_dir_all(&folder).map_err(Error::disk(&folder))?;
        Ok(folder)
    }

    /// Removes what never became complete; nobody was told that it arrived.
    pub fn clear_staging(&self) {
        let _ = fs::remove_dir_all(self.0.join("staging"));
    }

    /// What was deleted.
    pub fn trash(&self) -> PathBuf {
        self.0.join("trash")
    }

    /// Moves what was deleted to the trash, from where a user can take it back.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn discard(&self, path: &Path) -> Result<()> {
        if !path.exists() {
            return Ok(());
        }
        let trash = self.trash().join(crate::id("t")?);
        fs::create_dir_all(&trash).map_err(Error::disk(&trash))?;
        let to = trash.join(path.file_name().unwrap_or_default());
        fs::rename(path, &to).map_err(Error::disk(path))
    }

    /// Makes the folder and locks it for this process; the lock falls with the returned file.
    ///
    /// # Errors
    /// [`Error::Taken`] if another daemon has it.
    pub fn lock(&self) -> Result<File> {
        platform::make_private_folder(&self.0).map_err(Error::disk(&self.0))?;
        let path = self.0.join("daemon.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::disk(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Taken(self.0.clone())),
            Err(fs::TryLockError::Error(source)) => Err(Error::Disk { path, source }),
        }
    }

    /// The token; made at the first call.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn token(&self) -> Result<String> {
        let path = self.token_file();
        match fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= 32 => return Ok(token.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(Error::Disk { path, source }),
        }
        self.new_token()
    }

    /// Replaces the token; a running daemon keeps the old one until it is started again.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn new_token(&self) -> Result<String> {
        platform::make_private_folder(&self.0).map_err(Error::disk(&self.0))?;
        let token = concept::hex(&crate::random::<32>()?);
        platform::write_private(&self.token_file(), token.as_bytes()).map_err(Error::disk(&self.token_file()))?;
        Ok(token)
    }

    /// Says where the daemon is.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn light(&self, beacon: &Beacon) -> Result<()> {
        write_whole(&self.beacon_file(), &serde_json::to_vec_pretty(beacon).map_err(Error::bug)?)
    }

    /// Where a daemon said that it is; it may be gone.
    pub fn beacon(&self) -> Option<Beacon> {
        serde_json::from_slice(&fs::read(self.beacon_file()).ok()?).ok()
    }

    /// Takes the word back.
    pub fn darken(&self) {
        let _ = fs::remove_file(self.beacon_file());
    }
}

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// If the disk refuses.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::disk(folder))?;
    }
    let temporary = path.with_extension("part");
    let mut file = File::create(&temporary).map_err(Error::disk(&temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::disk(&temporary))?;
    drop(file);
    fs::rename(&temporary, path).map_err(Error::disk(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_belongs_to_one_daemon_and_keeps_its_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().join("home"));
        let lock = home.lock().expect("locked");
        assert!(matches!(home.lock(), Err(Error::Taken(_))));
        drop(lock);
        home.lock().expect("free again");
        let token = home.token().expect("a token");
        assert_eq!((token.len(), home.token().expect("a token")), (64, token.clone()));
        assert_ne!(home.new_token().expect("a token"), token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(home.token_file()).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_deleted_lies_in_the_trash() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().to_owned());
        fs::create_dir_all(home.dataset("d-1")).expect("made");
        fs::write(home.dataset("d-1").join("a.png"), "x").expect("written");
        home.discard(&home.dataset("d-1")).expect("discarded");
        assert!(!home.dataset("d-1").exists());
        let kept =
            fs::read_dir(folder.path().join("trash")).expect("a trash").next().expect("one").expect("one").path();
        assert!(kept.join("d-1/a.png").is_file());
    }
}
