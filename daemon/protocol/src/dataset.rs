//! Sets of pictures as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A picture of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PictureView {
    /// Its path inside the folder or archive, with `/` on every system.
    pub name: String,
    /// In pixels, upright.
    pub width: u32,
    /// In pixels, upright.
    pub height: u32,
    /// Its prompt, as it will be learnt.
    pub caption: Option<String>,
    /// Whether it has a mask.
    pub mask: bool,
    /// How often it counts.
    pub repeats: usize,
    /// SHA-256 of its decoded pixels; names its thumbnail and its mask in routes.
    pub sha256: String,
    /// Whether it is learnt; a user may leave pictures out.
    #[serde(default = "used")]
    pub used: bool,
    /// Where a user wants the middle of its crop: across and down, from 0 to 1; null for where the crop finds it.
    #[serde(default)]
    pub focus: Option<[f32; 2]>,
}

fn used() -> bool {
    true
}

/// What a user decides about a picture; what is left out is as it was in the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PictureChoice {
    /// Whether it is learnt.
    #[serde(default = "used")]
    pub used: bool,
    /// The middle of its crop: across and down, from 0 to 1; null for where the crop finds it.
    #[serde(default)]
    #[schemars(inner(range(min = 0, max = 1)))]
    pub focus: Option<[f32; 2]>,
}

/// Decides about pictures; those that are not named stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetChange {
    /// By picture.
    pub pictures: BTreeMap<String, PictureChoice>,
}

/// A file that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedFile {
    /// Which.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// What was found among given files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Survey {
    /// Sorted by name.
    pub pictures: Vec<PictureView>,
    /// Files that look like pictures but are not used.
    pub skipped: Vec<SkippedFile>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetView {
    /// Names it in routes.
    pub id: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// Pictures that a captioning or an examination has looked at so far; null while none goes on.
    pub looked_at: Option<u64>,
    /// What it holds.
    #[serde(flatten)]
    pub survey: Survey,
}

/// A data set in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetSummary {
    /// Names it in routes.
    pub id: String,
    /// Usable pictures.
    pub pictures: u64,
    /// SHA-256 of its first picture, which names its thumbnail.
    pub cover: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

/// A page of data sets, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatasetPage {
    /// The data sets.
    pub items: Vec<DatasetSummary>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}

/// Makes a data set of files on this machine; they are copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetFromPath {
    /// A folder, an archive or a picture below one of the allowed roots.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["/home/ann/pictures/xander"]))]
    pub path: String,
}

/// Prompts of pictures. `<concept>`, `<Name>` and the bare name in them are the concept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Captions {
    /// By picture; null for none. Setting them changes those that are named and leaves the others.
    pub captions: BTreeMap<String, Option<String>>,
}
