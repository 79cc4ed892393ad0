//! Folders whose data sets train by themselves.

use crate::{Mode, Parameters};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Watches a folder: each folder, zip or tar in it becomes a concept once it has been quiet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchRequest {
    /// The folder.
    #[schemars(length(min = 1, max = 4096))]
    pub folder: String,
    /// What the pictures of a data set have in common, where its name and its `concept.toml` do not say.
    pub mode: Mode,
    /// A checkpoint: its name or its path, as `/v1/models` lists them.
    #[schemars(length(min = 1, max = 4096))]
    pub base: String,
    /// Hosts that the concepts are installed into: their ids, or `all`.
    #[serde(default)]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub install: Vec<String>,
    /// How long nothing in a data set may change before it trains.
    #[serde(default = "quiet_seconds")]
    #[schemars(range(min = 1, max = 86_400), extend("x-unit" = "seconds"))]
    pub quiet_seconds: u64,
    /// How often the folder is looked through, for network drives that say nothing of changes.
    #[serde(default = "rescan_seconds")]
    #[schemars(range(min = 1, max = 86_400), extend("x-unit" = "seconds"))]
    pub rescan_seconds: u64,
    /// Everything that has a default.
    #[serde(default)]
    pub parameters: Parameters,
}

fn quiet_seconds() -> u64 {
    10
}

fn rescan_seconds() -> u64 {
    300
}

/// How a data set of a watched folder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchedState {
    /// It still changes.
    Settling,
    /// Its job waits or runs.
    Training,
    /// Its concept is in the library.
    Done,
    /// It cannot be trained; the text says why.
    Failed,
}

/// A data set of a watched folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedView {
    /// Its path inside the watched folder, with `/` on every system.
    pub name: String,
    /// How it stands.
    pub state: WatchedState,
    /// The same for people, with what to do.
    pub text: String,
    /// The job that trains it or did.
    pub job: Option<String>,
}

/// A watched folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchView {
    /// Names it in routes.
    pub id: String,
    /// What was asked.
    #[serde(flatten)]
    pub request: WatchRequest,
    /// Why nothing is seen of it, such as a network drive that is away.
    pub problem: Option<String>,
    /// The data sets in it, by name.
    pub sets: Vec<WatchedView>,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

/// Every watched folder, in the order in which they were made known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Watches {
    /// The folders.
    pub items: Vec<WatchView>,
}
