//! The library: concepts that jobs trained and bundles that were imported.

use crate::{
    App, Blobs, Error, Home, Result,
    store::{Concept, Job, Submitted, now_ms},
};
use concept::{Bundle, host_prompts};
use diffusion::Family;
use protocol::{BaseFamily, ConceptView, HostPrompts, Mode, Parameters, Source, TargetsName};
use std::path::{Path, PathBuf};

/// The picture of a concept among its files.
pub const PREVIEW: &str = "preview.png";

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
        (format!("{stem}.json"), "report.json".to_owned()),
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
    Ok(Concept { view: ConceptView { bare_name, ..view }, bare_name_set: last.is_some() })
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
    let bundle = Bundle { stem: app.store.free_stem(&safe)?, ..bundle };
    let bytes = match bundle.to_tar() {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let staged = app.home.staging()?;
    let file = staged.join("bundle.tar");
    crate::write_whole(&file, &bytes)?;
    app.home.put(&id, &bundle_file(&bundle.stem), &file)?;
    let _ = std::fs::remove_dir_all(&staged);
    let concept = named(app, described(app, id, &bundle, &name, mode, Source::Imported)?)?;
    match app.store.insert_once(concept, key.map(|key| (key, "import")))? {
        Submitted::New(concept) | Submitted::Earlier(concept) => Ok(Ok(concept)),
        Submitted::OtherBody => Err(Error::bug("an import with two bodies")),
    }
}

/// The bundle of a concept on disk.
///
/// # Errors
/// If the store refuses.
pub fn bundle_of(home: &Home, concept: &ConceptView) -> Result<Option<PathBuf>> {
    home.get(&concept.id, &bundle_file(&concept.stem))
}
