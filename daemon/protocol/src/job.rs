//! Jobs as clients see them.

use crate::{ErrorCode, InstallView, Mode, Stage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// A worker is at it.
    Running,
    /// It was told to pause; its snapshot is on disk, its memory is free.
    Paused,
    /// Its worker is being ended.
    Cancelling,
    /// Its concept is in the library.
    Done,
    /// It cannot go on.
    Failed,
    /// It was ended on demand.
    Cancelled,
    /// The daemon stopped while it ran; it goes on when the daemon is back.
    Interrupted,
}

impl JobState {
    /// Whether nothing will happen to it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobFailure {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what happened and what to do.
    pub reason: String,
}

/// How the graphics card is shared with hosts that draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Courtesy {
    /// Hosts come first: training begins when they are idle, and gives the card back while they draw.
    #[default]
    Polite,
    /// Both at once; hosts are asked for nothing.
    Share,
    /// Training begins when hosts are idle and have let go of their models, and then keeps the card.
    Exclusive,
}

/// A training job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// Names it in routes.
    pub id: String,
    /// What the concept is called.
    pub name: String,
    /// Name of its files, without `_lora` and `_embeddings`; a second concept of a name gets `-v2`.
    pub stem: String,
    /// What the pictures have in common.
    pub mode: Mode,
    /// Where it stands.
    pub state: JobState,
    /// What the worker is at.
    pub stage: Option<Stage>,
    /// Updates made.
    pub step: u64,
    /// Updates of the run; 0 until that is known.
    pub steps: u64,
    /// Loss of the last update.
    pub loss: Option<f64>,
    /// Held-out error of the last snapshot.
    pub held_out: Option<f64>,
    /// Seconds of an update, smoothed.
    pub seconds_per_step: Option<f64>,
    /// Seconds until training is over.
    pub eta_seconds: Option<f64>,
    /// Larger goes first.
    pub priority: i64,
    /// Jobs before it in the queue.
    pub ahead: Option<u64>,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// What it learns from.
    pub dataset: String,
    /// The base's name.
    pub base: String,
    /// The concept that it became.
    pub concept: Option<String>,
    /// Where that is installed.
    pub installs: Vec<InstallView>,
    /// The host that it waits for.
    pub waits_for: Option<String>,
    /// How often a worker was started for it.
    pub attempts: u64,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// Milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// Milliseconds since 1970.
    pub finished_at_ms: Option<i64>,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPage {
    /// The jobs.
    pub items: Vec<JobView>,
    /// Give this as `after` for the next page.
    pub next: Option<String>,
}

/// Moves a job in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityChange {
    /// Larger goes first; 0 is usual.
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: i64,
    /// Put it directly before this queued job of the same priority.
    #[serde(default)]
    pub before: Option<String>,
}

/// Loss of an update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LossPoint {
    /// Which update.
    pub step: u64,
    /// Its loss, or the held-out error behind it.
    pub value: f64,
}

/// The curves of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LossCurve {
    /// Loss of each update.
    pub training: Vec<LossPoint>,
    /// Held-out error of each snapshot.
    pub held_out: Vec<LossPoint>,
}

/// A snapshot of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotView {
    /// Its step.
    pub step: u64,
    /// Error on held-out pictures or noise.
    pub held_out: Option<f64>,
}

/// The snapshots of a job that can be drawn with and promoted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshots {
    /// In order of steps.
    pub items: Vec<SnapshotView>,
    /// What models saw in pictures drawn with the last of them; null where none judged.
    pub scores: Option<crate::Scores>,
}

/// A sample picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampleView {
    /// After which update it was drawn.
    pub step: u64,
    /// Where it can be fetched.
    pub url: String,
}

/// The sample pictures of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Samples {
    /// In order of steps.
    pub items: Vec<SampleView>,
}
