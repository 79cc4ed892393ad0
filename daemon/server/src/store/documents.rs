//! The kinds of documents.

use crate::Result;
use protocol::{
    BaseFamily, ConceptView, CreateTask, CreationRequest, InstallView, JobFailure, JobState, MemoryLevel, Mode, Stage,
    TrainRequest,
};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Something with a table of its own.
pub trait Document: Serialize + DeserializeOwned {
    /// The table.
    const TABLE: &'static str;

    /// What it is found by.
    fn id(&self) -> &str;

    /// Brings further columns and tables up to date with the document.
    ///
    /// # Errors
    /// If the database refuses.
    fn index(&self, connection: &Connection) -> Result<()> {
        let _ = connection;
        Ok(())
    }
}

/// A concept; its files lie in the home folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Concept {
    /// What clients see.
    pub view: ConceptView,
    /// Whether a user said what its bare name does.
    #[serde(default)]
    pub bare_name_set: bool,
    /// Whether it is a further snapshot of a job that has another concept.
    #[serde(default)]
    pub promoted: bool,
}

impl Document for Concept {
    const TABLE: &'static str = "concepts";

    fn id(&self) -> &str {
        &self.view.id
    }

    fn index(&self, connection: &Connection) -> Result<()> {
        let view = &self.view;
        connection.execute(
            "UPDATE concepts SET name = ?2, stem = ?3, job = ?4 WHERE id = ?1",
            params![view.id, concept::folded(&view.name), view.stem, view.job.as_ref().filter(|_| !self.promoted)],
        )?;
        Ok(())
    }
}

/// How a worker is recognised: a number alone may belong to another process by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerIdentity {
    /// Its process.
    pub pid: u32,
    /// An argument that no other process has.
    pub identity: String,
}

/// What trainings and creations have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Where it stands.
    pub state: JobState,
    /// Larger goes first.
    pub priority: i64,
    /// Smaller goes first among equal priorities.
    pub place: f64,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// The process that is at it, or was when the daemon died.
    pub worker: Option<WorkerIdentity>,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// Milliseconds since 1970.
    pub started_at_ms: Option<i64>,
    /// Milliseconds since 1970.
    pub finished_at_ms: Option<i64>,
}

impl Work {
    fn index(&self, connection: &Connection, id: &str, kind: &str) -> Result<()> {
        if self.state.is_final() {
            connection.execute("DELETE FROM queue WHERE id = ?1", [id])?;
            return Ok(());
        }
        let state = serde_json::to_string(&self.state).map_err(crate::Error::bug)?;
        connection
            .prepare_cached(
                "INSERT INTO queue (id, kind, state, priority, place) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (id) DO UPDATE SET state = ?3, priority = ?4, place = ?5",
            )?
            .execute(params![id, kind, state.trim_matches('"'), self.priority, self.place])?;
        Ok(())
    }
}

/// How far a training is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Training {
    /// What its worker is at.
    pub stage: Option<Stage>,
    /// Updates made.
    pub step: u64,
    /// Updates of the run; 0 until that is known.
    pub steps: u64,
    /// Pictures in an update.
    pub batch_size: usize,
    /// Loss of the last update.
    pub loss: Option<f64>,
    /// Held-out error of the last snapshot.
    pub held_out: Option<f64>,
    /// Seconds of an update, smoothed.
    pub seconds_per_step: Option<f64>,
    /// Updates that are safe on disk.
    pub saved_step: u64,
    /// How often a worker was started.
    pub attempts: u64,
    /// Where the last worker died, and how often in a row without a newer snapshot.
    pub deaths: (u64, u64),
    /// How hard memory is saved.
    pub memory: MemoryLevel,
    /// The host that it waits for.
    #[serde(default)]
    pub waits_for: Option<String>,
}

/// A training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What it is found by.
    pub id: String,
    /// What was asked.
    pub request: TrainRequest,
    /// What the pictures have in common.
    pub mode: Mode,
    /// Name of the result's files.
    pub stem: String,
    /// The checkpoint's name.
    pub base_name: String,
    /// The checkpoint.
    pub base: PathBuf,
    /// The bundle to begin with.
    pub continue_from: Option<PathBuf>,
    /// Prompts as they were when it was submitted.
    pub captions: BTreeMap<String, Option<String>>,
    /// Pictures that were left out then.
    #[serde(default)]
    pub left_out: BTreeSet<String>,
    /// Where a user wanted the crops then.
    #[serde(default)]
    pub focuses: BTreeMap<String, [f32; 4]>,
    /// Its place in the queue and its state.
    pub work: Work,
    /// How far it is.
    pub training: Training,
    /// What it became.
    pub concept: Option<String>,
    /// What came of installing that.
    #[serde(default)]
    pub installs: Vec<InstallView>,
}

impl Document for Job {
    const TABLE: &'static str = "jobs";

    fn id(&self) -> &str {
        &self.id
    }

    fn index(&self, connection: &Connection) -> Result<()> {
        connection
            .prepare_cached("UPDATE jobs SET stem = ?2 WHERE id = ?1 AND stem IS NOT ?2")?
            .execute(params![self.id, self.stem])?;
        self.work.index(connection, &self.id, "train")
    }
}

/// Pictures, made or to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creation {
    /// What it is found by.
    pub id: String,
    /// What was asked, without the init image.
    pub request: CreationRequest,
    /// What the worker is told.
    pub task: CreateTask,
    /// Its place in the queue and its state.
    pub work: Work,
    /// Names of the pictures.
    pub files: Vec<String>,
}

impl Document for Creation {
    const TABLE: &'static str = "creations";

    fn id(&self) -> &str {
        &self.id
    }

    fn index(&self, connection: &Connection) -> Result<()> {
        self.work.index(connection, &self.id, "draw")
    }
}

/// What is known of a file among the model folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Its path.
    pub path: String,
    /// Its size when it was looked at.
    pub bytes: u64,
    /// When it was changed, in milliseconds since 1970.
    pub changed_ms: i64,
    /// What it is.
    pub family: Option<BaseFamily>,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// Whether its sizes are not the published model's.
    pub nonstandard: bool,
    /// Its digest, when it has been read.
    pub sha256: Option<String>,
}

impl Document for Checkpoint {
    const TABLE: &'static str = "checkpoints";

    fn id(&self) -> &str {
        &self.path
    }
}
