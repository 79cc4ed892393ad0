//! Several files put into foreign folders: all or none, never in place of another file.

use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What a file holds before it is whole; hosts list no such file.
const COMING: &str = "conceptd-part";
/// What a file is called while its pair is being removed.
const LEAVING: &str = "conceptd-gone";

/// A file to be placed.
pub struct Piece {
    /// Where it goes.
    pub to: PathBuf,
    /// Its content.
    pub content: Content,
}

/// Content of a file.
pub enum Content {
    /// That of a file of ours, which is shared on disk where the file system can do that.
    Of(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl Piece {
    /// SHA-256 of the content, in hex.
    ///
    /// # Errors
    /// If a file of ours cannot be read.
    pub fn digest(&self) -> Result<String> {
        match &self.content {
            Content::Of(path) => digest_of(path).map_err(Error::disk(path)),
            Content::Bytes(bytes) => Ok(concept::hex(&Sha256::digest(bytes))),
        }
    }
}

/// SHA-256 of a file, in hex.
///
/// # Errors
/// If it cannot be read.
pub fn digest_of(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    io::copy(&mut file, &mut hasher)?;
    Ok(concept::hex(&hasher.finalize()))
}

/// Places every piece, in order, or none.
///
/// # Errors
/// If a folder refuses or a file is there already; then nothing of this is left.
pub fn place(pieces: &[Piece]) -> Result<()> {
    let mut placed = Vec::new();
    let result = pieces.iter().try_for_each(|piece| write(piece, &coming(&piece.to))).and_then(|()| {
        pieces.iter().try_for_each(|piece| {
            let file = tempfile::TempPath::try_from_path(coming(&piece.to)).map_err(Error::disk(&piece.to))?;
            file.persist_noclobber(&piece.to).map_err(|refusal| Error::disk(&piece.to)(refusal.error))?;
            placed.push(&piece.to);
            Ok(())
        })
    });
    if result.is_err() {
        let unfinished = pieces.iter().map(|piece| coming(&piece.to));
        unfinished.chain(placed.into_iter().cloned()).for_each(|path| drop(fs::remove_file(path)));
    }
    result
}

fn write(piece: &Piece, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(Error::disk(folder))?;
    }
    let _ = fs::remove_file(to);
    match &piece.content {
        Content::Of(from) => share(from, to),
        Content::Bytes(bytes) => File::create_new(to).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        }),
    }
    .map_err(Error::disk(&piece.to))
}

/// The cheapest of sharing blocks, linking and copying that these two folders allow.
fn share(from: &Path, to: &Path) -> io::Result<()> {
    if reflink_copy::reflink(from, to).is_ok() || fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to)?;
    // Windows syncs only what is open for writing.
    File::options().write(true).open(to)?.sync_all()
}

/// Removes what an interrupted [`place`] left of `files` (paths with their digests).
pub fn unplace(files: &[(PathBuf, String)]) {
    for (path, digest) in files {
        let _ = fs::remove_file(coming(path));
        if digest_of(path).is_ok_and(|found| found == *digest) {
            let _ = fs::remove_file(path);
        }
    }
}

/// What became of files that were to be removed.
pub enum Removal {
    /// All are gone, but for these, which somebody changed and may want to keep.
    Gone(Vec<PathBuf>),
    /// This one is held open; all are still there.
    Held(PathBuf),
}

/// Removes files together: if one is held open, all stay. Changed ones are left alone.
pub fn remove(files: &[(PathBuf, String)]) -> Removal {
    let mut kept = Vec::new();
    let mut aside: Vec<(&PathBuf, PathBuf)> = Vec::new();
    for (path, digest) in files {
        let gone = leaving(path);
        if gone.exists() && !path.exists() {
            // An earlier attempt came as far as this.
            aside.push((path, gone));
            continue;
        }
        match digest_of(path) {
            Ok(found) if found == *digest => match fs::rename(path, &gone) {
                Ok(()) => aside.push((path, gone)),
                Err(_) => {
                    for (path, gone) in aside {
                        let _ = fs::rename(gone, path);
                    }
                    return Removal::Held(path.clone());
                }
            },
            Ok(_) => kept.push(path.clone()),
            Err(_) => {}
        }
    }
    // One that is open on Windows could not have been renamed.
    for (_, gone) in aside {
        let _ = fs::remove_file(gone);
    }
    Removal::Gone(kept)
}

fn coming(path: &Path) -> PathBuf {
    with(path, COMING)
}

fn leaving(path: &Path) -> PathBuf {
    with(path, LEAVING)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(folder: &Path, ours: &Path) -> [Piece; 2] {
        [
            Piece { to: folder.join("embeddings/a_embeddings.safetensors"), content: Content::Bytes(b"rows".to_vec()) },
            Piece { to: folder.join("loras/a_lora.safetensors"), content: Content::Of(ours.to_owned()) },
        ]
    }

    fn all(folder: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for sub in ["embeddings", "loras"] {
            let entries = fs::read_dir(folder.join(sub)).into_iter().flatten();
            names.extend(entries.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned()));
        }
        names
    }

    #[test]
    fn a_pair_comes_and_goes_whole() {
        let root = tempfile::tempdir().expect("a folder");
        let ours = root.path().join("ours");
        fs::write(&ours, "lora").expect("written");
        let pieces = pieces(root.path(), &ours);
        let files: Vec<_> = pieces.iter().map(|one| (one.to.clone(), one.digest().expect("read"))).collect();

        place(&pieces).expect("placed");
        assert_eq!(all(root.path()), ["a_embeddings.safetensors", "a_lora.safetensors"]);
        assert!(place(&pieces).is_err(), "nothing is overwritten");
        assert_eq!(all(root.path()).len(), 2, "and what was there stays");

        fs::remove_file(&files[0].0).expect("removed");
        assert!(place(&pieces).is_err(), "the second is there already");
        assert_eq!(all(root.path()), ["a_lora.safetensors"], "so the first is taken back");
        fs::write(&files[0].0, "rows").expect("written");

        fs::write(&files[1].0, "somebody's").expect("changed");
        // On a file system with links ours changed too: write it anew for the digest of the ledger.
        assert!(matches!(remove(&files), Removal::Gone(kept) if kept == [files[1].0.clone()]));
        assert_eq!(all(root.path()), ["a_lora.safetensors"]);
    }

    #[test]
    fn what_a_crash_left_is_taken_back() {
        let root = tempfile::tempdir().expect("a folder");
        let ours = root.path().join("ours");
        fs::write(&ours, "lora").expect("written");
        let pieces = pieces(root.path(), &ours);
        let files: Vec<_> = pieces.iter().map(|one| (one.to.clone(), one.digest().expect("read"))).collect();
        place(&pieces[..1]).expect("placed");
        write(&pieces[1], &coming(&pieces[1].to)).expect("begun");
        unplace(&files);
        assert!(all(root.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_refuses_leaves_neither() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().expect("a folder");
        let ours = root.path().join("ours");
        fs::write(&ours, "lora").expect("written");
        fs::create_dir(root.path().join("loras")).expect("made");
        fs::set_permissions(root.path().join("loras"), fs::Permissions::from_mode(0o500)).expect("set");
        // Root may write everywhere: then there is nothing to see.
        if fs::write(root.path().join("loras/probe"), "").is_ok() {
            return;
        }
        let error = place(&pieces(root.path(), &ours)).expect_err("refused").to_string();
        assert!(error.contains("a_lora.safetensors"), "{error}");
        assert!(all(root.path()).is_empty());
    }
}
