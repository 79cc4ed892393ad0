//! What a training would do, before it does it.

use crate::{CaptionView, Courtesy, Finding, Mode, Parameters, Prediction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Asks for a training; the same for a plan and a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainRequest {
    /// The data set to learn.
    #[schemars(length(min = 1, max = 64))]
    pub dataset: String,
    /// What the concept is called, and called by in prompts. Names need not be unique.
    #[schemars(length(min = 1, max = 100), extend("examples" = ["Xander"]))]
    pub name: String,
    /// What the pictures have in common. May be left out with `recipe_from`.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// A checkpoint: its name or its path, as `/v1/models` lists them.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["sd_xl_base_1.0"]))]
    pub base: String,
    /// A VAE file to use in place of the base's own; below a configured model folder.
    #[serde(default)]
    #[schemars(length(max = 4096))]
    pub vae: Option<String>,
    /// What the base predicts, where detection is wrong.
    #[serde(default)]
    pub prediction: Option<Prediction>,
    /// Everything that has a default.
    #[serde(default)]
    pub parameters: Parameters,
    /// Begin with the weights of this concept.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub continue_from: Option<String>,
    /// Repeat the recipe of this concept; parameters given here still count.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub recipe_from: Option<String>,
    /// Larger goes first.
    #[serde(default)]
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i64,
    /// Hosts that the concept is installed into: their ids, or `all`.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub install: Vec<String>,
    /// How the card is shared with hosts that draw; left out, as the daemon is set.
    #[serde(default)]
    pub courtesy: Option<Courtesy>,
}

/// A parameter as it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResolvedParameter {
    /// Which.
    pub parameter: String,
    /// Its value.
    pub value: String,
    /// Where it comes from.
    pub why: String,
}

/// Names a warning for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// Files of the data set are not used.
    FilesSkipped,
    /// Fewer than four pictures.
    FewPictures,
    /// A picture is smaller than it will be trained at.
    SmallPictures,
    /// Some pictures have no prompt.
    CaptionsMissing,
    /// No concept of this base fits another.
    BaseNonstandard,
    /// The name is taken; this becomes a further version.
    NameTaken,
    /// The prediction of memory is beyond what the machine has; the run will use less, slower.
    MemoryShort,
    /// There may be too little room on the disk.
    DiskShort,
}

/// Something to know before training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// For programs.
    pub code: WarningCode,
    /// For people.
    pub text: String,
}

/// What a training would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// Name of the result's files, without `_lora` and `_embeddings`.
    pub stem: String,
    /// Pictures that are learnt.
    pub pictures: u64,
    /// Updates; null where a time budget decides at the start of the run.
    pub steps: Option<u64>,
    /// Every decision and why it was made.
    pub resolved: Vec<ResolvedParameter>,
    /// Bytes of memory at the peak.
    pub memory_bytes: u64,
    /// Bytes on disk for the run and its snapshots.
    pub disk_bytes: u64,
    /// Seconds of training; null until a job on this base and machine has shown how fast it is.
    pub seconds: Option<f64>,
    /// What to know beforehand.
    pub warnings: Vec<Warning>,
    /// What the last examination of the pictures found; empty without one.
    pub findings: Vec<Finding>,
    /// The captions that will be learnt and who wrote them.
    pub captions: Vec<CaptionView>,
    /// Exactly what submitting this would run.
    pub request: TrainRequest,
}
