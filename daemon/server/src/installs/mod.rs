//! Concepts in hosts: installed as a pair, seen by the host, taken back whole.

mod ledger;
mod pair;
mod place;

pub use ledger::{Install, of_concept, stem_in};

use crate::{
    App, Error, Result,
    hosts::{Host, ask::Line, ask::Sight, folders::Folders, title},
    library,
    store::Concept,
};
use concept::Bundle;
use ledger::{Progress, failed};
use place::Removal;
use protocol::{Conflict, HostCheck, InstallState, InstallView};
use std::{
    fs,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

/// Stands for every known host.
pub const ALL: &str = "all";
/// How long files that a host holds open are left alone.
const PAUSE: Duration = Duration::from_secs(60);

/// Installs a concept into hosts. What is there already is looked after and asked for again.
///
/// # Errors
/// If the database refuses; what a host refuses is in its view.
pub fn install(app: &App, concept: &Concept, hosts: &[Host], conflict: Conflict) -> Result<Vec<InstallView>> {
    // Two at once would both find a name free.
    let _turn = app.installing.lock().unwrap_or_else(PoisonError::into_inner);
    let view = &concept.view;
    let bundle = match library::bundle_of(&app.home, view)? {
        Some(path) => Bundle::read(&path).and_then(Bundle::checked).map_err(|error| error.to_string()),
        None => Err("its bundle is gone from the library".to_owned()),
    };
    hosts
        .iter()
        .map(|host| match &bundle {
            Ok(bundle) => into(app, concept, bundle, host, conflict),
            Err(why) => Ok(failed(&view.id, host, &view.stem, why)),
        })
        .collect()
}

fn into(app: &App, concept: &Concept, bundle: &Bundle, host: &Host, conflict: Conflict) -> Result<InstallView> {
    let view = &concept.view;
    let fail = |stem: &str, why: String| Ok(failed(&view.id, host, stem, &why));
    let mut wanted = view.stem.clone();
    let there = app.store.installs("concept", &view.id)?.into_iter().find(|one| one.host == host.view.id);
    if let Some(there) = there {
        if there.progress == Progress::Placed && whole(&there) {
            return ask(app, there, host);
        }
        // Files of ours that are still there are placed anew, those that somebody changed are left to them.
        if let Removal::Held(path) = place::remove(&there.files) {
            return fail(&there.stem, format!("{} is still open there; close it and try again", path.display()));
        }
        app.store.remove::<Install>(&there.id)?;
        wanted = there.stem;
    }
    let folders = Folders { loras: host.view.loras.clone().into(), embeddings: host.view.embeddings.clone().into() };
    for folder in [&folders.loras, &folders.embeddings] {
        // A drive that is away must not be filled in its place.
        if !folder.is_dir() && !folder.parent().is_some_and(Path::is_dir) {
            return fail(&wanted, format!("there is no folder {}; is its drive away?", folder.display()));
        }
    }
    let taken = |stem: &str| pair::names(stem, &folders).into_iter().find(|path| fs::symlink_metadata(path).is_ok());
    let mut stem = wanted.clone();
    if let Some(path) = taken(&stem) {
        if conflict == Conflict::Error {
            return fail(&stem, format!("{} is there already and not ours; rename one of the two", path.display()));
        }
        // Not a name that another concept of ours has or will take there.
        let mut version = 2;
        while taken(&stem).is_some() || (stem != view.stem && app.store.has_stem(&stem)?) {
            stem = format!("{}-v{version}", view.stem);
            version += 1;
        }
    }
    let bundle = bundle.clone().renamed(&stem);
    let pieces = match pair::pieces(&app.home, view, &bundle, &folders, &host.view.id) {
        Ok(pieces) => pieces,
        Err(error) => return fail(&stem, error.to_string()),
    };
    let digests = pieces.iter().map(|piece| Ok((piece.to.clone(), piece.digest()?)));
    let mut made = Install {
        id: crate::id("install")?,
        concept: view.id.clone(),
        host: host.view.id.clone(),
        kind: host.view.kind,
        stem: stem.clone(),
        progress: Progress::Placing,
        files: digests.collect::<Result<_>>()?,
        seen: (InstallState::Installed, String::new()),
        warnings: warnings(concept, &stem, &folders),
    };
    app.store.insert(&made)?;
    if let Err(error) = place::place(&pieces) {
        app.store.remove::<Install>(&made.id)?;
        return fail(&stem, format!("{error}; nothing of it is left there"));
    }
    made.progress = Progress::Placed;
    app.store.update::<Install, _>(&made.id, |one| one.progress = Progress::Placed)?;
    tracing::info!(concept.id = view.id, "installed {stem} into {}", host.view.folder);
    ask(app, made, host)
}

/// What may keep a concept from working in a host.
fn warnings(concept: &Concept, stem: &str, folders: &Folders) -> Vec<String> {
    let mut warnings = Vec::new();
    if concept.view.base_nonstandard {
        warnings.push(
            "base_nonstandard: the base of this concept has sizes of its own; no host can use it with another checkpoint"
                .to_owned(),
        );
    }
    // A1111 finds names inside words.
    let ours = format!("{stem}_embeddings");
    let entries = fs::read_dir(&folders.embeddings).into_iter().flatten().filter_map(std::result::Result::ok);
    for path in entries.map(|entry| entry.path()) {
        let other = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_embedding = path.extension().is_some_and(|end| end == "safetensors" || end == "pt" || end == "bin");
        if is_embedding && other != ours && (ours.ends_with(&other) || other.ends_with(&ours)) {
            warnings
                .push(format!("the embedding `{other}` ends like this one's name; A1111 may take one for the other"));
        }
    }
    warnings
}

/// Asks the host to look again, and writes down what it sees.
fn ask(app: &App, mut install: Install, host: &Host) -> Result<InstallView> {
    let place = match &host.view.url {
        Some(url) => format!("{} at {url}", title(host.view.kind)),
        None => format!("{} in {}", title(host.view.kind), host.view.folder),
    };
    let sight = host.view.url.as_ref().and_then(|url| Line::new(host.view.kind, url).sees(&install.stem));
    let has_embedding = install.files.len() > 1 && install.files.iter().any(|(path, _)| is_embedding(path));
    install.seen = match sight {
        None => (InstallState::Installed, format!("installed; {place} is not running, it will see it when it starts")),
        Some(Sight { lora: true, embedding }) if embedding == Some(true) || !has_embedding => {
            (InstallState::Seen, format!("installed and seen by {place}"))
        }
        Some(Sight { lora: true, embedding: None }) => (
            InstallState::Installed,
            format!("installed; {place} sees the LoRA and cannot say whether it sees the embedding"),
        ),
        Some(Sight { lora, .. }) => {
            let what = if lora { "embedding" } else { "LoRA" };
            let folder = if lora { &host.view.embeddings } else { &host.view.loras };
            (
                InstallState::Unseen,
                format!(
                    "installed, but {place} does not list the {what} in {folder}: restart it, or see with `conceptd hosts \
                     detect` whether it looks elsewhere"
                ),
            )
        }
    };
    let seen = install.seen.clone();
    app.store.update::<Install, _>(&install.id, |one| one.seen = seen)?;
    Ok(install.glance())
}

fn is_embedding(path: &Path) -> bool {
    path.to_string_lossy().ends_with("_embeddings.safetensors")
}

/// Whether every file of an install is there as it was written.
fn whole(install: &Install) -> bool {
    install.files.iter().all(|(path, digest)| place::digest_of(path).is_ok_and(|found| found == *digest))
}

/// Installs what a finished job made: into every known host for `all`, else into those named.
///
/// # Errors
/// If the database refuses.
pub fn deliver(app: &App, wanted: &[String], concept: &str) -> Result<Vec<InstallView>> {
    let Some(concept) = app.store.get::<Concept>(concept)?.filter(|_| !wanted.is_empty()) else {
        return Ok(Vec::new());
    };
    let meant = |host: &Host| wanted.iter().any(|one| one == ALL || *one == host.view.id);
    let hosts: Vec<Host> = app.store.all::<Host>()?.into_iter().filter(meant).collect();
    install(app, &concept, &hosts, Conflict::Suffix)
}

/// Writes anew what hosts are told of a concept that was renamed. What somebody changed there stays.
///
/// # Errors
/// If the database refuses.
pub fn describe(app: &App, concept: &Concept) -> Result<()> {
    let _turn = app.installing.lock().unwrap_or_else(PoisonError::into_inner);
    for mut install in app.store.installs("concept", &concept.view.id)? {
        let Some((path, digest)) = install.files.iter_mut().find(|(path, _)| pair::is_description(path)) else {
            continue;
        };
        if place::digest_of(path).is_ok_and(|found| found == *digest) {
            let text = pair::description(&concept.view, &install.stem, &install.host)?;
            // A host that is away keeps the old words; its files are whole all the same.
            if let Err(error) = crate::write_whole(path, &text) {
                tracing::warn!(concept.id = concept.view.id, "{error}");
                continue;
            }
            *digest = place::digest_of(path).map_err(Error::disk(path))?;
            app.store.update::<Install, _>(&install.id, |one| one.files.clone_from(&install.files))?;
        }
    }
    Ok(())
}

/// Takes a concept out of hosts; without any, out of all. What is returned could not go yet, or was changed by somebody.
///
/// # Errors
/// If the database refuses.
pub fn uninstall(app: &App, concept: &str, hosts: &[String]) -> Result<Vec<InstallView>> {
    let _turn = app.installing.lock().unwrap_or_else(PoisonError::into_inner);
    let installs = app.store.installs("concept", concept)?;
    let meant = installs.into_iter().filter(|one| hosts.is_empty() || hosts.contains(&one.host));
    Ok(meant.map(|install| leave(app, install)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn leave(app: &App, mut install: Install) -> Result<Option<InstallView>> {
    install.progress = Progress::Leaving;
    app.store.update::<Install, _>(&install.id, |one| one.progress = Progress::Leaving)?;
    let Removal::Gone(kept) = place::remove(&install.files) else { return Ok(Some(install.view(true))) };
    app.store.remove::<Install>(&install.id)?;
    if kept.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = kept.iter().map(|path| path.display().to_string()).collect();
    let text = format!("uninstalled; somebody changed these files, so they stay: {}", names.join(", "));
    Ok(Some(InstallView { state: InstallState::Changed, text, files: names, ..install.view(true) }))
}

/// How a host stands and what of ours is whole and seen there.
///
/// # Errors
/// If the database refuses.
pub fn verify(app: &App, host: &Host) -> Result<HostCheck> {
    let mut problems = Vec::new();
    for folder in [&host.view.loras, &host.view.embeddings] {
        if !Path::new(folder).is_dir() {
            problems.push(format!("there is no folder {folder}; `conceptd hosts add` says where it is now"));
        } else if let Err(error) = tempfile::tempfile_in(folder) {
            problems.push(format!("{folder} cannot be written to: {error}"));
        }
    }
    let running = host.view.url.as_ref().map(|url| Line::new(host.view.kind, url).answers());
    let mut installs = Vec::new();
    for install in app.store.installs("host", &host.view.id)? {
        installs.push(match install.progress {
            Progress::Placing => continue,
            Progress::Placed if whole(&install) => ask(app, install, host)?,
            Progress::Placed => install.view(false),
            Progress::Leaving => install.view(true),
        });
    }
    Ok(HostCheck { host: host.view.clone(), running, problems, installs })
}

/// Forgets a host; its files stay where they are.
///
/// # Errors
/// If the database refuses.
pub fn forget(app: &App, host: &str) -> Result<bool> {
    for install in app.store.installs("host", host)? {
        app.store.remove::<Install>(&install.id)?;
    }
    app.store.remove::<Host>(host)
}

/// Looks after files that hosts hold open, for as long as the daemon runs.
pub fn keep_tidy(app: Arc<App>) {
    tokio::task::spawn_local(async move {
        while !app.stopping() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = app.stopped() => return,
            }
            let tidied = app.clone();
            if let Err(error) = crate::blocking(move || tidy(&tidied)).await {
                tracing::warn!("looking after installed files: {error}");
            }
        }
    });
}

/// Takes back what a crash left half done, and what hosts have let go of since.
///
/// # Errors
/// If the database refuses.
pub fn tidy(app: &App) -> Result<()> {
    let _turn = app.installing.lock().unwrap_or_else(PoisonError::into_inner);
    for install in app.store.all::<Install>()? {
        match install.progress {
            Progress::Placing => {
                place::unplace(&install.files);
                app.store.remove::<Install>(&install.id)?;
            }
            Progress::Placed => {}
            Progress::Leaving => drop(leave(app, install)?),
        }
    }
    Ok(())
}
