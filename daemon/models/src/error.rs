//! What can go wrong with model files, told so that a reader knows what to do.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, ModelsError>;

/// A failure around model files: one variant for each thing that a reader would do differently.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// The name of a model that is not installed.
    #[error("no model called `{0}` is installed; list the models to see which there are")]
    NotInstalled(String),
    /// A text that names no model, path or repository.
    #[error(
        "`{0}` is not a known model, a file or folder, or a hub repository (owner/name); list the models to see which are known"
    )]
    Unknown(String),
    /// A known model that no hub repository holds.
    #[error("`{id}` cannot be fetched from a hub: {how}; then add that file")]
    BringYourOwn {
        /// The model.
        id: &'static str,
        /// Where to get it.
        how: &'static str,
    },
    /// Files that are no model of a known form.
    #[error("{place} holds no model that is known here: {why}")]
    NotAModel {
        /// The folder, file or repository.
        place: String,
        /// What was looked for.
        why: String,
    },
    /// A place with several models.
    #[error("{place} holds several models ({which}); name the file of the one that you want")]
    Several {
        /// The folder or repository.
        place: String,
        /// The models there.
        which: String,
    },
    /// A hub's file that is not there.
    #[error(
        "the hub has no {what}; check the spelling and the revision (a private repository also looks like this: set HF_TOKEN)"
    )]
    NotFound {
        /// The repository, revision or file.
        what: String,
    },
    /// The hub wants a token, or one with more rights.
    #[error(
        "the hub does not give out {repository} (status {status}): check its name, accept its conditions on its web page if it has any, and set HF_TOKEN to a token that may read it"
    )]
    Refused {
        /// The repository.
        repository: String,
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// A token that cannot be sent.
    #[error("the hub token holds characters that no token has; set HF_TOKEN again, without spaces or line breaks")]
    BadToken,
    /// The hub cannot be reached.
    #[error(
        "the hub at {endpoint} cannot be reached ({why}): check the network, or set HF_ENDPOINT to a mirror, or add the model from a folder"
    )]
    NoNetwork {
        /// The hub's address.
        endpoint: String,
        /// The cause.
        why: String,
    },
    /// Downloads are switched off.
    #[error(
        "{what} is not on this machine, and HF_HUB_OFFLINE forbids fetching it: unset HF_HUB_OFFLINE, or add the model from a folder"
    )]
    Offline {
        /// The missing file or repository.
        what: String,
    },
    /// The hub failed.
    #[error("the hub failed at {what} (status {status}): try again later; what was fetched is kept")]
    HubFailed {
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that no hub gives.
    #[error(
        "{endpoint} does not answer like a hub ({why}): check HF_ENDPOINT, and whether a proxy or login page stands between"
    )]
    BadAnswer {
        /// The hub's address.
        endpoint: String,
        /// What is wrong.
        why: String,
    },
    /// The connection broke again and again.
    #[error("the download of {file} stopped at {got} of {of} bytes ({why}): run it again, it goes on from there")]
    Interrupted {
        /// The file.
        file: String,
        /// Bytes on the disk.
        got: u64,
        /// Bytes of the whole file.
        of: u64,
        /// The last cause.
        why: String,
    },
    /// Other bytes than were promised.
    #[error("{file} is not the file that it should be (SHA-256 {found}, expected {expected}): {cure}")]
    Mismatch {
        /// The file.
        file: String,
        /// The digest that was promised, lower-case hex.
        expected: String,
        /// The digest of what is there.
        found: String,
        /// What to do.
        cure: String,
    },
    /// An installed file that is gone.
    #[error(
        "the model `{id}` lacks {path}, which was there when it was added: bring the file back, or remove the model and add it again"
    )]
    Missing {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
    },
    /// An installed file that is another now.
    #[error("{path} of the model `{id}` is not what it was when it was added: remove the model and add it again")]
    Changed {
        /// The model.
        id: String,
        /// The file.
        path: PathBuf,
    },
    /// A record that cannot be read.
    #[error("{path} cannot be used ({why}): remove the model and add it again")]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No room.
    #[error("the disk that holds {path} is full: free some space and run it again, it goes on from there")]
    DiskFull {
        /// The file that was written.
        path: PathBuf,
    },
    /// The caller stopped it.
    #[error("stopped; what was fetched is kept, and adding the model again goes on from there")]
    Cancelled,
    /// The file system said no.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// The verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl ModelsError {
    /// An error of the file system while `doing` something with `path`; a full disk is told apart.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned() },
            _ => Self::Io { doing, path: path.to_owned(), source },
        }
    }
}
