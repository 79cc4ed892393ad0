//! What is done to pictures before they are learnt: captions, examination, masks.

use crate::{Limits, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Which part of a picture is learnt most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum MaskName {
    /// The face in face mode, the subject in object mode, where a model for it is installed; all of it in style mode.
    #[default]
    Auto,
    /// All of it.
    None,
    /// Face, hair and neck.
    Face,
    /// What stands out.
    Subject,
}

impl MaskName {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Face => "face",
            Self::Subject => "subject",
        }
    }
}

/// Asks for captions of the pictures that have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaptionRequest {
    /// What the pictures have in common; decides how the concept is put into words.
    pub mode: Mode,
    /// What the concept is called; captions that hold the name already mean it.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub name: String,
    /// Who looks at the pictures: `auto` for the best that is installed, or a model's id as `/v1/captioners` lists them.
    #[serde(default)]
    #[schemars(length(max = 200), extend("x-default" = "auto"))]
    pub captioner: Option<String>,
    /// What the object is, in a word, which the concept replaces.
    #[serde(default)]
    #[schemars(length(max = 100), extend("examples" = ["cat"]))]
    pub class_word: Option<String>,
    /// Also describe anew what a captioner described before. What a user wrote stays.
    #[serde(default)]
    pub again: bool,
    /// Let the configured server make what was described smoother; what it gets wrong stays as it was.
    #[serde(default)]
    pub rewrite: bool,
    /// Rather by tags than by sentences: drawn bases such as Pony and Illustrious were trained on tags.
    #[serde(default)]
    pub tags: bool,
    /// Words that captions leave out, so that what they name becomes part of the concept.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(min = 1, max = 100)), extend("examples" = [["green shirt"]]))]
    pub leave_out: Vec<String>,
    /// Only these pictures; none for all.
    #[serde(default)]
    #[schemars(length(max = 5000), inner(length(min = 1, max = 1000)))]
    pub pictures: Vec<String>,
}

/// Asks what is wrong with the pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExamineRequest {
    /// What the pictures have in common.
    pub mode: Mode,
    /// What the concept is called.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub name: String,
    /// Side of the training pictures.
    #[serde(default)]
    #[schemars(range(min = 64, max = 4096), extend("x-unit" = "pixels", "x-default" = 1024))]
    pub resolution: Option<usize>,
    /// Which part would be learnt most; shown in the sheet.
    #[serde(default)]
    pub mask: MaskName,
    /// How pictures would be cropped; shown in the sheet.
    #[serde(default)]
    pub crop: crate::Crop,
}

/// Who wrote a caption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptionOrigin {
    /// A user, by the API.
    Edited,
    /// It lay beside the picture.
    Beside,
    /// A captioner.
    Model,
    /// Nobody: the picture gets the prompt of the mode.
    Nobody,
}

/// A caption that a captioner wrote and the daemon put the concept into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    /// As it is learnt, with `<concept>` in it.
    pub text: String,
    /// As the captioner wrote it.
    pub raw: String,
    /// The captioner.
    pub by: String,
    /// What was changed, in words.
    pub changes: Vec<String>,
}

/// The caption of a picture and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptionView {
    /// Which picture.
    pub picture: String,
    /// Its caption; null for none.
    pub text: Option<String>,
    /// Who wrote it.
    pub origin: CaptionOrigin,
    /// What a captioner wrote, kept also where a user wrote something else.
    pub described: Option<Described>,
}

/// A word or two that nearly every caption has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SharedPhrase {
    /// In lower case.
    pub phrase: String,
    /// Captions that have it.
    pub count: usize,
    /// What that means for training, in words.
    pub meaning: String,
}

/// Captions and where they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptionViews {
    /// By picture.
    pub items: Vec<CaptionView>,
    /// What nearly all captions say, when they were last described.
    pub shared: Vec<SharedPhrase>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A model that looks at pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VisionModel {
    /// What it is asked for by.
    pub id: String,
    /// What it is good for: `captioner`, `tagger`, `faces`, `mask` and so on.
    pub purpose: String,
    /// Which contract it keeps: `florence2`, `wd14`, `yunet` and so on.
    pub form: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Why it cannot be used, and what to do; null if it can.
    pub problem: Option<String>,
}

/// Models that look at pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VisionModels {
    /// Every installed one.
    pub items: Vec<VisionModel>,
}

/// What a worker needs to look at pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eyes {
    /// The folder of installed models.
    pub models: PathBuf,
    /// Files and folders in which the library of ONNX Runtime may lie, the best first.
    pub onnxruntime: Vec<PathBuf>,
    /// An OpenAI-compatible endpoint that looks at pictures.
    pub endpoint: Option<EndpointTask>,
}

/// A server that describes pictures.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointTask {
    /// Up to `/v1`.
    pub url: String,
    /// The model that it is asked for.
    pub model: String,
    /// What it wants to be shown.
    pub key: Option<String>,
}

impl std::fmt::Debug for EndpointTask {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.model, self.url)
    }
}

/// Look at pictures before they are learnt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrepareTask {
    /// Folders, archives, pictures.
    pub pictures: Vec<PathBuf>,
    /// What is refused.
    pub limits: Limits,
    /// Pictures that are not looked at.
    pub left_out: BTreeSet<String>,
    /// Where a user says that the subjects are, before what models see: left, top, right and bottom as shares of the sides.
    pub focuses: BTreeMap<String, [f32; 4]>,
    /// Captions in place of those beside the pictures.
    pub captions: BTreeMap<String, Option<String>>,
    /// What to look with.
    pub eyes: Eyes,
    /// What the pictures have in common.
    pub mode: Mode,
    /// What the concept is called.
    pub name: String,
    /// What the object is, in a word.
    pub class_word: Option<String>,
    /// Words that captions leave out.
    pub leave_out: Vec<String>,
    /// Whether a tagger comes before a captioner.
    pub tags: bool,
    /// Who describes pictures that have no caption; none for nobody.
    pub captioner: Option<String>,
    /// Whether a server rewrites what was described.
    pub rewrite: bool,
    /// Side of the training pictures.
    pub resolution: usize,
    /// How they are cropped.
    pub crop: crate::Crop,
    /// Which part is learnt most.
    pub mask: MaskName,
    /// The folder that receives masks and the preview sheet.
    pub out: Option<PathBuf>,
}

impl PrepareTask {
    /// An examination of pictures that are still to be named, with every default.
    pub fn of(mode: Mode) -> Self {
        Self {
            pictures: Vec::new(),
            limits: Limits::default(),
            left_out: BTreeSet::new(),
            focuses: BTreeMap::new(),
            captions: BTreeMap::new(),
            eyes: Eyes::default(),
            mode,
            name: String::new(),
            class_word: None,
            leave_out: Vec::new(),
            tags: false,
            captioner: None,
            rewrite: false,
            // What XL was made for.
            resolution: 1024,
            crop: crate::Crop::default(),
            mask: MaskName::default(),
            out: None,
        }
    }
}

/// What came of looking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// What is wrong with the pictures; none if that was not asked.
    pub examined: Option<crate::DatasetReport>,
    /// Captions of pictures that had none.
    pub captions: BTreeMap<String, Described>,
    /// What nearly all captions say.
    pub shared: Vec<SharedPhrase>,
    /// Files with masks.
    pub masks: BTreeMap<String, PathBuf>,
    /// Where the subjects are: left, top, right and bottom as shares of the sides.
    pub focuses: BTreeMap<String, [f32; 4]>,
    /// What the user should know.
    pub notes: Vec<String>,
}
