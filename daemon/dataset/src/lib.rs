//! Pictures and prompts from whatever a user has: folders, archives, single files, any encoding, any orientation.

mod animation;
mod choice;
mod decode;
mod film;
mod fit;
mod letters;
mod names;
mod prompt;
mod scan;
mod walk;

pub use fit::{Window, crop_window, training_size};
pub use names::{Barred, Mention, Names, beginnings, folded, is_word};
pub use prompt::bind_concept;
pub use scan::scan;

use image::{GrayImage, RgbImage};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use walk::Kind;

/// How pictures are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Side of the target square; 0 leaves pictures as they are (for a look, not for training).
    pub resolution: usize,
    /// How pictures become that size.
    pub crop: Crop,
    /// What is refused.
    pub limits: Limits,
    /// How pictures are taken out of animations and films.
    pub frames: Frames,
    /// Where the subject is, by picture: left, top, right and bottom of a box, 0 to 1 of the picture's sides. The crop
    /// moves just so far that the box is inside; without an entry it is in the middle.
    pub focuses: BTreeMap<String, [f32; 4]>,
    /// Files of masks by picture, for pictures that have none beside them.
    pub masks: BTreeMap<String, PathBuf>,
    /// Pictures that are passed over.
    pub left_out: BTreeSet<String>,
}

impl Options {
    /// With default limits, crops from the middle, and only the masks that lie beside pictures.
    pub fn new(resolution: usize, crop: Crop) -> Self {
        Self {
            resolution,
            crop,
            limits: Limits::default(),
            frames: Frames::default(),
            focuses: BTreeMap::new(),
            masks: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }
}

/// How pictures are taken out of animations (GIF, animated WebP and PNG) and films.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Pictures of one file, at most.
    pub most: usize,
    /// The program that reads films: an absolute path, or a name that is looked for on the `PATH`.
    pub ffmpeg: PathBuf,
    /// How long it may work on one film.
    pub patience: Duration,
}

impl Default for Frames {
    fn default() -> Self {
        Self { most: 8, ffmpeg: "ffmpeg".into(), patience: Duration::from_secs(120) }
    }
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
    /// of several folders, behind the folder's own), with `/` on every system. Of several frames of one file,
    /// the file's with `#01` and so on.
    pub name: String,
    /// Upright, sRGB, transparency over white, cropped and resized.
    pub image: RgbImage,
    /// Of the same size.
    pub mask: Option<GrayImage>,
    /// Whether something of it was transparent, which is white now.
    pub transparent: bool,
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
    picture.map(|decoded| decoded.image).map_err(|reason| Error::Picture { name, reason })
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
