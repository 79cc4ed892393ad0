//! What conceptd, its workers and its clients say to each other. Types and their JSON schemas; no input or output.
//!
//! These types are the one source of names, defaults, ranges and help texts: the command line, the HTTP API, its OpenAPI
//! document, the Python client and the forms in ComfyUI and A1111 all follow from them.

mod choices;
mod concept;
mod creation;
mod dataset;
mod event;
mod examination;
mod host;
mod job;
mod model;
mod parameters;
mod plan;
mod preparation;
mod problem;
mod system;
mod timings;
mod watch;
mod worker;

pub use choices::{BaseBits, Crop, OptimizerName, Prediction, RecipeName, TargetsName};
pub use concept::{
    ConceptChange, ConceptPage, ConceptView, HostPrompts, PreviewRequest, PromoteRequest, Source, Trash, TrashedConcept,
};
pub use creation::{
    ApplyConcept, CreationPage, CreationRequest, CreationView, PromptRequest, PromptTarget, PromptView,
};
pub use dataset::{
    Captions, DatasetChange, DatasetFromPath, DatasetPage, DatasetSummary, DatasetView, PictureChoice, PictureView,
    SkippedFile, Survey,
};
pub use event::{Event, EventRecord, ScoreView, Scores, Stage};
pub use examination::{DatasetReport, Finding, FindingCode, PictureMeasures, Severity, SubjectSource};
pub use host::{
    Conflict, FoundHost, FoundHosts, HostCheck, HostKind, HostRequest, HostView, Hosts, InstallRequest, InstallState,
    InstallView, Installs, UninstallRequest,
};
pub use job::{
    Courtesy, JobFailure, JobPage, JobState, JobView, LossCurve, LossPoint, PriorityChange, SampleView, Samples,
    SnapshotView, Snapshots,
};
pub use model::{BaseFamily, ModelPage, ModelView};
pub use parameters::{Mode, Parameters, Steps};
pub use plan::{PlanView, ResolvedParameter, TrainRequest, Warning, WarningCode};
pub use preparation::{
    CaptionOrigin, CaptionRequest, CaptionView, CaptionViews, Described, EndpointTask, ExamineRequest, Eyes, MaskName,
    PrepareTask, Prepared, SharedPhrase, VisionModel, VisionModels,
};
pub use problem::{ErrorCode, Problem};
pub use system::{
    Check, DoctorView, Health, Limits, LoginLink, LoginRequest, LoginView, SettingOrigin, SettingView, Settings,
    SettingsChange, Verdict, VersionView,
};
pub use timings::{Part, PartTime, Timings};
pub use watch::{WatchRequest, WatchView, WatchedState, WatchedView, Watches};
pub use worker::{Command, CreateTask, Device, MemoryLevel, Report, Task, TrainTask};
