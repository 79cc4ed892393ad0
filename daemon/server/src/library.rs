//! The library: concepts that jobs trained and bundles that were imported.

use crate::{
    App, Blobs, Error, Home, Result,
    store::{Concept, Job, Submitted, now_ms},
};
use concept::{Bundle, RunFolder, host_prompts};
use diffusion::Family;
use protocol::{BaseFamily, ConceptView, HostPrompts, Mode, Parameters, Source, TargetsName};
use std::{
    path::{Path, PathBuf},
    sync::PoisonError,
};

/// The picture of a concept among its files.
pub const PREVIEW: &str = "preview.png";

/// How a concept was trained, among its files.
pub const REPORT: &str = "report.json";

/// The bundle of a concept among its files.
pub fn bundle_file(stem: &str) -> String {
    format!("{stem}.tar")
}

/// Takes the concept of a finished job into the library and returns its id. A job has one concept, however often this is
/// called.
///
/// # Errors
/// If the disk or the database refuses.
pub fn keep_trained(app: &App, job: &Job, step: u64) -> Result<String> {
    if let Some(id) = app.store.concept_of_job(&job.id)? {
        return Ok(id);
    }
    let (out, stem, id) = (app.home.job(&job.id).join("out"), &job.stem, crate::id("concept")?);
    let tar = out.join(bundle_file(stem));
    let bundle = Bundle::read(&tar).map_err(|error| Error::Worker(error.to_string()))?;
    app.home.put(&id, &bundle_file(stem), &tar)?;
    for (from, name) in [
        (format!("{stem}.png"), PREVIEW.to_owned()),
        (format!("{stem}.json"), REPORT.to_owned()),
        (format!("{stem}-loss.png"), "loss.png".to_owned()),
    ] {
        if out.join(&from).is_file() {
            app.home.put(&id, &name, &out.join(from))?;
        }
    }
    let report = std::fs::read(out.join(format!("{stem}.json"))).ok();
    let report: Option<serde_json::Value> = report.and_then(|text| serde_json::from_slice(&text).ok());
    let concept = ConceptView {
        job: Some(job.id.clone()),
        step: Some(step),
        verdict: report.and_then(|report| Some(report["verdict"].as_str()?.to_owned())),
        ..described(app, id.clone(), &bundle, &job.request.name, job.mode, Source::Trained)?
    };
    app.store.insert(&named(app, concept)?)?;
    if let (Some(seconds), pictures) = (job.training.seconds_per_step, job.training.batch_size.max(1)) {
        let setting =
            speed_of(&job.base.display().to_string(), &job.request.parameters, bundle.resolution().unwrap_or_default());
        app.store.measured(&setting, seconds / pictures as f64)?;
    }
    Ok(id)
}

/// The run of a job, with its snapshots.
pub fn run_of(home: &Home, job: &Job) -> RunFolder {
    RunFolder::of(&home.job(&job.id).join("out"), &job.stem)
}

/// The file of a snapshot of the job that trained a concept; none if there is no such snapshot, or no longer.
///
/// # Errors
/// If the database refuses.
pub fn snapshot_of(app: &App, concept: &ConceptView, step: u64) -> Result<Option<PathBuf>> {
    let job = concept.job.as_deref().map(|id| app.store.get::<Job>(id)).transpose()?.flatten();
    Ok(job.map(|job| run_of(&app.home, &job).snapshot_file(step)).filter(|file| file.is_file()))
}

/// Makes a version of a concept out of another snapshot of its job, and says whether it is new: the one that is there already
/// is that version. What is installed keeps its files: hosts keep what they once loaded under a name.
///
/// # Errors
/// If the disk or the database refuses. A snapshot that cannot be used is no error.
pub fn promote(
    app: &App,
    concept: &Concept,
    step: u64,
) -> Result<std::result::Result<(Concept, bool), concept::Error>> {
    let _turn = app.library.lock().unwrap_or_else(PoisonError::into_inner);
    let view = &concept.view;
    let same = |other: &Concept| other.view.job == view.job && other.view.step == Some(step);
    if let Some(there) = app.store.all::<Concept>()?.into_iter().find(same) {
        return Ok(Ok((there, false)));
    }
    let Some(file) = snapshot_of(app, view, step)? else {
        return Ok(Err(concept::Error::Invalid(format!("there is no snapshot of step {step}, or no longer"))));
    };
    let id = crate::id("concept")?;
    let bundle = match Bundle::read(&file) {
        Ok(bundle) => bundle.renamed(&app.store.free_stem(&format!("{}-step{step}", view.stem))?),
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = keep_bundle(app, &id, &bundle)? {
        return Ok(Err(error));
    }
    if let Some(report) = app.home.get(&view.id, REPORT)? {
        app.home.put(&id, REPORT, &report)?;
    }
    let made = described(app, id, &bundle, &view.name, view.mode, Source::Trained)?;
    let made = named(app, ConceptView { job: view.job.clone(), step: Some(step), ..made })?;
    let made = Concept { promoted: true, ..made };
    app.store.insert(&made)?;
    Ok(Ok((made, true)))
}

/// What a measured speed belongs to.
pub fn speed_of(base: &str, parameters: &Parameters, resolution: usize) -> String {
    let targets = parameters.lora_targets.map_or("eden", TargetsName::name);
    format!("{base}|{resolution}|{targets}")
}

/// Everything about a concept that its bundle says.
pub fn described(
    app: &App,
    id: String,
    bundle: &Bundle,
    name: &str,
    mode: Mode,
    source: Source,
) -> Result<ConceptView> {
    let said = |key: &str| bundle.metadata.get(key).cloned();
    let preview = app.home.get(&id, PREVIEW)?.is_some();
    Ok(ConceptView {
        name: name.to_owned(),
        version: app.store.versions_of(name)? + 1,
        stem: bundle.stem.clone(),
        mode,
        source,
        job: None,
        family: match bundle.family() {
            Family::Sdxl => BaseFamily::Sdxl,
            Family::Sd15 => BaseFamily::Sd15,
        },
        base_sha256: said("conceptd.base_sha256"),
        base_nonstandard: bundle.is_nonstandard(),
        tokens: bundle.tokens() as u64,
        step: said("conceptd.step").and_then(|step| step.parse().ok()),
        verdict: None,
        bare_name: false,
        installs: Vec::new(),
        prompts: prompts(bundle, name, mode),
        preview,
        created_at_ms: now_ms(),
        id,
    })
}

/// A new concept with what its bare name does: as the user said for the last one of that name, else by the name itself.
fn named(app: &App, view: ConceptView) -> Result<Concept> {
    let last = app.store.concept_named(&view.name)?.filter(|last| last.bare_name_set);
    let bare_name = match &last {
        Some(last) => last.view.bare_name,
        None => distinctive(&view.name)?,
    };
    Ok(Concept { view: ConceptView { bare_name, ..view }, bare_name_set: last.is_some(), promoted: false })
}

/// Whether a bare name calls its concept unless the user says otherwise.
///
/// # Errors
/// If the built-in vocabulary is damaged.
pub fn distinctive(name: &str) -> Result<bool> {
    concept::distinctive(name).map_err(Error::bug)
}

fn prompts(bundle: &Bundle, name: &str, mode: Mode) -> HostPrompts {
    let text = match mode {
        Mode::Face | Mode::Object => "a photo of <concept>",
        Mode::Style => "a castle in the style of <concept>",
    };
    let mut named = bundle.clone();
    named.metadata.insert("conceptd.name".into(), name.to_owned());
    host_prompts(&named, text)
}

/// Imports a bundle: checked, its keys in the style that every host loads, under a free file name.
///
/// # Errors
/// A text for the user if the bundle cannot be used.
pub fn import(
    app: &App,
    tar: &Path,
    name: Option<&str>,
    mode: Mode,
    key: Option<&str>,
) -> Result<std::result::Result<Concept, concept::Error>> {
    let bundle = match Bundle::read(tar).and_then(Bundle::checked) {
        Ok(bundle) => bundle,
        Err(error) => return Ok(Err(error)),
    };
    let name = name.unwrap_or_else(|| bundle.name()).to_owned();
    let safe = match concept::safe_name(&name) {
        Ok(safe) => safe,
        Err(error) => return Ok(Err(error)),
    };
    let mode = bundle.mode().unwrap_or(mode);
    let id = crate::id("concept")?;
    let bundle = bundle.renamed(&app.store.free_stem(&safe)?);
    if let Err(error) = keep_bundle(app, &id, &bundle)? {
        return Ok(Err(error));
    }
    let concept = named(app, described(app, id, &bundle, &name, mode, Source::Imported)?)?;
    match app.store.insert_once(concept, key.map(|key| (key, "import")))? {
        Submitted::New(concept) | Submitted::Earlier(concept) => Ok(Ok(concept)),
        Submitted::OtherBody | Submitted::Gone => Err(Error::bug("an import with two bodies")),
    }
}

/// Writes a bundle among the files of a concept.
fn keep_bundle(app: &App, id: &str, bundle: &Bundle) -> Result<std::result::Result<(), concept::Error>> {
    let bytes = match bundle.to_tar() {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let staged = app.home.staging()?;
    let file = staged.join("bundle.tar");
    crate::write_whole(&file, &bytes)?;
    app.home.put(id, &bundle_file(&bundle.stem), &file)?;
    let _ = std::fs::remove_dir_all(&staged);
    Ok(Ok(()))
}

/// The bundle of a concept on disk.
///
/// # Errors
/// If the store refuses.
pub fn bundle_of(home: &Home, concept: &ConceptView) -> Result<Option<PathBuf>> {
    home.get(&concept.id, &bundle_file(&concept.stem))
}
