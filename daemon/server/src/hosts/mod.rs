//! Programs that draw with concepts: which there are, where they look for files, what they say when they run.

pub mod ask;
mod detect;
mod flags;
pub mod folders;

pub use detect::{detect, same_place};

use crate::{App, Result, store::Document, store::now_ms};
use flags::Flags;
use protocol::{HostKind, HostRequest, HostView};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A known host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// What clients see.
    pub view: HostView,
}

impl Document for Host {
    const TABLE: &'static str = "hosts";

    fn id(&self) -> &str {
        &self.view.id
    }
}

/// A host's name for people.
pub fn title(kind: HostKind) -> &'static str {
    match kind {
        HostKind::Comfyui => "ComfyUI",
        HostKind::A1111 => "A1111",
        HostKind::Forge => "Forge",
    }
}

/// Where a host answers unless it is told otherwise.
fn usual_url(kind: HostKind) -> String {
    format!("http://127.0.0.1:{}", if kind == HostKind::Comfyui { 8188 } else { 7860 })
}

/// Makes a host known. One with the same folders is known already and takes over the rest.
///
/// # Errors
/// The field that cannot be used and why, if that is so; or if the database refuses.
pub fn add(app: &App, request: &HostRequest) -> Result<std::result::Result<Host, (&'static str, String)>> {
    let asked = PathBuf::from(&request.folder);
    if !asked.is_absolute() || !asked.is_dir() {
        return Ok(Err(("folder", format!("there is no folder {}; give its full path", asked.display()))));
    }
    let (kind, folder) = match folders::recognise(&asked) {
        Some((HostKind::Forge, folder)) if request.kind == HostKind::A1111 => (HostKind::Forge, folder),
        Some((found, folder)) if found == request.kind => (found, folder),
        // Said twice, it is believed.
        _ if request.loras.is_some() && request.embeddings.is_some() => (request.kind, asked),
        Some((found, _)) => {
            let detail = format!("{} is {}, not {}", asked.display(), title(found), title(request.kind));
            return Ok(Err(("kind", detail)));
        }
        None => {
            let detail = format!(
                "{} does not look like {}; give the folder that holds its `models`, or say where its LoRAs and embeddings lie \
                 (`loras`, `embeddings`)",
                asked.display(),
                title(request.kind)
            );
            return Ok(Err(("folder", detail)));
        }
    };
    let usual = folders::of(kind, &folder, &Flags::of_scripts(&folder));
    let chosen = |given: &Option<String>, usual: &Path| given.as_ref().map_or_else(|| usual.to_owned(), PathBuf::from);
    let loras = chosen(&request.loras, &usual.loras);
    let embeddings = chosen(&request.embeddings, &usual.embeddings);
    for (field, path) in [("loras", &loras), ("embeddings", &embeddings)] {
        if !path.is_absolute() {
            return Ok(Err((field, format!("give the full path, not {}", path.display()))));
        }
    }
    if let Some(url) = &request.url
        && !url.starts_with("http://")
    {
        return Ok(Err(("url", format!("`{url}` is no address such as http://127.0.0.1:8188"))));
    }
    let shown = |path: &Path| folders::plain(path).display().to_string();
    let view = HostView {
        id: crate::id("host")?,
        kind,
        folder: shown(&folder),
        loras: shown(&loras),
        embeddings: shown(&embeddings),
        url: Some(request.url.clone().unwrap_or_else(|| usual_url(kind))),
        created_at_ms: now_ms(),
    };
    if let Some(known) = known(app, &view.loras, &view.embeddings)? {
        let updated = app.store.update::<Host, _>(&known.view.id, |host| {
            let HostView { id, created_at_ms, .. } = host.view.clone();
            host.view = HostView { id, created_at_ms, ..view.clone() };
        })?;
        return Ok(Ok(updated.map_or(known, |(host, ())| host)));
    }
    let host = Host { view };
    app.store.insert(&host)?;
    Ok(Ok(host))
}

/// The host that looks into these folders.
fn known(app: &App, loras: &str, embeddings: &str) -> Result<Option<Host>> {
    let same = |host: &Host| {
        let same = |one: &str, other: &str| same_place(Path::new(one), Path::new(other));
        same(&host.view.loras, loras) && same(&host.view.embeddings, embeddings)
    };
    Ok(app.store.all::<Host>()?.into_iter().find(same))
}
