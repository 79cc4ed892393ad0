//! Finds hosts: those that run (their processes, the usual ports), then those that lie in the usual places.

use super::{Host, ask, flags::Flags, folders, folders::Folders, title, usual_url};
use crate::{App, Result, platform};
use protocol::{FoundHost, HostKind, HostRequest};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where hosts listen unless they are told otherwise; desktop ComfyUI takes the next free one from 8000.
const PORTS: [std::ops::RangeInclusive<u16>; 3] = [8188..=8188, 8000..=8010, 7860..=7869];
/// Scripts that hosts are started by.
const SCRIPTS: [&str; 3] = ["main.py", "launch.py", "webui.py"];
/// Folders in a place that are looked at, at most.
const MOST: usize = 500;

struct Found {
    kind: HostKind,
    folder: PathBuf,
    folders: Folders,
    url: Option<String>,
    evidence: String,
}

/// Hosts on this machine, running ones first.
///
/// # Errors
/// If the database refuses.
pub fn detect(app: &App) -> Result<Vec<FoundHost>> {
    let mut found: Vec<Found> = started();
    for (port, kind) in listening() {
        let url = format!("http://127.0.0.1:{port}");
        match found.iter_mut().find(|one| one.url.as_deref() == Some(url.as_str())) {
            Some(one) => one.evidence = format!("runs at {url}"),
            None => found.extend(asked(kind, &url)),
        }
    }
    found.extend(lying());
    let known = app.store.all::<Host>()?;
    let mut out: Vec<FoundHost> = Vec::new();
    for Found { kind, folder, folders, url, evidence } in found {
        let same = |loras: &str, embeddings: &str| {
            same_place(Path::new(loras), &folders.loras) && same_place(Path::new(embeddings), &folders.embeddings)
        };
        let listed = |one: &FoundHost| {
            same(
                one.request.loras.as_deref().unwrap_or_default(),
                one.request.embeddings.as_deref().unwrap_or_default(),
            )
        };
        if out.iter().any(listed) {
            continue;
        }
        let known = known.iter().find(|host| same(&host.view.loras, &host.view.embeddings));
        let shown = |path: &Path| folders::plain(path).display().to_string();
        out.push(FoundHost {
            known: known.map(|host| host.view.id.clone()),
            request: HostRequest {
                kind,
                folder: shown(&folder),
                loras: Some(shown(&folders.loras)),
                embeddings: Some(shown(&folders.embeddings)),
                url,
            },
            evidence,
        });
    }
    Ok(out)
}

/// Whether two paths mean one folder, links followed.
pub fn same_place(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| folders::plain(path));
    real(one) == real(other)
}

/// Hosts among this machine's processes: their arguments say more than any port.
fn started() -> Vec<Found> {
    let mut found = Vec::new();
    for (arguments, folder) in platform::processes() {
        let is_script = |argument: &&String| {
            let name = argument.rsplit(['/', '\\']).next().unwrap_or(argument);
            SCRIPTS.contains(&name)
        };
        let (Some(script), Some(started_in)) = (arguments.iter().find(is_script), folder) else { continue };
        let Some(own) = started_in.join(script).parent().map(folders::plain) else { continue };
        let Some((kind, own)) = folders::recognise(&own).filter(|(_, inner)| *inner == own) else { continue };
        let flags = Flags::of(&arguments, &started_in);
        let url = match flags.port {
            Some(port) => format!("http://127.0.0.1:{port}"),
            None => usual_url(kind),
        };
        found.push(Found {
            kind,
            folders: folders::of(kind, &own, &flags),
            folder: flags.base.unwrap_or(own),
            url: Some(url),
            evidence: "is being started".into(),
        });
    }
    found
}

/// Ports at which a host answers.
fn listening() -> Vec<(u16, HostKind)> {
    std::thread::scope(|scope| {
        let ask = |port: u16| scope.spawn(move || Some((port, ask::who(&format!("http://127.0.0.1:{port}"))?)));
        let asked: Vec<_> = PORTS.into_iter().flatten().map(ask).collect();
        asked.into_iter().filter_map(|answer| answer.join().ok().flatten()).collect()
    })
}

/// A host whose process tells nothing: it says itself where it looks.
fn asked(kind: HostKind, url: &str) -> Option<Found> {
    let (folders, folder) = match kind {
        HostKind::Comfyui => {
            let all = ask::get(url, "/experiment/models")?;
            let first = |name: &str| {
                let entry = all.as_array()?.iter().find(|entry| entry["name"] == name)?;
                Some(PathBuf::from(entry["folders"][0].as_str()?))
            };
            let folders = Folders { loras: first("loras")?, embeddings: first("embeddings")? };
            let folder = folders.loras.ancestors().nth(2).map(Path::to_owned)?;
            (folders, folder)
        }
        HostKind::A1111 | HostKind::Forge => {
            let state = ask::get(url, "/conceptd/state")?;
            let path = |key: &str| state[key].as_str().map(PathBuf::from);
            (Folders { loras: path("loras_dir")?, embeddings: path("embeddings_dir")? }, path("data_dir")?)
        }
    };
    // One on another machine or in a container names folders that are not here.
    let here = folders.loras.is_dir();
    here.then(|| Found { kind, folder, folders, url: Some(url.to_owned()), evidence: format!("runs at {url}") })
}

/// Hosts in the places where people put them.
fn lying() -> Vec<Found> {
    let mut found: Vec<Found> = desktop().into_iter().collect();
    for place in platform::places_of_programs() {
        let Ok(entries) = fs::read_dir(&place) else { continue };
        let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).take(MOST).collect();
        folders.sort();
        for folder in folders.iter().filter(|path| path.is_dir()) {
            if let Some((kind, own)) = folders::recognise(folder) {
                found.push(Found {
                    kind,
                    folders: folders::of(kind, &own, &Flags::of_scripts(&own)),
                    evidence: format!("{} lies in {}", title(kind), place.display()),
                    folder: own,
                    url: None,
                });
            }
        }
    }
    found
}

/// Desktop ComfyUI notes where its user's files lie.
fn desktop() -> Option<Found> {
    let settings = platform::settings_folder().join("ComfyUI");
    let config: Value = serde_json::from_slice(&fs::read(settings.join("config.json")).ok()?).ok()?;
    let base = PathBuf::from(config["basePath"].as_str()?);
    let flags = Flags { extra_paths: vec![settings.join("extra_models_config.yaml")], ..Flags::default() };
    base.is_dir().then(|| Found {
        kind: HostKind::Comfyui,
        folders: folders::of(HostKind::Comfyui, &base, &flags),
        evidence: "ComfyUI's desktop edition is installed".into(),
        folder: base,
        url: Some("http://127.0.0.1:8000".into()),
    })
}
