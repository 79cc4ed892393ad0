//! Checkpoints as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The families that can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BaseFamily {
    /// Stable Diffusion XL.
    Sdxl,
    /// Stable Diffusion 1.x.
    Sd15,
}

/// A file among the configured folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelView {
    /// Give this, or the path, as a base.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What it is; null if it cannot be used.
    pub family: Option<BaseFamily>,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// Whether its sizes are not those of the published model; concepts of such a base fit nothing else.
    pub nonstandard: bool,
    /// Its digest; null until it has been read in the background.
    pub sha256: Option<String>,
}

/// A page of checkpoints, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPage {
    /// The checkpoints.
    pub items: Vec<ModelView>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}
