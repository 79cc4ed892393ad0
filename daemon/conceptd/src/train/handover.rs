//! A training that the running daemon does, with the same result in the user's folder.

use super::{Train, upload};
use crate::{
    Failure,
    client::{Daemon, follow, settle},
    concepts::route,
    hosts,
    jobs::over,
    progress::Progress,
    usage,
};
use anyhow::{Context, anyhow};
use concept::Observer;
use protocol::{ConceptView, DatasetView, Event, JobView, ModelView, Parameters, PlanView, TrainRequest, WarningCode};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Trains by the daemon. `false` if it may not use the base, so that the work is to be done here.
pub fn train(asked: &Train, daemon: &Daemon) -> Result<bool, Failure> {
    let mut progress = Progress::new(asked.json);
    let mut note = |text: String| progress.see(&Event::Note { text });
    concept::safe_name(&asked.name).map_err(usage)?;
    let mode = asked.mode;
    let mode =
        mode.ok_or_else(|| usage(anyhow!("say what the pictures have in common: --mode face, object or style")))?;
    // JSON writes what is no finite number as null, and the daemon would take its default.
    let carried: Parameters = serde_json::from_value(serde_json::to_value(&asked.parameters)?)?;
    if carried != asked.parameters {
        return Err(usage(anyhow!("one of the parameters is no finite number; give one")));
    }
    let Some(base) = base(daemon, &asked.base)? else {
        note(format!(
            "the daemon may not use {}, which lies in none of its model folders; doing the work here. (Add the folder to \
             `models` in config.toml to let the daemon do it.)",
            asked.base.display()
        ));
        return Ok(false);
    };
    let form = upload::form(&asked.pictures)?;
    note(format!("the daemon on {} does this; --local does it here", daemon.beacon.url));
    let dataset: DatasetView = daemon.upload("/v1/datasets", form)?;
    let request = TrainRequest {
        dataset: dataset.id,
        name: asked.name.clone(),
        mode: Some(mode),
        base,
        vae: None,
        prediction: asked.prediction,
        parameters: asked.parameters.clone(),
        continue_from: None,
        recipe_from: None,
        priority: 0,
        install: hosts_of(asked, daemon)?,
        courtesy: asked.courtesy,
    };
    let plan: PlanView = daemon.write("POST", "/v1/plans", &request)?;
    for warning in plan.warnings {
        // The pictures' own notes come from the run.
        if matches!(warning.code, WarningCode::NameTaken | WarningCode::MemoryShort | WarningCode::DiskShort) {
            note(warning.text);
        }
    }
    // Said now rather than behind hours of training.
    let taken = asked.out.join(format!("{}.tar", plan.stem));
    if taken.exists() {
        return Err(usage(anyhow!(
            "{} is another concept, and the daemon would call this one so too; give another --out, or --local to make a \
             further version here",
            taken.display()
        )));
    }
    fs::create_dir_all(&asked.out).with_context(|| format!("cannot make {}", asked.out.display()))?;
    let job: JobView = daemon.write("POST", "/v1/jobs", &request)?;
    note(match job.ahead {
        Some(ahead) if ahead > 0 => format!("queued as {}, behind {ahead} others", job.id),
        _ => format!("queued as {}", job.id),
    });
    let followed = follow(daemon, &job.id, 0, |record| progress.see(&record.event))?;
    let job = over(&job.id, followed)?;
    let concept =
        job.concept.ok_or_else(|| anyhow!("the training is done, but its concept is gone from the library"))?;
    let concept: ConceptView = daemon.get(&route(&concept))?;
    let saved = save(daemon, &concept, &asked.out);
    saved.with_context(|| format!("the concept is in the library: `conceptd concepts save {}`", concept.id))?;
    if !asked.json {
        let lora = format!("{}_lora", concept.stem);
        let (comfyui, a1111) = (concept.prompts.comfyui, concept.prompts.a1111);
        for install in job.installs {
            eprintln!("{}", install.text);
        }
        eprintln!("in ComfyUI:  {comfyui}   (with {lora} in a LoRA loader)\nin A1111:    {a1111}");
    }
    Ok(true)
}

/// The hosts that the concept is to be installed into.
fn hosts_of(asked: &Train, daemon: &Daemon) -> Result<Vec<String>, Failure> {
    if asked.install.iter().any(|host| host == "all") {
        return Ok(vec!["all".into()]);
    }
    Ok(hosts::meant(daemon, &asked.install)?.into_iter().map(|host| host.id).collect())
}

/// What the daemon calls the base; `None` if it lies in none of its folders. What is no file here may be a name there.
fn base(daemon: &Daemon, wanted: &Path) -> Result<Option<String>, Failure> {
    let Ok(path) = fs::canonicalize(wanted) else { return Ok(Some(wanted.display().to_string())) };
    let models = daemon.all::<ModelView>("/v1/models")?;
    let own = models.into_iter().find(|model| fs::canonicalize(&model.path).is_ok_and(|own| own == path));
    Ok(own.map(|model| model.path))
}

/// Writes the bundle, the two loose files and the preview.
fn save(daemon: &Daemon, concept: &ConceptView, out: &Path) -> anyhow::Result<()> {
    let bundle = out.join(format!("{}.tar", concept.stem));
    daemon.download(&format!("{}/bundle", route(&concept.id)), &bundle)?;
    unpack(&bundle, &concept.stem, out).with_context(|| bundle.display().to_string())?;
    if concept.preview {
        daemon.download(&format!("{}/preview", route(&concept.id)), &out.join(format!("{}.png", concept.stem)))?;
    }
    Ok(())
}

/// The two files of a bundle, and nothing else that it may hold.
fn unpack(bundle: &Path, stem: &str, out: &Path) -> anyhow::Result<()> {
    let wanted = ["lora", "embeddings"].map(|part| PathBuf::from(format!("{stem}_{part}.safetensors")));
    let mut archive = tar::Archive::new(File::open(bundle)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(name) = wanted.iter().find(|name| entry.path().is_ok_and(|path| path == **name)) else { continue };
        let mut part = tempfile::Builder::new().prefix(".conceptd-").tempfile_in(out)?;
        io::copy(&mut entry, &mut part)?;
        settle(part, &out.join(name))?;
    }
    Ok(())
}
