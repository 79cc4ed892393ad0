//! What a job says while it goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Reading pictures.
    Pictures,
    /// Looking at them: captions, masks.
    Looking,
    /// Encoding them with the VAE.
    Latents,
    /// Loading the model.
    Model,
    /// Making updates.
    Training,
    /// Drawing pictures with the result.
    Drawing,
    /// Waiting while a host draws.
    Waiting,
}

/// A snapshot at a strength, by what models see in pictures that are drawn with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreView {
    /// The snapshot's step.
    pub step: u64,
    /// Strength of the LoRA.
    pub strength: f64,
    /// How much its pictures show the concept, from -1 to 1; null if that cannot be said.
    pub likeness: Option<f64>,
    /// How much they show what their prompts say, from -1 to 1; null if that cannot be said.
    pub obedience: Option<f64>,
    /// Both together, from the worst of the table, 0, to the best, 1.
    pub total: f64,
}

/// Which snapshot at which strength is the best, and the table behind it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scores {
    /// The best.
    pub best: Option<ScoreView>,
    /// All.
    pub rows: Vec<ScoreView>,
}

/// Something that happened in a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The job changed its state.
    State {
        /// Its new state.
        state: crate::JobState,
    },
    /// A stage began.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// Something that the user should know.
    Note {
        /// In words.
        text: String,
    },
    /// The horizon is known.
    Planned {
        /// Updates of the run.
        steps: u64,
        /// Pictures in an update.
        batch_size: usize,
        /// Pictures.
        pictures: usize,
        /// Updates that an earlier part of the run made.
        step: u64,
        /// How hard memory is saved.
        #[serde(default)]
        memory: crate::MemoryLevel,
    },
    /// An update was made.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Updates of the run.
        steps: u64,
        /// Its loss.
        loss: f64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// Everything that the next update depends on is on disk.
    Saved {
        /// Updates made.
        step: u64,
    },
    /// A snapshot was measured and kept; it can be installed.
    Snapshot {
        /// Its step.
        step: u64,
        /// Error on held-out pictures or noise.
        held_out: f64,
    },
    /// Sample pictures were drawn.
    Sample {
        /// After which update.
        step: u64,
        /// Name of the picture's file.
        file: String,
    },
    /// Pictures of the last snapshots were judged at several strengths.
    Scored {
        /// How.
        scores: Scores,
    },
    /// Where the time went; only where that was asked for.
    Timings {
        /// By part.
        timings: crate::Timings,
    },
    /// The run is over.
    Done {
        /// The step that was delivered.
        step: u64,
        /// The bundle.
        bundle: String,
    },
    /// It failed; nothing of what was saved is lost.
    Failed {
        /// Why.
        failure: crate::JobFailure,
    },
}

/// An event with its place in the history of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// Rises with every event; the `id` of a server-sent event.
    pub id: i64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
