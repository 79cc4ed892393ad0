//! What the daemon and its workers say to each other: one JSON value a line.

use crate::{BaseBits, Event, Eyes, JobFailure, Limits, Mode, Parameters, Prediction, PrepareTask, Prepared, Survey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// How hard a run saves memory. Each level gives up speed, and the last two precision, for room; each includes those
/// before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryLevel {
    /// As the sizes suggest.
    #[default]
    Usual,
    /// Blocks run again backward; the same numbers.
    Recompute,
    /// Also one picture at a time, accumulated; sums in another order.
    SinglePicture,
    /// Also the base in eight bits; weights are off by about 1 %.
    EightBits,
    /// Also the base in four bits; weights are off by about 9 %.
    FourBits,
}

impl MemoryLevel {
    /// All of them, the most comfortable first.
    pub const ALL: [Self; 5] = [Self::Usual, Self::Recompute, Self::SinglePicture, Self::EightBits, Self::FourBits];

    /// The next that needs less; where the base's bits were asked for, they stay.
    pub fn next(self, bits: Option<BaseBits>) -> Option<Self> {
        let next = Self::ALL.into_iter().find(|level| *level > self)?;
        (bits.is_none() || next <= Self::SinglePicture).then_some(next)
    }

    /// What is done about memory.
    pub fn words(self) -> &'static str {
        match self {
            Self::Usual => "with all that a step needs held in memory",
            Self::Recompute => "with less held in memory, which is slower and gives the same result",
            Self::SinglePicture => "with one picture at a time, accumulated to the same batch",
            Self::EightBits => "with the base in 8 bits and one picture at a time, which changes the result a little",
            Self::FourBits => "with the base in 4 bits and one picture at a time, which changes the result",
        }
    }
}

/// What pictures are learnt and drawn on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Device {
    /// The first GPU that can be used, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The first GPU; if it cannot be used, nothing is done.
    Cuda,
}

/// What a worker is started for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Look through files.
    Survey {
        /// Folders, archives, pictures.
        paths: Vec<PathBuf>,
        /// What is refused.
        limits: Limits,
        /// The folder that receives a small copy of each picture.
        thumbnails: Option<PathBuf>,
    },
    /// Look at pictures: captions, examination, masks.
    Prepare(Box<PrepareTask>),
    /// Train a concept.
    Train(Box<TrainTask>),
    /// Draw pictures, again and again, until standard input ends.
    Draw,
}

/// A training.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainTask {
    /// Folders, archives, pictures.
    pub pictures: Vec<PathBuf>,
    /// What is refused.
    pub limits: Limits,
    /// Pictures that are not learnt.
    pub left_out: BTreeSet<String>,
    /// Prompts in place of those beside the pictures.
    pub captions: BTreeMap<String, Option<String>>,
    /// Masks in place of none: files by picture.
    pub masks: BTreeMap<String, PathBuf>,
    /// Where the subjects are: left, top, right and bottom as shares of the sides, by picture.
    pub focuses: BTreeMap<String, [f32; 4]>,
    /// How many pictures have which finding of the examination; goes into the concept's description.
    pub findings: BTreeMap<String, u64>,
    /// What to look at the pictures with beforehand.
    pub eyes: Eyes,
    /// What the concept is called.
    pub name: String,
    /// Name of its files.
    pub stem: String,
    /// What the pictures have in common.
    pub mode: Mode,
    /// The checkpoint.
    pub base: PathBuf,
    /// In place of its VAE.
    pub vae: Option<PathBuf>,
    /// In place of what was detected.
    pub prediction: Option<Prediction>,
    /// What was asked.
    pub parameters: Parameters,
    /// A concept to begin with.
    pub continue_from: Option<PathBuf>,
    /// Where everything goes.
    pub out: PathBuf,
    /// What it is learnt on.
    pub device: Device,
    /// How hard to save memory.
    pub memory: MemoryLevel,
    /// Bytes of memory that the run may take: on the processor its plan must fit, and beyond it counts as spilling; 0 for
    /// no limit.
    pub memory_budget: u64,
    /// Threads; 0 for one each core.
    pub threads: usize,
}

/// Pictures to draw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateTask {
    /// The checkpoint.
    pub base: PathBuf,
    /// Bundles with their strengths.
    pub concepts: Vec<(PathBuf, String, f64)>,
    /// May name concepts.
    pub prompt: String,
    /// What to keep away from.
    pub negative: String,
    /// In pixels.
    pub width: Option<usize>,
    /// In pixels.
    pub height: Option<usize>,
    /// Steps of the sampler.
    pub steps: usize,
    /// Strength of guidance.
    pub cfg: f64,
    /// Of the first picture.
    pub seed: u64,
    /// How many.
    pub count: usize,
    /// A picture to start from and how far to leave it.
    pub init: Option<(PathBuf, f64)>,
    /// The folder that receives `1.png`, `2.png`, ...
    pub out: PathBuf,
    /// What they are drawn on.
    pub device: Device,
    /// Threads; 0 for one each core.
    pub threads: usize,
}

/// What a running worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Stop at the next step; the snapshot is written.
    Stop,
    /// Draw sample pictures at the next step.
    Sample,
    /// Draw these (a drawing worker).
    Draw(Box<CreateTask>),
}

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// It lives.
    Heartbeat,
    /// Something happened.
    Happened(Event),
    /// The task is done.
    Surveyed(Survey),
    /// So many pictures have been looked at.
    Looked {
        /// Pictures so far.
        done: u64,
    },
    /// The task is done.
    Prepared(Box<Prepared>),
    /// Pictures are drawn.
    Drawn {
        /// Their names in the folder.
        files: Vec<String>,
    },
    /// It stopped on demand behind this step.
    Stopped {
        /// Updates made.
        step: u64,
    },
    /// It cannot go on.
    Failed(JobFailure),
    /// It cannot be done here, with however little memory.
    Refused(JobFailure),
}
