//! Finding files: folders, archives, archives in archives. Nothing is ever unpacked to disk.

use crate::{Error, Limits};
use flate2::read::GzDecoder;
use std::{
    fs::{self, File},
    io::{self, BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
};
use zip::result::ZipError;

/// What a file's name says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Picture,
    Film,
    Prompt,
    Mask,
    Zip,
    Tar,
    TarGz,
    /// Something that a user may have meant, and what to do with it.
    Foreign(&'static str),
    Other,
}

impl Kind {
    pub fn of(name: &str) -> Self {
        let lower = name.to_lowercase();
        let hidden = |part: &str| part.starts_with('.') || part == "__macosx" || part == "thumbs.db";
        if lower.split('/').any(hidden) {
            return Self::Other;
        }
        if lower.ends_with(".mask.png") {
            return Self::Mask;
        }
        // What a concept looks like, put beside it by A1111, by watched folders: no picture to learn from.
        if lower.ends_with(".preview.png") {
            return Self::Other;
        }
        if lower.ends_with(".tar.gz") || lower.ends_with(".tgz") {
            return Self::TarGz;
        }
        match lower.rsplit_once('.').map(|(_, extension)| extension) {
            Some("png" | "jpg" | "jpeg" | "jfif" | "jpe" | "webp" | "bmp" | "tif" | "tiff" | "gif") => Self::Picture,
            Some("txt" | "caption") => Self::Prompt,
            Some("zip") => Self::Zip,
            Some("tar") => Self::Tar,
            Some("heic" | "heif") => Self::Foreign(
                "HEIC is not read; export it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)",
            ),
            Some("avif" | "jxl") => Self::Foreign("this format is not read; save it as PNG or JPEG"),
            Some("cr2" | "cr3" | "nef" | "arw" | "dng" | "raf" | "orf" | "rw2") => {
                Self::Foreign("raw camera files are not read; develop them to JPEG or PNG")
            }
            Some("psd" | "xcf" | "svg" | "pdf") => Self::Foreign("this is no photograph format; export it as PNG"),
            Some("mp4" | "m4v" | "mov" | "avi" | "mkv" | "webm") => Self::Film,
            Some("rar" | "7z") => Self::Foreign("this archive is not read; pack it as zip"),
            _ => Self::Other,
        }
    }
}

/// The stem of the picture that a mask belongs to.
pub(crate) fn mask_stem(name: &str) -> &str {
    name.get(..name.len() - ".mask.png".len()).unwrap_or(name)
}

/// The folder that a file lies in.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit('/').nth(1).unwrap_or_default()
}

/// kohya's convention: a folder `10_name class` counts ten times. Above a thousand it is a year: `2024_summer`.
pub(crate) fn repeats(name: &str) -> usize {
    const MOST: usize = 1000;
    let count = folder_of(name).split_once('_').and_then(|(count, _)| count.parse().ok());
    count.filter(|count| (1..=MOST).contains(count)).unwrap_or(1)
}

type Wants<'a> = &'a dyn Fn(Kind) -> bool;
type See<'a> = &'a mut dyn FnMut(String, Kind, Vec<u8>);

/// Goes through files, counting them and what it unpacks.
pub(crate) struct Walker<'a> {
    limits: &'a Limits,
    files: usize,
    unpacked: u64,
    /// What stands before every name, so that files of several folders are told apart.
    root: String,
}

impl<'a> Walker<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Self { limits, files: 0, unpacked: 0, root: String::new() }
    }

    /// Calls `see` with every file of a kind that `wants` names, in order of names.
    pub fn visit(&mut self, paths: &[PathBuf], wants: Wants, see: See) -> Result<(), Error> {
        (self.files, self.unpacked) = (0, 0);
        for path in paths {
            if !path.exists() {
                return Err(Error::NotFound(path.clone()));
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let written = path.to_string_lossy().replace('\\', "/");
            let written = written.trim_end_matches('/');
            let folder = path.is_dir();
            self.root = if paths.len() == 1 {
                // A folder that is itself `10_name class` counts.
                if folder && repeats(&format!("{name}/x")) > 1 { format!("{name}/") } else { String::new() }
            } else if folder {
                format!("{written}/")
            } else {
                written.strip_suffix(&name).unwrap_or_default().to_owned()
            };
            if folder {
                self.folder(path, "", wants, see)?;
            } else {
                self.named_file(path, name, paths.len() == 1, wants, see)?;
            }
        }
        Ok(())
    }

    /// A file that the user named: whatever it is, it gets an answer, and what lies beside a picture belongs to it.
    fn named_file(&mut self, path: &Path, name: String, alone: bool, wants: Wants, see: See) -> Result<(), Error> {
        const UNKNOWN: Kind = Kind::Foreign("its ending is that of no picture and no archive; save it as PNG or JPEG");
        match Kind::of(&name) {
            Kind::Zip | Kind::Tar | Kind::TarGz => {
                // The members of a single archive are called by their own names.
                let shown = if alone { "" } else { name.as_str() };
                self.archive_file(path, &name, shown, wants, see)
            }
            Kind::Picture | Kind::Film => {
                let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                for beside in [".txt", ".caption", ".mask.png"].map(|ending| format!("{stem}{ending}")) {
                    let path = path.with_file_name(&beside);
                    if path.is_file() && !wants(Kind::Picture) {
                        self.file(&path, beside, wants, see)?;
                    }
                }
                self.file(path, name, wants, see)
            }
            Kind::Other if wants(UNKNOWN) => {
                see(format!("{}{name}", self.root), UNKNOWN, Vec::new());
                Ok(())
            }
            _ => self.file(path, name, wants, see),
        }
    }

    fn folder(&mut self, path: &Path, prefix: &str, wants: Wants, see: See) -> Result<(), Error> {
        let unreadable = |source| Error::Read { name: path.display().to_string(), source };
        let mut entries = fs::read_dir(path).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(unreadable)?;
            // Links to folders are not followed: they may lead in circles.
            if kind.is_dir() {
                self.folder(&entry.path(), &format!("{name}/"), wants, see)?;
            } else if entry.path().is_file() {
                self.file(&entry.path(), name, wants, see)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String, wants: Wants, see: See) -> Result<(), Error> {
        let kind = Kind::of(&name);
        if matches!(kind, Kind::Zip | Kind::Tar | Kind::TarGz) {
            return self.archive_file(path, &name, &name, wants, see);
        }
        if !wants(kind) {
            return Ok(());
        }
        self.files += 1;
        if self.files > self.limits.entries {
            let what = format!("there are more than {} files; give the folder with the pictures", self.limits.entries);
            return Err(Error::Limit { name, what });
        }
        let unreadable = |source| Error::Read { name: name.clone(), source };
        let file = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut bytes = Vec::new();
        file.take(self.limits.file_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        see(format!("{}{name}", self.root), kind, bytes);
        Ok(())
    }

    /// An archive called `name`, its members called as if it were the folder `shown`.
    fn archive_file(&mut self, path: &Path, name: &str, shown: &str, wants: Wants, see: See) -> Result<(), Error> {
        let file = File::open(path).map_err(|source| Error::Read { name: name.to_owned(), source })?;
        self.archive(BufReader::new(file), &Place { name, shown, depth: 1 }, Kind::of(name), wants, see)
    }

    fn archive(&mut self, file: impl Read + Seek, at: &Place, kind: Kind, wants: Wants, see: See) -> Result<(), Error> {
        if at.depth > self.limits.depth {
            return Err(at.beyond(format!("archives are nested more than {} deep", self.limits.depth)));
        }
        match kind {
            Kind::Zip => self.zip(file, at, wants, see),
            Kind::TarGz => {
                // What is passed over is unpacked too.
                let left = self.limits.total_bytes;
                self.tar(Metered { inner: GzDecoder::new(file), left }, at, wants, see)
            }
            _ => self.tar(file, at, wants, see),
        }
    }

    fn zip(&mut self, file: impl Read + Seek, at: &Place, wants: Wants, see: See) -> Result<(), Error> {
        let damaged = |error: ZipError| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Error::Locked(at.name.to_owned()),
            error => at.damaged(error.to_string()),
        };
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        self.count(at, archive.len())?;
        for i in 0..archive.len() {
            let entry = archive.by_index(i).map_err(damaged)?;
            if entry.is_dir() || entry.is_symlink() {
                continue;
            }
            let inner = clean(&entry.name().map_err(damaged)?);
            self.member(entry, at, &inner, wants, see)?;
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read, at: &Place, wants: Wants, see: See) -> Result<(), Error> {
        let damaged = |error: io::Error| match error.kind() {
            io::ErrorKind::FileTooLarge => at.beyond(error.to_string()),
            _ => at.damaged(error.to_string()),
        };
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            self.count(at, 1)?;
            // Links and devices have no content of their own.
            if entry.header().entry_type().is_file() {
                let inner = clean(&entry.path().map_err(damaged)?.to_string_lossy());
                self.member(entry, at, &inner, wants, see)?;
            }
        }
        Ok(())
    }

    /// One file inside an archive. Its size is counted as it is read; headers may claim anything.
    fn member(&mut self, entry: impl Read, at: &Place, inner: &str, wants: Wants, see: See) -> Result<(), Error> {
        let kind = Kind::of(inner);
        let nested = matches!(kind, Kind::Zip | Kind::Tar | Kind::TarGz);
        if !nested && !wants(kind) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let room = self.limits.file_bytes.min(self.limits.total_bytes.saturating_sub(self.unpacked));
        let read = entry.take(room + 1).read_to_end(&mut bytes);
        read.map_err(|error| at.damaged(format!("`{inner}`: {error}")))?;
        self.unpacked += bytes.len() as u64;
        if bytes.len() as u64 > room {
            return Err(at.beyond(format!("`{inner}` unpacks to more than {} MiB", room >> 20)));
        }
        let shown = if at.shown.is_empty() { inner.to_owned() } else { format!("{}/{inner}", at.shown) };
        if nested {
            let place = Place { name: &format!("{}/{inner}", at.name), shown: &shown, depth: at.depth + 1 };
            return self.archive(Cursor::new(bytes), &place, kind, wants, see);
        }
        see(format!("{}{shown}", self.root), kind, bytes);
        Ok(())
    }

    /// Counts files of archives, all together: archives may hold archives.
    fn count(&mut self, at: &Place, files: usize) -> Result<(), Error> {
        self.files = self.files.saturating_add(files);
        if self.files <= self.limits.entries {
            return Ok(());
        }
        Err(at.beyond(format!("it holds more than {} files", self.limits.entries)))
    }
}

/// An archive on the way.
struct Place<'a> {
    name: &'a str,
    /// What its members' names begin with.
    shown: &'a str,
    /// Archives around it, itself among them.
    depth: usize,
}

impl Place<'_> {
    fn damaged(&self, what: String) -> Error {
        Error::Archive { name: self.name.to_owned(), what }
    }

    fn beyond(&self, what: String) -> Error {
        let what = format!("{what}. Unpack it yourself and give the folder with the pictures");
        Error::Limit { name: self.name.to_owned(), what }
    }
}

/// A reader that fails beyond a number of bytes.
struct Metered<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let too_much = || io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to more than can be meant");
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_much)?;
        Ok(count)
    }
}

/// A member's name for messages and pairing: forward slashes, without what leads out.
fn clean(name: &str) -> String {
    let name = name.replace('\\', "/");
    name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<Vec<_>>().join("/")
}
