//! One file from a hub into the shared cache: resumed where it broke off, compared with its digest before it gets its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Body;
use ureq::http::Response;

use super::Hub;
use super::cache::Shelf;
use super::wire::{About, Wire};
use crate::digest::{self, PIECE};
use crate::error::{ModelsError, Result};
use crate::progress::Meter;

/// Broken connections in a row, without a byte between them, before giving up.
const MOST_FAILURES: u32 = 5;
/// Broken connections at all.
const MOST_ATTEMPTS: u32 = 500;
/// Bytes of a file whose size nobody tells.
const LARGEST: u64 = 64 << 30;
/// The pause between two looks at a lock, or for a wish to stop.
const TICK: Duration = Duration::from_millis(100);

/// A blob in the cache, and whether it came now.
pub(crate) struct Blob {
    pub(crate) path: PathBuf,
    pub(crate) new: bool,
}

/// Brings the content of `about` into the cache.
pub(crate) fn fetch(hub: &Hub, wire: &Wire<'_>, shelf: &Shelf, about: &About, meter: &mut Meter<'_>) -> Result<Blob> {
    let path = shelf.blob(&about.etag);
    let complete =
        |path: &Path| fs::metadata(path).is_ok_and(|found| about.bytes.is_none_or(|bytes| bytes == found.len()));
    let lock = shelf.lock(&about.etag);
    for folder in [path.parent(), lock.parent()].into_iter().flatten() {
        fs::create_dir_all(folder).map_err(|error| ModelsError::io("create", folder, error))?;
    }
    // Held until the blob has its name, so that no other program writes the same file.
    let _held = held(&lock, meter)?;
    if complete(&path) {
        meter.advance(about.bytes.unwrap_or(0))?;
        return Ok(Blob { path, new: false });
    }
    // The name that older versions of Python's client give to what they have so far, so each goes on where the other stopped.
    let partial = path.with_file_name(format!("{}.incomplete", about.etag));
    let found = Download::open(hub, wire, about, &partial, meter)?.run()?;
    if let Some(expected) = about.sha256().filter(|expected| *expected != found) {
        fs::remove_file(&partial).map_err(|error| ModelsError::io("remove", &partial, error))?;
        return Err(ModelsError::Mismatch {
            file: about.name.clone(),
            expected: expected.to_owned(),
            found,
            cure: "the broken download was thrown away, so run it again; if that repeats, the hub or mirror holds a broken file".to_owned(),
        });
    }
    fs::rename(&partial, &path).map_err(|error| ModelsError::io("write", &path, error))?;
    Ok(Blob { path, new: true })
}

/// The lock file at `path`, locked; waits while another program holds it.
fn held(path: &Path, meter: &mut Meter<'_>) -> Result<File> {
    let failed = |error| ModelsError::io("lock", path, error);
    let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path).map_err(failed)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                meter.wait()?;
                thread::sleep(TICK);
            }
            // Some network drives have no locks; without one, at worst both programs fetch the file.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

struct Download<'a, 'm> {
    hub: &'a Hub,
    wire: &'a Wire<'a>,
    about: &'a About,
    meter: &'a mut Meter<'m>,
    path: &'a Path,
    file: File,
    hasher: Sha256,
    /// Bytes on the disk, all of them in `hasher`.
    have: u64,
    /// Bytes of the whole, once known.
    whole: Option<u64>,
    /// The meter's count before this file.
    mark: u64,
}

/// How an attempt ended.
enum End {
    Complete,
    Cut(String),
}

impl<'a, 'm> Download<'a, 'm> {
    fn open(
        hub: &'a Hub,
        wire: &'a Wire<'a>,
        about: &'a About,
        path: &'a Path,
        meter: &'a mut Meter<'m>,
    ) -> Result<Self> {
        let opened = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path);
        let mut file = opened.map_err(|error| ModelsError::io("open", path, error))?;
        let mut hasher = Sha256::new();
        let mark = meter.mark();
        let have = digest::feed(&mut file, path, &mut hasher, meter)?;
        Ok(Self { hub, wire, about, meter, path, file, hasher, have, whole: about.bytes, mark })
    }

    /// Fetches what is missing; returns the SHA-256 of the whole.
    fn run(mut self) -> Result<String> {
        if self.whole.is_some_and(|whole| self.have > whole) {
            self.restart()?;
        }
        let (mut failures, mut attempts) = (0, 0);
        while self.whole != Some(self.have) || attempts == 0 && self.have == 0 {
            let before = self.have;
            let why = match self.attempt() {
                Ok(End::Complete) => break,
                Ok(End::Cut(why)) => why,
                // The hub answered a moment ago, so a failure now may pass.
                Err(ModelsError::NoNetwork { why, .. }) => why,
                Err(ModelsError::HubFailed { status, .. }) => format!("status {status}"),
                Err(error) => return Err(error),
            };
            attempts += 1;
            failures = if self.have > before { 1 } else { failures + 1 };
            if failures > MOST_FAILURES || attempts > MOST_ATTEMPTS {
                let of = self.whole.unwrap_or(0);
                return Err(ModelsError::Interrupted { file: self.about.name.clone(), got: self.have, of, why });
            }
            self.rest(self.hub.pause * (failures - 1).min(10))?;
        }
        self.file.sync_all().map_err(|error| ModelsError::io("write", self.path, error))?;
        Ok(digest::hex(self.hasher))
    }

    /// One request for what is missing.
    fn attempt(&mut self) -> Result<End> {
        let answer = self.wire.content(self.about, self.have)?;
        match answer.status().as_u16() {
            206 => {
                let (start, whole) =
                    range(&answer).ok_or_else(|| self.wire.odd("it sends a piece without saying which"))?;
                if start != self.have {
                    self.restart()?;
                    return Ok(End::Cut("another piece than the one asked for came".to_owned()));
                }
                self.agree(whole)?;
            }
            200 => {
                // The whole comes although a piece was asked for.
                if self.have > 0 {
                    self.restart()?;
                }
                self.agree(length(&answer))?;
            }
            416 => {
                self.restart()?;
                return Ok(End::Cut("the hub does not know the missing piece".to_owned()));
            }
            status => {
                self.wire.status(status, &self.about.name)?;
                return Err(self.wire.odd(&format!("status {status} for {}", self.about.name)));
            }
        }
        self.take(answer.into_body())
    }

    /// The size that an answer names must be the one that was promised.
    fn agree(&mut self, whole: Option<u64>) -> Result<()> {
        match (self.whole, whole) {
            (Some(promised), Some(named)) if promised != named => {
                Err(self.wire.odd(&format!("{} has {named} bytes, {promised} were promised", self.about.name)))
            }
            (None, Some(named)) => {
                self.whole = Some(named);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Writes a body behind what is there, never more than the whole.
    fn take(&mut self, body: Body) -> Result<End> {
        let failed = |error| ModelsError::io("write", self.path, error);
        self.file.seek(std::io::SeekFrom::Start(self.have)).map_err(failed)?;
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let mut piece = vec![0; PIECE];
        loop {
            let read = match reader.read(&mut piece) {
                Ok(read) => read,
                Err(error) => return Ok(End::Cut(error.to_string())),
            };
            if read == 0 {
                let complete = self.whole.is_none_or(|whole| whole == self.have);
                return Ok(if complete { End::Complete } else { End::Cut("the connection ended".to_owned()) });
            }
            if self.have + read as u64 > self.whole.unwrap_or(LARGEST) {
                return Err(self.wire.odd(&format!("{} is larger than promised", self.about.name)));
            }
            self.file.write_all(&piece[..read]).map_err(|error| ModelsError::io("write", self.path, error))?;
            self.hasher.update(&piece[..read]);
            self.have += read as u64;
            self.meter.advance(read as u64)?;
        }
    }

    /// Forgets what is there.
    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(|error| ModelsError::io("write", self.path, error))?;
        self.hasher = Sha256::new();
        self.have = 0;
        self.meter.rewind(self.mark);
        Ok(())
    }

    /// Waits, but not for a caller who wants to stop.
    fn rest(&mut self, pause: Duration) -> Result<()> {
        let mut left = pause;
        while !left.is_zero() {
            self.meter.wait()?;
            let tick = left.min(TICK);
            thread::sleep(tick);
            left -= tick;
        }
        Ok(())
    }
}

/// Where the piece of a 206 begins, and the size of the whole: `Content-Range: bytes 5-9/10` or `bytes 5-9/*`.
fn range(answer: &Response<Body>) -> Option<(u64, Option<u64>)> {
    let text = answer.headers().get("content-range")?.to_str().ok()?;
    let (piece, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = piece.split_once('-')?;
    Some((start.trim().parse().ok()?, whole.trim().parse().ok()))
}

fn length(answer: &Response<Body>) -> Option<u64> {
    answer.headers().get("content-length")?.to_str().ok()?.parse().ok()
}
