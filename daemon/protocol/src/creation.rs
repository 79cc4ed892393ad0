//! Pictures made with concepts, and prompts for hosts.

use crate::{JobFailure, JobState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A concept at a strength.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyConcept {
    /// Its id, or its name for the newest of that name.
    #[schemars(length(min = 1, max = 100))]
    pub concept: String,
    /// Factor of its LoRA.
    #[serde(default = "one")]
    #[schemars(range(min = -4, max = 4))]
    pub strength: f64,
    /// This snapshot of the job that trained it, in place of the one that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub step: Option<u64>,
}

fn one() -> f64 {
    1.0
}

/// Asks for pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreationRequest {
    /// What to draw; concepts are called by their names.
    #[schemars(length(min = 1, max = 2000), extend("examples" = ["xander surfing"]))]
    pub prompt: String,
    /// The checkpoint to draw with; left out, that of the first concept.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    pub base: Option<String>,
    /// Concepts to apply.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub concepts: Vec<ApplyConcept>,
    /// What to keep away from.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub negative: String,
    /// In pixels; left out, what the concept or the base was made for.
    #[serde(default)]
    #[schemars(range(min = 64, max = 4096), extend("multipleOf" = 64, "x-unit" = "pixels"))]
    pub width: Option<usize>,
    /// In pixels.
    #[serde(default)]
    #[schemars(range(min = 64, max = 4096), extend("multipleOf" = 64, "x-unit" = "pixels"))]
    pub height: Option<usize>,
    /// Steps of the sampler.
    #[serde(default = "steps")]
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// Strength of guidance; 1 is none.
    #[serde(default = "cfg")]
    #[schemars(range(min = 0, max = 100))]
    pub cfg: f64,
    /// Of the first picture; each next one has the next.
    #[serde(default)]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
    /// How many pictures.
    #[serde(default = "count")]
    #[schemars(range(min = 1, max = 64))]
    pub count: usize,
    /// A picture to start from: a PNG, JPEG or WebP file in base64.
    #[serde(default)]
    pub init_image: Option<String>,
    /// How far to leave that picture.
    #[serde(default = "init_strength")]
    #[schemars(range(min = 0, max = 1))]
    pub init_strength: f64,
}

fn steps() -> usize {
    28
}

fn cfg() -> f64 {
    6.0
}

fn count() -> usize {
    1
}

fn init_strength() -> f64 {
    0.6
}

/// Pictures, made or to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CreationView {
    /// Names it in routes.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// What was asked; the init image is left out.
    pub request: CreationRequest,
    /// Where the pictures can be fetched.
    pub pictures: Vec<String>,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// Milliseconds since 1970.
    pub finished_at_ms: Option<i64>,
}

/// A page of creations, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CreationPage {
    /// The creations.
    pub items: Vec<CreationView>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}

/// Who will read a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PromptTarget {
    /// ComfyUI's text encoders; LoRAs go into loaders.
    Comfyui,
    /// A1111, Forge and their kin.
    A1111,
}

/// Asks for a prompt as a host wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptRequest {
    /// What a person typed: concepts by name, `<Name>` or `<concept>`.
    #[schemars(length(min = 1, max = 10_000))]
    pub text: String,
    /// Who will read it.
    pub host: PromptTarget,
    /// The concepts that were chosen; without any, those that the text calls by itself: by `<Name>`, or by a bare name
    /// that is distinctive.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub concepts: Vec<ApplyConcept>,
}

/// A prompt as a host wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromptView {
    /// The prompt.
    pub text: String,
    /// LoRA files that must be loaded beside it, with their strengths (empty where the prompt itself loads them).
    pub loras: Vec<ApplyConcept>,
    /// Ids of the concepts that the prompt calls.
    #[serde(default)]
    pub called: Vec<String>,
}
