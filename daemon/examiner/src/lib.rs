//! What is wrong with a set of pictures, and where its subjects are: report, masks, crops.
//!
//! No model is used here. Whoever has one says what it sees ([`Seen`]); without, colours and edges must do. Each picture is
//! looked at once ([`Examiner::look`], on any thread), what is kept of it is small, and the report follows from that
//! ([`Examiner::report`]), the same in any order and on any number of threads.

mod blocks;
mod canvas;
mod edges;
mod faces;
mod light;
mod likeness;
mod looks;
mod masks;
mod picture;
mod record;
mod salience;
mod set;
mod sheet;
mod text;
mod tiles;
mod variety;

pub use faces::{FaceBox, main_face};
pub use masks::{Masked, face_mask, object_mask};
pub use record::PictureRecord;
pub use sheet::{Preview, sheets};
pub use text::in_words;

use dataset::{Crop, Photo};
use image::GrayImage;
use protocol::{DatasetReport, Finding, FindingCode, Mode, PictureMeasures};

/// What pictures are examined for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What they have in common.
    pub mode: Mode,
    /// Side of the training pictures, in pixels.
    pub resolution: u32,
    /// How pictures become that size.
    pub crop: Crop,
}

/// What models see in a picture; `None` where nobody looked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// Faces in pixels of the picture; an empty list says that there is none.
    pub faces: Option<&'a [FaceBox]>,
    /// The subject in white, of any size.
    pub mask: Option<&'a GrayImage>,
    /// Of the whole picture, of any length, the same for all.
    pub embedding: Option<&'a [f32]>,
    /// Tokens of its caption, in the text encoder that counts most, without start and end.
    pub caption_tokens: Option<usize>,
}

/// A word and the number of captions that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedWord {
    /// As it is written; neither the concept nor its class.
    pub word: String,
    /// Captions that it stands in.
    pub count: usize,
}

/// Looks at pictures and reports.
#[derive(Clone, Copy, Debug)]
pub struct Examiner {
    settings: Settings,
}

impl Examiner {
    /// For these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Looks at a picture as it is, read with a resolution of 0: neither cropped nor resized.
    pub fn look(&self, photo: &Photo, seen: &Seen) -> PictureRecord {
        PictureRecord::of(&self.settings, photo, seen)
    }

    /// The report of all pictures that were looked at, in any order. `words` are those that many captions share.
    pub fn report(&self, mut records: Vec<PictureRecord>, words: &[SharedWord]) -> DatasetReport {
        records.sort_by(|a, b| a.name.cmp(&b.name));
        let mut findings: Vec<Finding> =
            records.iter().flat_map(|record| picture::findings(&self.settings, record)).collect();
        findings.extend(set::findings(&self.settings, &records, words));
        // What matters most first; within a code by picture.
        findings.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then(a.code.cmp(&b.code)).then_with(|| a.pictures.cmp(&b.pictures))
        });
        let pictures = records.iter().map(|record| measures(record, &findings)).collect();
        DatasetReport {
            verdict: text::verdict(records.len(), &findings),
            mode: self.settings.mode,
            resolution: self.settings.resolution,
            findings,
            pictures,
        }
    }
}

fn measures(record: &PictureRecord, findings: &[Finding]) -> PictureMeasures {
    let about = |finding: &&Finding| finding.pictures.binary_search(&record.name).is_ok();
    let mut codes: Vec<FindingCode> = findings.iter().filter(about).map(|finding| finding.code).collect();
    codes.sort();
    codes.dedup();
    PictureMeasures {
        name: record.name.clone(),
        width: record.size.0,
        height: record.size.1,
        enlargement: rounded(record.enlargement),
        edge_width: record.trained_edge_width().map(rounded),
        jpeg_steps: rounded(record.jpeg_steps),
        brightness: rounded(record.light.mean),
        saturation: rounded(record.light.saturation),
        faces: record.faces.as_ref().map(|faces| faces.len() as u32),
        subject: record.focus().map(|sides| sides.map(rounded)),
        subject_source: record.subject.map(|subject| subject.source),
        crop: record.crop().map(rounded),
        findings: codes,
    }
}

/// To a thousandth: more digits would say nothing.
fn rounded(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}
