//! Pictures and prompts from whatever a user has: folders, archives, single files, any encoding, any orientation.

mod decode;
mod fit;
mod prompt;
mod walk;

pub use prompt::bind_concept;

use image::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    path::PathBuf,
};
use walk::{Kind, Walker};

/// How pictures are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Side of the target square.
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
    /// SHA-256 of the mask as it was given; zeros for none.
    pub mask_digest: [u8; 32],
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

/// Everything that was found.
pub struct Dataset {
    /// Sorted by name.
    pub photos: Vec<Photo>,
    /// Files that look like pictures but are not used.
    pub skipped: Vec<Skipped>,
    /// What the user should know.
    pub notes: Vec<String>,
}

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

/// Reads everything below `paths`.
///
/// # Errors
/// If a path cannot be read, an archive is damaged or beyond a limit, or nothing usable is found. Single pictures that
/// cannot be used are skipped, with a reason.
pub fn load(paths: &[PathBuf], options: &Options) -> Result<Dataset, Error> {
    let mut walker = Walker::new(&options.limits);
    // First what belongs to pictures, then the pictures, one at a time.
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
    let mut dataset = Dataset { photos: Vec::new(), skipped: Vec::new(), notes: Vec::new() };
    let mut seen: HashMap<[u8; 32], String> = HashMap::new();
    let (mut paired, mut folders) = (HashSet::new(), BTreeMap::new());
    let mut looked_at = 0;
    walker.visit(paths, &|kind| matches!(kind, Kind::Picture | Kind::Foreign(_)), &mut |name, kind, bytes| {
        looked_at += 1;
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        paired.insert(stem.clone());
        let photo = match kind {
            Kind::Foreign(reason) => Err(reason.to_owned()),
            _ => decode::picture(&bytes, &options.limits, &mut |note| dataset.notes.push(format!("{name}: {note}"))),
        };
        let picture = match photo {
            Ok(picture) => picture,
            Err(reason) => return dataset.skipped.push(Skipped { name, reason }),
        };
        let digest = digest_of(picture.dimensions(), picture.as_raw());
        if let Some(first) = seen.get(&digest) {
            return dataset.notes.push(format!("{name} shows the same as {first} and is left out"));
        }
        seen.insert(digest, name.clone());
        let caption = prompts.get(&stem).and_then(|(file, bytes)| match prompt::decode(bytes) {
            Ok(text) => text,
            Err(reason) => {
                dataset.notes.push(format!("{file}: {reason}"));
                None
            }
        });
        let geometry = fit::Geometry::new(picture.dimensions(), options);
        let mut mask_digest = [0; 32];
        let mask = masks.get(&stem).and_then(|(file, bytes)| match decode::mask(bytes, &options.limits) {
            Ok(mask) => {
                mask_digest = digest_of(mask.dimensions(), mask.as_raw());
                Some(geometry.mask(&mask))
            }
            Err(reason) => {
                dataset.notes.push(format!("{file}: {reason}; the picture is used without a mask"));
                None
            }
        });
        let repeats = walk::repeats(&name);
        if repeats > 1 {
            folders.insert(walk::folder_of(&name).to_owned(), repeats);
        }
        dataset.photos.push(Photo {
            image: geometry.picture(&picture),
            mask,
            mask_digest,
            caption,
            repeats,
            original: picture.dimensions(),
            crop: geometry.crop,
            digest,
            name,
        });
    })?;
    let lonely = masks.into_iter().filter(|(stem, _)| !paired.contains(stem));
    dataset.notes.extend(lonely.map(|(_, (name, _))| format!("{name}: there is no picture for this mask")));
    let counts =
        |(folder, n)| format!("each picture in `{folder}` counts {n} times, as kohya's trainer reads such a name");
    dataset.notes.extend(folders.into_iter().map(counts));
    if dataset.photos.is_empty() {
        return Err(Error::Empty { looked_at, skipped: dataset.skipped });
    }
    dataset.photos.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(dataset)
}

/// SHA-256 of a picture's size and pixels.
fn digest_of((width, height): (u32, u32), pixels: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(width.to_le_bytes());
    hasher.update(height.to_le_bytes());
    hasher.update(pixels);
    hasher.finalize().into()
}

impl Dataset {
    /// SHA-256 of what is learnt from: pictures, masks, prompts, repeats; not of the names of files and archives.
    pub fn digest(&self) -> [u8; 32] {
        let mut photos: Vec<&Photo> = self.photos.iter().collect();
        photos.sort_by_key(|photo| photo.digest);
        let mut hasher = Sha256::new();
        for photo in photos {
            hasher.update(photo.digest);
            hasher.update(photo.mask_digest);
            let caption = photo.caption.as_deref().unwrap_or_default();
            hasher.update((caption.len() as u64).to_le_bytes());
            hasher.update(caption);
            hasher.update((photo.repeats as u64).to_le_bytes());
        }
        hasher.finalize().into()
    }
}
