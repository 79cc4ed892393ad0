//! What a run says while it goes on, and how it is told to stop.

use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A stage began.
    Stage {
        /// Its name.
        name: &'static str,
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
    /// A snapshot was measured and kept.
    Snapshot {
        /// Its step.
        step: u64,
        /// Error on held-out pictures or noise.
        held_out: f64,
    },
    /// The run is over.
    Done {
        /// The step that was delivered.
        step: u64,
        /// The bundle.
        bundle: String,
    },
}

/// Whoever watches a run.
pub trait Observer {
    /// Sees an event.
    fn see(&mut self, event: &Event);
    /// Whether the run should stop at the next step.
    fn stop(&self) -> bool;
}
