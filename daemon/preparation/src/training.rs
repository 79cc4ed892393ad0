//! What a training needs to know of its pictures beforehand, found out once and kept beside the run.

use crate::{Error, Result, eyes::is_blind, look::prepare};
use dataset::Captions;
use protocol::{Crop, Event, MaskName, PrepareTask, Prepared, Severity, Stage, TrainTask};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Where it is kept.
const KEPT: &str = "prepared.json";

/// Completes a training's captions, masks and crops with what models see, and tells what is wrong with the pictures. It is
/// found out once for the run in `folder`: a run that goes on has the same.
///
/// # Errors
/// If the pictures cannot be read, a captioner that was named cannot be used, the caller stops, or the disk refuses.
pub fn before_training(
    task: &mut TrainTask,
    folder: &Path,
    see: &mut dyn FnMut(Event),
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<()> {
    let kept = folder.join(KEPT);
    let prepared = match read(folder) {
        Some(prepared) => prepared,
        None if needs_nothing(task) => return Ok(()),
        None => {
            see(Event::Stage { stage: Stage::Looking });
            let looked = prepare(&wish(task, folder), &mut |_| {}, stop)?;
            if stop() {
                return Err(Error::Stopped);
            }
            let mut prepared = looked.prepared;
            // The folder may lie elsewhere when the run goes on.
            for mask in prepared.masks.values_mut() {
                *mask = mask.strip_prefix(folder).map(Path::to_owned).unwrap_or_default();
            }
            write(&kept, &prepared)?;
            for text in tell(&prepared) {
                see(Event::Note { text });
            }
            prepared
        }
    };
    take(task, folder, prepared);
    Ok(())
}

/// What a run of earlier knew; one that a crash damaged is found out again.
fn read(folder: &Path) -> Option<Prepared> {
    serde_json::from_slice(&fs::read(folder.join(KEPT)).ok()?).ok()
}

/// The captions and masks that models gave to the run in `folder`.
pub fn given(folder: &Path) -> (Captions, BTreeMap<String, PathBuf>) {
    let prepared = read(folder).unwrap_or_default();
    let captions = prepared.captions.into_iter().map(|(picture, described)| (picture, Some(described.text)));
    let masks = prepared.masks.into_iter().map(|(picture, mask)| (picture, folder.join(mask)));
    (captions.collect(), masks.collect())
}

/// Whether nobody could see anything that the training asks for.
fn needs_nothing(task: &TrainTask) -> bool {
    let parameters = &task.parameters;
    let crop = matches!(parameters.crop.unwrap_or_default(), Crop::Center | Crop::Bucket);
    let mask = matches!(parameters.mask.unwrap_or_default(), MaskName::Auto | MaskName::None);
    let captioner = matches!(parameters.captioner.as_deref(), None | Some("auto" | "none"));
    let nothing_asked = parameters.captioner.as_deref() == Some("none") && parameters.mask == Some(MaskName::None);
    crop && mask && captioner && (nothing_asked || is_blind(&task.eyes))
}

fn wish(task: &TrainTask, folder: &Path) -> PrepareTask {
    let parameters = &task.parameters;
    let captioner = parameters.captioner.clone().unwrap_or_else(|| "auto".into());
    PrepareTask {
        pictures: task.pictures.clone(),
        limits: task.limits.clone(),
        left_out: task.left_out.clone(),
        focuses: task.focuses.clone(),
        captions: task.captions.clone(),
        eyes: task.eyes.clone(),
        mode: task.mode,
        name: task.name.clone(),
        class_word: parameters.class_word.clone(),
        leave_out: Vec::new(),
        tags: wants_tags(&task.base),
        captioner: (captioner != "none").then_some(captioner),
        rewrite: false,
        resolution: parameters.resolution.unwrap_or(1024),
        crop: parameters.crop.unwrap_or_default(),
        mask: parameters.mask.unwrap_or_default(),
        out: Some(folder.to_owned()),
    }
}

/// Whether a base was trained on tags, by its name.
fn wants_tags(base: &Path) -> bool {
    let name = base.file_stem().unwrap_or_default().to_string_lossy();
    caption::Family::of(&name, None).form() == caption::Form::Tags
}

fn write(path: &Path, prepared: &Prepared) -> Result<()> {
    let disk = |source| Error::Disk { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(disk)?;
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(disk)?;
    serde_json::to_writer_pretty(part.as_file_mut(), prepared).map_err(|error| disk(error.into()))?;
    part.as_file().sync_all().map_err(disk)?;
    part.persist(path).map_err(|error| disk(error.error))?;
    Ok(())
}

/// What the user should hear.
fn tell(prepared: &Prepared) -> Vec<String> {
    let mut told = prepared.notes.clone();
    if let Some(described) = prepared.captions.values().next() {
        told.push(format!("{} pictures were described by {}", prepared.captions.len(), described.by));
    }
    let findings = prepared.examined.iter().flat_map(|report| &report.findings);
    let serious = findings.filter(|finding| finding.severity == Severity::Serious);
    told.extend(serious.map(|finding| format!("{} {}", finding.message, finding.advice)));
    told
}

fn take(task: &mut TrainTask, folder: &Path, prepared: Prepared) {
    let (captions, masks) = given(folder);
    task.captions.extend(captions);
    task.masks.extend(masks);
    for (picture, focus) in prepared.focuses {
        task.focuses.entry(picture).or_insert(focus);
    }
    for picture in prepared.examined.iter().flat_map(|report| &report.pictures) {
        for code in &picture.findings {
            let name = serde_json::to_value(code).ok().and_then(|name| name.as_str().map(str::to_owned));
            *task.findings.entry(name.unwrap_or_default()).or_default() += 1;
        }
    }
}
