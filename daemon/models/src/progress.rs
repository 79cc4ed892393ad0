//! How far an addition or a check is, and the caller's wish to stop.

use crate::error::{ModelsError, Result};

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Nothing moves: another program fetches the same file, or a broken connection is tried again in a moment.
    Waiting,
    /// Bytes come from the hub.
    Downloading,
    /// Files are read and compared with their digests.
    Checking,
}

/// A step of work on the files of one model.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What is going on.
    pub doing: Doing,
    /// The file at hand, named as in the repository or folder.
    pub file: &'a str,
    /// Bytes done, over all files of the model.
    pub bytes: u64,
    /// Bytes in all; 0 while unknown.
    pub of: u64,
}

/// Hears of progress, many times a second; `false` stops the work with [`ModelsError::Cancelled`].
pub type Watch<'a> = &'a mut dyn FnMut(Progress<'_>) -> bool;

/// Counts bytes over the files of one model.
pub(crate) struct Meter<'a> {
    watch: Watch<'a>,
    doing: Doing,
    file: String,
    bytes: u64,
    of: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(watch: Watch<'a>) -> Self {
        Self { watch, doing: Doing::Checking, file: String::new(), bytes: 0, of: 0 }
    }

    /// Begins a stage that will handle `of` bytes.
    pub(crate) fn stage(&mut self, doing: Doing, of: u64) {
        (self.doing, self.bytes, self.of) = (doing, 0, of);
    }

    /// Turns to another file.
    pub(crate) fn file(&mut self, name: &str) {
        name.clone_into(&mut self.file);
    }

    /// Where the count stands, to return to with [`rewind`](Self::rewind).
    pub(crate) fn mark(&self) -> u64 {
        self.bytes
    }

    /// Back to `mark`: a file is read anew.
    pub(crate) fn rewind(&mut self, mark: u64) {
        self.bytes = mark;
    }

    /// `bytes` more are done.
    pub(crate) fn advance(&mut self, bytes: u64) -> Result<()> {
        self.bytes += bytes;
        self.tell(self.doing)
    }

    /// Nothing moved, but the caller may want to stop.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.tell(Doing::Waiting)
    }

    fn tell(&mut self, doing: Doing) -> Result<()> {
        let progress = Progress { doing, file: &self.file, bytes: self.bytes, of: self.of.max(self.bytes) };
        if (self.watch)(progress) { Ok(()) } else { Err(ModelsError::Cancelled) }
    }
}
