//! Finding files: folders, archives, archives in archives. Nothing is ever unpacked to disk.

use crate::{Error, Limits};
use flate2::read::GzDecoder;
use std::{
    fs::{self, File},
    io::{BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
};

/// What a file's name says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Picture,
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
        if lower.ends_with(".tar.gz") || lower.ends_with(".tgz") {
            return Self::TarGz;
        }
        match lower.rsplit_once('.').map(|(_, extension)| extension) {
            Some("png" | "jpg" | "jpeg" | "webp" | "bmp" | "tif" | "tiff" | "gif") => Self::Picture,
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
            Some("mp4" | "mov" | "avi" | "mkv" | "webm") => {
                Self::Foreign("this is a video; save single frames as PNG or JPEG")
            }
            Some("rar" | "7z") => Self::Foreign("this archive is not read; pack it as zip"),
            _ => Self::Other,
        }
    }
}

/// The stem of the picture that a mask belongs to.
pub(crate) fn mask_stem(name: &str) -> &str {
    name.get(..name.len() - ".mask.png".len()).unwrap_or(name)
}

/// kohya's convention: a folder `10_name class` counts ten times.
pub(crate) fn repeats(name: &str) -> usize {
    const MOST: usize = 1000;
    let folder = name.rsplit('/').nth(1).unwrap_or_default();
    let count = folder.split_once('_').and_then(|(count, _)| count.parse().ok());
    count.unwrap_or(1).clamp(1, MOST)
}

type Wants<'a> = &'a dyn Fn(Kind) -> bool;
type See<'a> = &'a mut dyn FnMut(String, Kind, Vec<u8>);

/// Goes through files, counting what it unpacks.
pub(crate) struct Walker<'a> {
    limits: &'a Limits,
    unpacked: u64,
}

impl<'a> Walker<'a> {
    pub fn new(limits: &'a Limits) -> Self {
        Self { limits, unpacked: 0 }
    }

    /// Calls `see` with every file of a kind that `wants` names, in order of names.
    pub fn visit(&mut self, paths: &[PathBuf], wants: Wants, see: See) -> Result<(), Error> {
        self.unpacked = 0;
        for path in paths {
            if !path.exists() {
                return Err(Error::NotFound(path.clone()));
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                // A folder that is itself `10_name class` counts.
                let prefix = if repeats(&format!("{name}/x")) > 1 { format!("{name}/") } else { String::new() };
                self.folder(path, &prefix, wants, see)?;
            } else {
                self.file(path, name, wants, see)?;
            }
        }
        Ok(())
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
        let archive = matches!(kind, Kind::Zip | Kind::Tar | Kind::TarGz);
        if !archive && !wants(kind) {
            return Ok(());
        }
        let unreadable = |source| Error::Read { name: name.clone(), source };
        let file = BufReader::new(File::open(path).map_err(unreadable)?);
        if archive {
            return self.archive(file, &name, kind, 1, wants, see);
        }
        let mut bytes = Vec::new();
        file.take(self.limits.file_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        see(name, kind, bytes);
        Ok(())
    }

    fn archive(
        &mut self,
        file: impl Read + Seek,
        name: &str,
        kind: Kind,
        depth: usize,
        wants: Wants,
        see: See,
    ) -> Result<(), Error> {
        if depth > self.limits.depth {
            return Err(self.beyond(name, format!("archives are nested more than {} deep", self.limits.depth)));
        }
        match kind {
            Kind::Zip => self.zip(file, name, depth, wants, see),
            Kind::TarGz => self.tar(GzDecoder::new(file), name, depth, wants, see),
            _ => self.tar(file, name, depth, wants, see),
        }
    }

    fn zip(&mut self, file: impl Read + Seek, name: &str, depth: usize, wants: Wants, see: See) -> Result<(), Error> {
        let damaged = |what: zip::result::ZipError| Error::Archive { name: name.to_owned(), what: what.to_string() };
        let mut archive = zip::ZipArchive::new(file).map_err(damaged)?;
        self.check_entries(name, archive.len())?;
        for i in 0..archive.len() {
            let entry = archive.by_index(i).map_err(damaged)?;
            if entry.is_dir() || entry.is_symlink() {
                continue;
            }
            let inner = clean(&entry.name().map_err(damaged)?);
            self.member(entry, name, &inner, depth, wants, see)?;
        }
        Ok(())
    }

    fn tar(&mut self, file: impl Read, name: &str, depth: usize, wants: Wants, see: See) -> Result<(), Error> {
        let damaged = |what: std::io::Error| Error::Archive { name: name.to_owned(), what: what.to_string() };
        let mut archive = tar::Archive::new(file);
        for (i, entry) in archive.entries().map_err(damaged)?.enumerate() {
            let entry = entry.map_err(damaged)?;
            self.check_entries(name, i + 1)?;
            // Links and devices have no content of their own.
            if entry.header().entry_type().is_file() {
                let inner = clean(&entry.path().map_err(damaged)?.to_string_lossy());
                self.member(entry, name, &inner, depth, wants, see)?;
            }
        }
        Ok(())
    }

    /// One file inside an archive. Its size is counted as it is read; headers may claim anything.
    fn member(
        &mut self,
        entry: impl Read,
        archive: &str,
        inner: &str,
        depth: usize,
        wants: Wants,
        see: See,
    ) -> Result<(), Error> {
        let kind = Kind::of(inner);
        let nested = matches!(kind, Kind::Zip | Kind::Tar | Kind::TarGz);
        if !nested && !wants(kind) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let room = self.limits.file_bytes.min(self.limits.total_bytes.saturating_sub(self.unpacked));
        let read = entry.take(room + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::Archive { name: archive.to_owned(), what: format!("`{inner}`: {error}") })?;
        self.unpacked += bytes.len() as u64;
        if bytes.len() as u64 > room {
            return Err(self.beyond(archive, format!("`{inner}` unpacks to more than {} MiB", room >> 20)));
        }
        if nested {
            return self.archive(Cursor::new(bytes), &format!("{archive}/{inner}"), kind, depth + 1, wants, see);
        }
        see(inner.to_owned(), kind, bytes);
        Ok(())
    }

    fn check_entries(&self, name: &str, count: usize) -> Result<(), Error> {
        if count <= self.limits.entries {
            return Ok(());
        }
        Err(self.beyond(name, format!("it holds more than {} files", self.limits.entries)))
    }

    fn beyond(&self, name: &str, what: String) -> Error {
        Error::Limit { name: name.to_owned(), what }
    }
}

/// A member's name for messages and pairing: forward slashes, without what leads out.
fn clean(name: &str) -> String {
    let name = name.replace('\\', "/");
    name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<Vec<_>>().join("/")
}
