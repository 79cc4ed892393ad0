//! What a captioner is: one verb, over a picture in memory.

use image::RgbImage;

use crate::error::Result;

/// Describes one picture. `None` means "nothing to say of it, ask the next one".
pub trait Captioner: Send {
    /// What is to be seen in an upright picture.
    ///
    /// # Errors
    /// When the model fails, or the caller has asked it to stop.
    fn caption(&mut self, picture: &RgbImage) -> Result<Option<Caption>>;
}

/// What a captioner says of a picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Caption {
    /// The caption: a sentence, or tags with commas between them.
    pub text: String,
    /// The tags behind it, of captioners that give tags; the best first.
    pub tags: Vec<Tag>,
}

/// One tag of a tagger's list.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// Its name in the list, with underscores.
    pub name: String,
    /// How probable the model takes it to be, 0 to 1.
    pub score: f32,
    /// What it says something of.
    pub kind: TagKind,
}

/// What a tag says something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// How safe the picture is to show; one of four.
    Rating,
    /// Anything that is to be seen.
    General,
    /// A character known by name.
    Character,
}
