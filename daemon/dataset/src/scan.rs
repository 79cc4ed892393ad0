//! One pass over files: what belongs to pictures, then the pictures, each shown as soon as it is read.

use crate::{
    Captions, Error, Found, Options, Photo, Skipped, animation,
    decode::{self, Decoded},
    digest_of, film, fingerprint, fit, prompt,
    walk::{self, Kind, Walker},
};
use image::GrayImage;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// Reads everything below `paths` and shows each usable picture to `see`, one at a time, in order of files. Memory holds
/// one picture.
///
/// # Errors
/// If a path cannot be read, an archive is damaged or beyond a limit, nothing usable is found, or `see` fails. Single
/// pictures that cannot be used are skipped, with a reason.
pub fn scan<E: From<Error>>(
    paths: &[PathBuf],
    options: &Options,
    captions: &Captions,
    see: &mut dyn FnMut(Photo) -> Result<(), E>,
) -> Result<Found, E> {
    let mut walker = Walker::new(&options.limits);
    let mut scan = Scan::new(options, captions, see);
    walker.visit(paths, &|kind| matches!(kind, Kind::Prompt | Kind::Mask), &mut |name, kind, bytes| {
        scan.belonging(name, kind, bytes);
    })?;
    let shows = |kind| matches!(kind, Kind::Picture | Kind::Film | Kind::Foreign(_));
    walker.visit(paths, &shows, &mut |name, kind, bytes| scan.file(&name, kind, &bytes))?;
    scan.finish()
}

type Named = (String, Vec<u8>);

struct Scan<'a, E> {
    options: &'a Options,
    captions: &'a Captions,
    see: &'a mut dyn FnMut(Photo) -> Result<(), E>,
    failed: Option<E>,
    found: Found,
    /// By the stem of the picture.
    prompts: HashMap<String, Named>,
    /// By the stem of the picture.
    masks: BTreeMap<String, Named>,
    /// Stems of pictures.
    paired: HashSet<String>,
    /// Names of pictures by their digest.
    seen: HashMap<[u8; 32], String>,
    /// Folders whose name says how often their pictures count.
    folders: BTreeMap<String, usize>,
    looked_at: usize,
}

impl<'a, E: From<Error>> Scan<'a, E> {
    fn new(options: &'a Options, captions: &'a Captions, see: &'a mut dyn FnMut(Photo) -> Result<(), E>) -> Self {
        Self {
            options,
            captions,
            see,
            failed: None,
            found: Found::default(),
            prompts: HashMap::new(),
            masks: BTreeMap::new(),
            paired: HashSet::new(),
            seen: HashMap::new(),
            folders: BTreeMap::new(),
            looked_at: 0,
        }
    }

    fn belonging(&mut self, name: String, kind: Kind, bytes: Vec<u8>) {
        if kind == Kind::Mask {
            self.masks.insert(walk::mask_stem(&name).to_owned(), (name, bytes));
            return;
        }
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
        if extension == "txt" || !self.prompts.contains_key(stem) {
            self.prompts.insert(stem.to_owned(), (name.clone(), bytes));
        }
    }

    fn file(&mut self, name: &str, kind: Kind, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.looked_at += 1;
        self.paired.insert(stem_of(name).to_owned());
        let options = self.options;
        let mut notes = Vec::new();
        let read = match kind {
            Kind::Foreign(reason) => Err(reason.to_owned()),
            Kind::Film => film::frames(name, bytes, options, &mut notes, &mut |number, frame| {
                self.picture(name, Some(number), frame);
            }),
            _ => animation::pictures(bytes, options, &mut notes, &mut |number, picture| {
                self.picture(name, number, picture);
            }),
        };
        self.found.notes.extend(notes.into_iter().map(|note| format!("{name}: {note}")));
        if let Err(reason) = read {
            self.found.skipped.push(Skipped { name: name.to_owned(), reason });
        }
    }

    /// A picture of a file, or one of several.
    fn picture(&mut self, file: &str, number: Option<usize>, Decoded { image, transparent }: Decoded) {
        if self.failed.is_some() {
            return;
        }
        let name = number.map_or_else(|| file.to_owned(), |number| format!("{file}#{number:02}"));
        let digest = digest_of(image.dimensions(), image.as_raw());
        if let Some(first) = self.seen.get(&digest) {
            return self.found.notes.push(format!("{name} shows the same as {first} and is left out"));
        }
        self.seen.insert(digest, name.clone());
        // Its copies are not wanted either.
        if self.options.left_out.contains(&name) {
            return;
        }
        let stem = stem_of(file);
        let caption = match self.captions.get(&name) {
            Some(given) => given.clone(),
            None => self.prompt_beside(stem),
        };
        let mask = self.mask_beside(stem).or_else(|| self.mask_made(&name));
        let repeats = walk::repeats(&name);
        if repeats > 1 {
            self.folders.insert(walk::folder_of(&name).to_owned(), repeats);
        }
        self.found.fingerprints.push(fingerprint(&digest, mask.as_ref(), caption.as_deref(), repeats));
        let original = image.dimensions();
        let (image, mask, crop) = match self.options.resolution {
            0 => (image, mask, (0, 0)),
            _ => {
                let focus = self.options.focuses.get(&name).copied();
                let geometry = fit::Geometry::new(original, self.options, focus);
                (geometry.picture(&image), mask.map(|mask| geometry.mask(&mask)), geometry.crop)
            }
        };
        let photo = Photo { image, mask, transparent, caption, repeats, original, crop, digest, name };
        self.failed = (self.see)(photo).err();
    }

    fn prompt_beside(&mut self, stem: &str) -> Option<String> {
        let (file, bytes) = self.prompts.get(stem)?;
        match prompt::decode(bytes) {
            Ok(text) => text,
            Err(reason) => {
                self.found.notes.push(format!("{file}: {reason}"));
                None
            }
        }
    }

    fn mask_beside(&mut self, stem: &str) -> Option<GrayImage> {
        let (file, bytes) = self.masks.get(stem)?;
        let mask = decode::mask(bytes, &self.options.limits);
        mask.map_err(|reason| self.found.notes.push(without_mask(file, &reason))).ok()
    }

    fn mask_made(&mut self, name: &str) -> Option<GrayImage> {
        let path = self.options.masks.get(name)?;
        let limits = &self.options.limits;
        let mask = read(path, limits.file_bytes).and_then(|bytes| decode::mask(&bytes, limits));
        mask.map_err(|reason| self.found.notes.push(without_mask(&format!("mask of {name}"), &reason))).ok()
    }

    fn finish(self) -> Result<Found, E> {
        let Self { mut found, masks, paired, folders, looked_at, failed, .. } = self;
        if let Some(error) = failed {
            return Err(error);
        }
        let lonely = masks.into_iter().filter(|(stem, _)| !paired.contains(stem));
        found.notes.extend(lonely.map(|(_, (name, _))| format!("{name}: there is no picture for this mask")));
        let counts =
            |(folder, n)| format!("each picture in `{folder}` counts {n} times, as kohya's trainer reads such a name");
        found.notes.extend(folders.into_iter().map(counts));
        if found.fingerprints.is_empty() {
            return Err(Error::Empty { looked_at, skipped: found.skipped }.into());
        }
        Ok(found)
    }
}

fn stem_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn without_mask(file: &str, reason: &str) -> String {
    format!("{file}: {reason}; the picture is used without a mask")
}

/// One byte more than is allowed at most, so that decoding refuses it.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
