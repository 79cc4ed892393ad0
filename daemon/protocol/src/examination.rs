//! What is wrong with a set of pictures: codes for programs, sentences for people.

use crate::Mode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names a finding for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// Too few pictures for the mode.
    FewPictures,
    /// More pictures than the mode has use for.
    ManyPictures,
    /// Nothing can be seen in it.
    Empty,
    /// What is trained of it has to be enlarged.
    BelowResolution,
    /// Large enough for this training, but shorter than 768 pixels.
    SmallPicture,
    /// Out of focus, shaken, or enlarged before.
    Blurred,
    /// Blocks of strong JPEG compression.
    JpegBlocks,
    /// So bright that parts are lost.
    Overexposed,
    /// So dark that parts are lost.
    Underexposed,
    /// Without colour.
    Grey,
    /// It had transparent parts.
    Transparent,
    /// So long or wide that much is cut off.
    ExtremeAspect,
    /// The crop cuts the subject off.
    SubjectOutsideCrop,
    /// Face mode, and no face was found.
    NoFace,
    /// Face mode, and several faces were found.
    SeveralFaces,
    /// Face mode, and the face is small.
    SmallFace,
    /// Pictures that show nearly the same.
    NearDuplicate,
    /// Background, light or pose are alike everywhere.
    LittleVariety,
    /// Style mode, and the pictures are of different styles.
    MixedStyles,
    /// A word that stands in every caption and is not the concept.
    WordInEveryCaption,
    /// Pictures without a caption.
    CaptionsMissing,
    /// A caption that is longer than a text encoder reads at once.
    CaptionTooLong,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing need be done.
    Info,
    /// The concept will be worse for it.
    Warning,
    /// The concept will hardly be usable; put it right before training.
    Serious,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// For programs.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// The pictures it is about, sorted by name; empty if it is about the whole set.
    pub pictures: Vec<String>,
    /// What was found, for people.
    pub message: String,
    /// What to do about it, for people.
    pub advice: String,
}

/// What says where a picture's subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectSource {
    /// A face, with hair and neck.
    Face,
    /// A mask: the user's, or a model's.
    Mask,
    /// Edges and colours that stand out.
    Salience,
}

/// What was measured of a picture. Boxes are left, top, right and bottom, from 0 to 1 of the picture's sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PictureMeasures {
    /// Its name in the data set.
    pub name: String,
    /// In pixels, upright.
    pub width: u32,
    /// In pixels, upright.
    pub height: u32,
    /// How much what is trained of it is enlarged; below 1 it is made smaller.
    pub enlargement: f32,
    /// Half the width of its sharp edges (standard deviation) in pixels of the training picture; null if there are none.
    pub edge_width: Option<f32>,
    /// Height of the steps between JPEG blocks in levels of 255.
    pub jpeg_steps: f32,
    /// Mean brightness, from 0 to 1.
    pub brightness: f32,
    /// Mean colourfulness, from 0 to 1.
    pub saturation: f32,
    /// Faces; null if nobody looked for any.
    pub faces: Option<u32>,
    /// Where its subject is; null if nothing stands out.
    pub subject: Option<[f32; 4]>,
    /// What says so.
    pub subject_source: Option<SubjectSource>,
    /// What is trained of it when it is cropped from the middle.
    pub crop: [f32; 4],
    /// What was found about it.
    pub findings: Vec<FindingCode>,
}

/// What is wrong with a set of pictures, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetReport {
    /// All in all, in a sentence or two.
    pub verdict: String,
    /// What the pictures were examined for.
    pub mode: Mode,
    /// Side of the training pictures they were examined for, in pixels.
    pub resolution: u32,
    /// What matters most comes first.
    pub findings: Vec<Finding>,
    /// Sorted by name.
    pub pictures: Vec<PictureMeasures>,
}
