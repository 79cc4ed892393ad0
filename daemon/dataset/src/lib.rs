//! Pictures and prompts from whatever a user has: folders, archives, single files, any encoding, any orientation.

mod decode;
mod fit;
mod letters;
mod names;
mod prompt;
mod walk;

pub use names::{Barred, Mention, Names, beginnings, folded, is_word};
pub use prompt::bind_concept;

use image::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::{Path, PathBuf},
};
use walk::{Kind, Walker};

/// How pictures are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Side of the target square; 0 leaves pictures as they are (for a look, not for training).
    pub resolution: usize,
    /// How pictures become that size.
    pub crop: Crop,
    /// What is refused.
    pub limits: Limits,
}

/// How a picture becomes a training picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crop {
    /// A square from the middle.
    Center,
    /// Its own proportions, at the area of the square.
    Bucket,
}

/// Sizes above which input is refused before it is decoded.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Of one picture.
    pub pixels: u64,
    /// Files, in archives and folders together.
    pub entries: usize,
    /// Of one file or archive member, unpacked.
    pub file_bytes: u64,
    /// Of everything that is unpacked.
    pub total_bytes: u64,
    /// Archives within archives.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pixels: 100_000_000, entries: 5000, file_bytes: 256 << 20, total_bytes: 8 << 30, depth: 3 }
    }
}

/// A picture ready for training.
#[derive(Clone)]
pub struct Photo {
    /// For messages, and different for each: its path inside the folder or archive (archives within count as folders;
    /// of several folders, behind the folder's own), with `/` on every system.
    pub name: String,
    /// Upright, sRGB, transparency over white, cropped and resized.
    pub image: RgbImage,
    /// Of the same size.
    pub mask: Option<GrayImage>,
    /// Its prompt as the user wrote it, white space collapsed.
    pub caption: Option<String>,
    /// How often it counts: 10 in kohya's `10_name class` folders.
    pub repeats: usize,
    /// Width and height before resizing.
    pub original: (u32, u32),
    /// Left and top of the crop in pixels of the resized picture.
    pub crop: (u32, u32),
    /// SHA-256 of its decoded pixels before cropping.
    pub digest: [u8; 32],
}

/// Something that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which file.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// What was found beside the pictures themselves.
#[derive(Default)]
pub struct Found {
    /// Files that look like pictures but are not used.
    pub skipped: Vec<Skipped>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What decides the digest, of every picture.
    fingerprints: Vec<[u8; 32]>,
}

/// Prompts by picture, in place of those that lie beside them; `None` takes one away.
pub type Captions = BTreeMap<String, Option<String>>;

/// Input that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such path.
    #[error("{0}: there is no such file or folder")]
    NotFound(PathBuf),
    /// The system refuses to read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// Which file.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A picture cannot be used.
    #[error("{name}: {reason}")]
    Picture {
        /// Which picture.
        name: String,
        /// Why, and what to do.
        reason: String,
    },
    /// An archive is damaged.
    #[error("{name} is damaged: {what}. Pack it again")]
    Archive {
        /// Which archive.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// An archive wants a password.
    #[error("{0} is locked by a password. Unpack it yourself and give the folder with the pictures")]
    Locked(String),
    /// Input goes beyond a limit.
    #[error("{name}: {what}")]
    Limit {
        /// Which file.
        name: String,
        /// Which limit, and what to do.
        what: String,
    },
    /// Nothing usable was found.
    #[error("no usable picture among {looked_at} files{}", reasons(skipped))]
    Empty {
        /// Files that were looked at.
        looked_at: usize,
        /// What was skipped.
        skipped: Vec<Skipped>,
    },
}

fn reasons(skipped: &[Skipped]) -> String {
    let first: Vec<String> = skipped.iter().take(5).map(|s| format!("{}: {}", s.name, s.reason)).collect();
    if first.is_empty() {
        "; give jpg, png, webp, bmp or tiff pictures".into()
    } else {
        format!(" ({})", first.join("; "))
    }
}

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
    // First what belongs to pictures, then the pictures.
    let (mut prompts, mut masks) = (HashMap::new(), BTreeMap::new());
    walker.visit(paths, &|kind| matches!(kind, Kind::Prompt | Kind::Mask), &mut |name, kind, bytes| match kind {
        Kind::Prompt => {
            let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
            if extension == "txt" || !prompts.contains_key(stem) {
                prompts.insert(stem.to_owned(), (name.clone(), bytes));
            }
        }
        _ => drop(masks.insert(walk::mask_stem(&name).to_owned(), (name, bytes))),
    })?;
    let mut found = Found::default();
    let mut seen: HashMap<[u8; 32], String> = HashMap::new();
    let (mut paired, mut folders) = (HashSet::new(), BTreeMap::new());
    let (mut looked_at, mut failed) = (0, None);
    walker.visit(paths, &|kind| matches!(kind, Kind::Picture | Kind::Foreign(_)), &mut |name, kind, bytes| {
        if failed.is_some() {
            return;
        }
        looked_at += 1;
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        paired.insert(stem.clone());
        let picture = match kind {
            Kind::Foreign(reason) => Err(reason.to_owned()),
            _ => decode::picture(&bytes, &options.limits, &mut |note| found.notes.push(format!("{name}: {note}"))),
        };
        let picture = match picture {
            Ok(picture) => picture,
            Err(reason) => return found.skipped.push(Skipped { name, reason }),
        };
        let digest = digest_of(picture.dimensions(), picture.as_raw());
        if let Some(first) = seen.get(&digest) {
            return found.notes.push(format!("{name} shows the same as {first} and is left out"));
        }
        seen.insert(digest, name.clone());
        let beside = || {
            prompts.get(&stem).and_then(|(file, bytes)| match prompt::decode(bytes) {
                Ok(text) => text,
                Err(reason) => {
                    found.notes.push(format!("{file}: {reason}"));
                    None
                }
            })
        };
        let caption = captions.get(&name).cloned().unwrap_or_else(beside);
        let mask = masks.get(&stem).and_then(|(file, bytes)| match decode::mask(bytes, &options.limits) {
            Ok(mask) => Some(mask),
            Err(reason) => {
                found.notes.push(format!("{file}: {reason}; the picture is used without a mask"));
                None
            }
        });
        let repeats = walk::repeats(&name);
        if repeats > 1 {
            folders.insert(walk::folder_of(&name).to_owned(), repeats);
        }
        found.fingerprints.push(fingerprint(&digest, mask.as_ref(), caption.as_deref(), repeats));
        let original = picture.dimensions();
        let (image, mask, crop) = match options.resolution {
            0 => (picture, mask, (0, 0)),
            _ => {
                let geometry = fit::Geometry::new(original, options);
                (geometry.picture(&picture), mask.map(|mask| geometry.mask(&mask)), geometry.crop)
            }
        };
        let photo = Photo { image, mask, caption, repeats, original, crop, digest, name };
        failed = see(photo).err();
    })?;
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

/// Whether a data set looks at files of this name: pictures, prompts, masks, archives, and what it names when it skips it.
pub fn concerns(name: &str) -> bool {
    Kind::of(name) != Kind::Other
}

/// Reads one picture as data sets are read: upright, sRGB, over white, within the limits.
///
/// # Errors
/// If it cannot be read; the message says why, and what to do.
pub fn read_picture(path: &Path, limits: &Limits) -> Result<RgbImage, Error> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| Error::Read { name: name.clone(), source })?;
    let picture = decode::picture(&bytes, limits, &mut |_| {});
    picture.map_err(|reason| Error::Picture { name, reason })
}

/// SHA-256 of a picture's size and pixels.
fn digest_of((width, height): (u32, u32), pixels: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(width.to_le_bytes());
    hasher.update(height.to_le_bytes());
    hasher.update(pixels);
    hasher.finalize().into()
}

/// What is learnt from a picture, in short.
fn fingerprint(digest: &[u8; 32], mask: Option<&GrayImage>, caption: Option<&str>, repeats: usize) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(digest);
    hasher.update(mask.map_or([0; 32], |mask| digest_of(mask.dimensions(), mask.as_raw())));
    hasher.update(caption.unwrap_or_default());
    hasher.update((repeats as u64).to_le_bytes());
    hasher.finalize().into()
}

impl Found {
    /// SHA-256 of what is learnt from: pictures, masks, prompts, repeats; not of the names of files and archives, nor of
    /// how pictures are cropped.
    pub fn digest(&self) -> [u8; 32] {
        let mut fingerprints = self.fingerprints.clone();
        fingerprints.sort_unstable();
        Sha256::digest(fingerprints.concat()).into()
    }
}
