//! Concepts as clients see them.

use crate::{BaseFamily, InstallView, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a concept came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A job trained it.
    Trained,
    /// A bundle was imported.
    Imported,
}

/// The same prompt as each host wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostPrompts {
    /// For a text field of ComfyUI; the LoRA goes into a loader.
    pub comfyui: String,
    /// For A1111 and Forge.
    pub a1111: String,
}

/// A concept of the library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConceptView {
    /// Names it in routes.
    pub id: String,
    /// What it is called. Several may share a name; a prompt by name means the newest.
    pub name: String,
    /// Counts the concepts of this name, from 1.
    pub version: u64,
    /// Name of its files, without `_lora` and `_embeddings`.
    pub stem: String,
    /// What it is of.
    pub mode: Mode,
    /// How it came here.
    pub source: Source,
    /// The job that trained it.
    pub job: Option<String>,
    /// What it was trained on.
    pub family: BaseFamily,
    /// Digest of the base, where it is known.
    pub base_sha256: Option<String>,
    /// Whether the base had sizes of its own, so that no host can use this.
    pub base_nonstandard: bool,
    /// New tokens.
    pub tokens: u64,
    /// The step that is delivered.
    pub step: Option<u64>,
    /// What the curves said.
    pub verdict: Option<String>,
    /// Whether its bare name calls it in prompts for which no concept was chosen; `<Name>` always does.
    #[serde(default)]
    pub bare_name: bool,
    /// Where it is installed.
    #[serde(default)]
    pub installs: Vec<InstallView>,
    /// How to call it.
    pub prompts: HostPrompts,
    /// Whether `/preview` has a picture.
    pub preview: bool,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

/// A page of concepts, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConceptPage {
    /// The concepts.
    pub items: Vec<ConceptView>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}

/// Changes a concept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConceptChange {
    /// A new name. Its files keep theirs.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    pub name: Option<String>,
    /// Whether its bare name calls it in prompts for which no concept was chosen.
    #[serde(default)]
    pub bare_name: Option<bool>,
}

/// Makes a version of a concept out of another snapshot of the job that trained it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// The snapshot's step.
    #[schemars(range(min = 1))]
    pub step: u64,
}

/// Takes a created picture as the preview of a concept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The creation's id.
    #[schemars(length(min = 1, max = 64))]
    pub creation: String,
    /// Which of its pictures, from 0.
    #[serde(default)]
    pub picture: usize,
}

/// A concept in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrashedConcept {
    /// Names it in routes.
    pub id: String,
    /// What it was called.
    pub name: String,
    /// Name of its files.
    pub stem: String,
    /// What it is of.
    pub mode: Mode,
    /// Bytes on disk.
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub deleted_at_ms: i64,
}

/// The trash, what was deleted last first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trash {
    /// Its concepts.
    pub items: Vec<TrashedConcept>,
}
