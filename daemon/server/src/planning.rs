//! From a request to a decided training, or to the field that keeps it from being one.

use crate::{
    App, Error,
    hosts::Host,
    installs, library, models, platform,
    store::{Checkpoint, Concept, DatasetRecord, Job, Training, Work},
};
use concept::{Bundle, FEWEST, Plan, Predicted};
use protocol::{ErrorCode, MemoryLevel, Mode, Parameters, PlanView, TrainRequest, Warning, WarningCode, WatchRequest};
use std::path::{Path, PathBuf};

/// Why a request cannot be carried out.
pub enum Refused {
    /// A field has a value that cannot be used.
    Field(&'static str, ErrorCode, String),
    /// A training parameter cannot be used.
    Parameter(concept::Error),
    /// The daemon failed.
    Daemon(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Daemon(error.into())
    }
}

/// A training that can be queued.
pub struct Decided {
    /// The request with everything that other concepts and defaults decide.
    pub request: TrainRequest,
    /// What the pictures have in common.
    pub mode: Mode,
    /// Every decision.
    pub plan: Plan,
    /// The checkpoint.
    pub base: Checkpoint,
    /// The data set.
    pub dataset: DatasetRecord,
    /// The bundle to begin with.
    pub continue_from: Option<PathBuf>,
    /// Name of the result's files before it is made unique.
    pub stem: String,
    predicted: Predicted,
}

/// Decides everything. Weights are not touched: the base's header says what it is.
///
/// # Errors
/// What keeps the request from being carried out.
pub fn decide(app: &App, mut request: TrainRequest) -> Result<Decided, Refused> {
    let field = |name, detail: String| Err(Refused::Field(name, ErrorCode::Invalid, detail));
    let stem = match concept::safe_name(&request.name) {
        Ok(stem) => stem,
        Err(error) => return field("name", error.to_string()),
    };
    let Some(dataset) = app.store.get::<DatasetRecord>(&request.dataset)? else {
        return Err(Refused::Field(
            "dataset",
            ErrorCode::NotFound,
            format!("there is no data set `{}`", request.dataset),
        ));
    };
    let pictures = dataset.used().len();
    if pictures < FEWEST {
        let detail = format!("the data set has {pictures} usable picture; a concept needs at least {FEWEST}");
        return Err(Refused::Field("dataset", ErrorCode::Dataset, detail));
    }
    if let Some(from) = request.recipe_from.take() {
        let bundle = bundle(app, "recipe_from", &from)?;
        let (parameters, mode) = concept::recipe_of(&bundle).or_else(|error| field_error("recipe_from", &error))?;
        request.parameters = request.parameters.over(parameters);
        request.mode = request.mode.or(Some(mode));
    }
    let Some(mode) = request.mode else {
        return field("mode", "say what the pictures have in common: face, object or style".into());
    };
    let base = base(app, &request.base)?;
    if let Some(vae) = &request.vae
        && !app.models.holds(Path::new(vae))
    {
        return field("vae", format!("`{vae}` is no file below the model folders ({})", app.models.folders()));
    }
    let vae = request.vae.as_deref().map(Path::new);
    let opened = concept::open_checkpoint(Path::new(&base.path), vae, request.prediction);
    let opened = opened.or_else(|error| field_error("base", &error))?;
    let architecture = opened.architecture();
    one_length(&request.parameters)?;
    let plan = Plan::resolve(&request.name, mode, architecture, pictures, &request.parameters);
    let plan = plan.map_err(Refused::Parameter)?;
    if let Err(error) = concept::check_token_init(&plan) {
        return field("parameters.token_init", error.to_string());
    }
    let continue_from = match &request.continue_from {
        None => None,
        Some(from) => {
            let bundle = bundle(app, "continue_from", from)?;
            let (theirs, ours) = (bundle.tokens(), plan.recipe.tokens);
            if theirs != ours {
                let detail = format!("the concept has {theirs} tokens, not {ours}; add `token_count`: {theirs}");
                return field("continue_from", detail);
            }
            Some(bundle_path(app, "continue_from", from)?)
        }
    };
    check_hosts(app, &request.install)?;
    let (room, on_card) = app.room();
    let predicted = concept::predicted(&plan, architecture, room, on_card);
    Ok(Decided { request, mode, plan, base, dataset, continue_from, stem, predicted })
}

fn one_length(parameters: &Parameters) -> Result<(), Refused> {
    if parameters.steps.is_some() && parameters.time_budget.is_some() {
        let detail = "give steps or a time budget, not both".into();
        return Err(Refused::Field("parameters.time_budget", ErrorCode::Invalid, detail));
    }
    Ok(())
}

/// Whether trainings of data sets to come could be decided so.
///
/// # Errors
/// What would keep each of them from being carried out.
pub fn check(app: &App, request: &WatchRequest) -> Result<(), Refused> {
    let WatchRequest { mode, base, parameters, install, .. } = request;
    check_hosts(app, install)?;
    let base = self::base(app, base)?;
    let opened = concept::open_checkpoint(Path::new(&base.path), None, None);
    let opened = opened.or_else(|error| field_error("base", &error))?;
    one_length(parameters)?;
    let plan = Plan::resolve("any", *mode, opened.architecture(), FEWEST, parameters).map_err(Refused::Parameter)?;
    concept::check_token_init(&plan).or_else(|error| field_error("parameters.token_init", &error))
}

/// Whether concepts can be installed where a request says.
fn check_hosts(app: &App, install: &[String]) -> Result<(), Refused> {
    for wanted in install.iter().filter(|wanted| *wanted != installs::ALL) {
        if app.store.get::<Host>(wanted)?.is_none() {
            let detail = format!("there is no host `{wanted}`; `conceptd hosts` lists them, and `all` means every one");
            return Err(Refused::Field("install", ErrorCode::NotFound, detail));
        }
    }
    Ok(())
}

fn field_error<T>(field: &'static str, error: &concept::Error) -> Result<T, Refused> {
    Err(Refused::Field(field, error.code(), error.to_string()))
}

/// The checkpoint that a request means.
///
/// # Errors
/// If there is none, or it cannot be trained.
pub fn base(app: &App, wanted: &str) -> Result<Checkpoint, Refused> {
    let Some(base) = app.models.find(&app.store, wanted)? else {
        let detail = format!(
            "there is no checkpoint `{wanted}` in the model folders ({}); put it there, or add its folder to `models` in config.toml",
            app.models.folders()
        );
        return Err(Refused::Field("base", ErrorCode::NotFound, detail));
    };
    match &base.problem {
        Some(problem) => Err(Refused::Field("base", ErrorCode::Base, problem.clone())),
        None => Ok(base),
    }
}

/// The concept that a request means by its id or its name.
///
/// # Errors
/// If there is none.
pub fn concept_of(app: &App, field: &'static str, wanted: &str) -> Result<Concept, Refused> {
    let found = match app.store.get::<Concept>(wanted)? {
        Some(concept) => Some(concept),
        None => app.store.concept_named(wanted)?,
    };
    found.ok_or_else(|| Refused::Field(field, ErrorCode::NotFound, format!("there is no concept `{wanted}`")))
}

fn bundle_path(app: &App, field: &'static str, wanted: &str) -> Result<PathBuf, Refused> {
    let concept = concept_of(app, field, wanted)?;
    library::bundle_of(&app.home, &concept.view)?
        .ok_or_else(|| Refused::Field(field, ErrorCode::NotFound, format!("the files of `{wanted}` are gone")))
}

fn bundle(app: &App, field: &'static str, wanted: &str) -> Result<Bundle, Refused> {
    Bundle::read(&bundle_path(app, field, wanted)?).or_else(|error| field_error(field, &error))
}

impl Decided {
    /// The job that carries this out, not yet in the queue.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn job(self) -> crate::Result<Job> {
        Ok(Job {
            id: crate::id("job")?,
            mode: self.mode,
            base_name: self.base_name(),
            base: self.base.path.into(),
            stem: self.stem,
            continue_from: self.continue_from,
            captions: self.dataset.overriding(),
            left_out: self.dataset.left_out(),
            focuses: self.dataset.focuses(),
            work: Work::queued(self.request.priority),
            request: self.request,
            training: Training::default(),
            concept: None,
            installs: Vec::new(),
        })
    }

    /// The plan as clients see it.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn view(self, app: &App) -> crate::Result<PlanView> {
        let (plan, skipped, pictures) = (&self.plan, &self.dataset.survey.skipped, self.dataset.used());
        let stem = app.store.free_stem(&self.stem)?;
        // A state holds values, gradients' moments and more; snapshots hold halves.
        let snapshots = plan.recipe.steps.div_ceil(plan.save_every);
        let Predicted { rung, trained } = &self.predicted;
        let disk_bytes = trained * 4 * 4 + snapshots * trained * 2 + (64 << 20);
        let mut warnings = Vec::new();
        let mut warn = |code, text: String| warnings.push(Warning { code, text });
        if !skipped.is_empty() {
            let names: Vec<&str> = skipped.iter().take(3).map(|skipped| skipped.name.as_str()).collect();
            warn(WarningCode::FilesSkipped, format!("{} files are not used: {} ...", skipped.len(), names.join(", ")));
        }
        if pictures.len() < 4 {
            warn(WarningCode::FewPictures, "fewer than four pictures: the concept will be little but them".into());
        }
        let small = pictures.iter().filter(|p| (p.width.min(p.height) as usize) < plan.resolution).count();
        if small > 0 {
            warn(
                WarningCode::SmallPictures,
                format!("{small} pictures are smaller than {0} x {0} and will be enlarged", plan.resolution),
            );
        }
        let bare = pictures.iter().filter(|picture| picture.caption.is_none()).count();
        if bare > 0 {
            warn(WarningCode::CaptionsMissing, format!("{bare} pictures have no prompt; they get that of the mode"));
        }
        if self.base.nonstandard {
            let text = "the base has sizes of its own: its concepts work with it alone, and in no host";
            warn(WarningCode::BaseNonstandard, text.into());
        }
        if stem != self.stem {
            warn(
                WarningCode::NameTaken,
                format!("there is such a concept already; this one's files are called {stem}"),
            );
        }
        let (room, on_card) = app.room();
        let (wanted, allowed, how) = (rung.peak >> 20, room >> 20, rung.level.words());
        let place = if on_card { " on the graphics card" } else { "" };
        if rung.peak > room {
            let text = format!("about {wanted} MiB are wanted even {how}; {allowed} MiB may be used{place}");
            warn(WarningCode::MemoryShort, text);
        } else if rung.level > MemoryLevel::Usual {
            let text = format!("{allowed} MiB may be used{place}, so it is trained {how}");
            warn(WarningCode::MemoryShort, text);
        }
        if platform::free_bytes(app.home.path()).is_some_and(|free| free < disk_bytes) {
            warn(WarningCode::DiskShort, format!("about {} MiB of disk are wanted", disk_bytes >> 20));
        }
        let speed = app.store.speed(&library::speed_of(&self.base.path, &self.request.parameters, plan.resolution))?;
        let budgeted = self.request.parameters.time_budget;
        Ok(PlanView {
            stem,
            pictures: pictures.len() as u64,
            steps: budgeted.is_none().then_some(plan.recipe.steps),
            resolved: plan.reasons(),
            memory_bytes: rung.peak,
            disk_bytes,
            seconds: budgeted.or(speed.map(|each| each * (plan.recipe.steps * plan.recipe.batch_size as u64) as f64)),
            warnings,
            findings: self.dataset.report.as_ref().map(|report| report.findings.clone()).unwrap_or_default(),
            captions: self.dataset.sources(),
            request: self.request,
        })
    }

    /// The base's name.
    pub fn base_name(&self) -> String {
        models::name(Path::new(&self.base.path))
    }
}
