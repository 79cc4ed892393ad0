//! Captions that teach the concept and nothing else: words only, no pictures and no models.
//!
//! A training caption names the concept once, where an English speaker would name it, and says whatever else is in the
//! picture, so that only what it leaves unsaid goes into the concept. [`craft`] makes such a caption of what a
//! captioner, a tagger or a person wrote, and says what it changed and why.
//!
//! One convention: "a photo of" is left out in front of the concept, for it would be in every caption and say nothing;
//! any other kind of picture ("an oil painting of", "a close-up of", "a black and white photo of") is said, for it
//! should not be learnt as a part of a face or an object. Only where a caption says nothing else does the mode's bare
//! prompt stand for it.

mod clean;
mod craft;
mod description;
mod diff;
mod family;
mod fragment;
mod language;
mod length;
mod lexicon;
mod looks;
mod loops;
mod mention;
mod object;
mod person;
mod phrases;
mod style;
mod subject;
mod tags;
mod tidy;
mod words;

pub use craft::craft;
pub use description::{Description, Shared, description};
pub use diff::{Change, Kind};
pub use family::Family;
pub use length::{TooLong, too_long};

use serde::{Deserialize, Serialize};

/// What a concept is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A person.
    Face,
    /// A thing or an animal.
    Object,
    /// A way to make pictures.
    Style,
}

/// How a caption is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// In sentences, as Florence-2, BLIP and people write.
    Prose,
    /// As tags between commas, as WD14 taggers write.
    Tags,
}

impl Form {
    /// How a text seems to be written: in tags, if most of what stands between its commas is one or two words.
    pub fn of(text: &str) -> Self {
        let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        let short = parts.iter().filter(|part| part.split_whitespace().count() <= 2 && !part.contains('.')).count();
        if parts.len() >= 3 && short * 3 >= parts.len() * 2 { Self::Tags } else { Self::Prose }
    }
}

/// What else is known when a caption is crafted.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the object is: "cat", "teddy bear". Without it, an object is what its caption begins with, and
    /// a person there is told as in face mode.
    pub class_noun: Option<String>,
    /// Keeps words that say what the person or thing looks like; they are then learnt as words, not as the concept.
    pub keep_identity: bool,
    /// Further words to leave out, so that what they name becomes part of the concept.
    pub dropout: Vec<String>,
    /// The quality tags of this family are put in front. Not usual: they belong into prompts, see [`Family::quality`].
    pub quality_of: Option<Family>,
}

/// A caption for training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crafted {
    /// With one `<concept>`, unless its writer named the concept more often. Never empty.
    pub text: String,
    /// What was changed, in the order it was done.
    pub changes: Vec<Change>,
}

/// The prompt of a picture of which nothing is to be said.
pub fn bare(mode: Mode, form: Form) -> &'static str {
    match (mode, form) {
        (Mode::Face | Mode::Object, Form::Prose) => "a photo of <concept>",
        (Mode::Face | Mode::Object, Form::Tags) => "<concept>",
        (Mode::Style, Form::Prose) => "a picture in the style of <concept>",
        (Mode::Style, Form::Tags) => "in the style of <concept>",
    }
}
