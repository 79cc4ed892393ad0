//! Watched folders: each data set in them trains by itself once it is complete, once for its contents.

mod archive;
mod eyes;
mod follow;
mod listing;
mod naming;
mod result;
mod settle;
mod take;

use crate::{
    App, Error, Result,
    planning::{self, Refused},
    store::{Job, Watch, Watched, now_ms},
};
use eyes::Changes;
use follow::Follower;
use protocol::{ErrorCode, Event, JobState, WatchRequest, WatchView, WatchedState, WatchedView};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, broadcast::error::RecvError};

/// The watched folders as they are followed now.
#[derive(Default)]
pub struct Watching {
    looks: Mutex<HashMap<String, Arc<Look>>>,
    /// Rings when a folder comes or goes.
    bell: Notify,
    /// Held while a folder is added, so that no two come to overlap.
    adding: Mutex<()>,
}

/// What a follower shares with everybody else.
#[derive(Default)]
struct Look {
    changes: Arc<Changes>,
    shown: Mutex<Shown>,
}

/// How a watched folder stands, beside what is in the database.
#[derive(Clone, Default)]
struct Shown {
    problem: Option<String>,
    /// The data sets that are there, with what each waits for; none until that is known.
    sets: Option<BTreeMap<String, Option<String>>>,
}

impl Look {
    fn show(&self, shown: Shown) {
        *locked(&self.shown) = shown;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watching {
    fn look(&self, id: &str) -> Arc<Look> {
        locked(&self.looks).entry(id.to_owned()).or_default().clone()
    }
}

/// Follows every watched folder until the daemon stops.
pub async fn run(app: Arc<App>) {
    let mut followers: HashMap<String, tokio::task::JoinHandle<()>> = HashMap::new();
    let mut happens = app.store.listen();
    loop {
        let store = app.clone();
        match crate::blocking(move || store.store.all::<Watch>()).await {
            Err(error) => tracing::error!("watched folders: {error}"),
            Ok(watches) => {
                followers.retain(|id, follower| {
                    let stays = watches.iter().any(|watch| watch.id == *id);
                    if !stays {
                        follower.abort();
                        locked(&app.watching.looks).remove(id);
                    }
                    stays
                });
                for watch in watches {
                    followers.entry(watch.id.clone()).or_insert_with(|| {
                        let look = app.watching.look(&watch.id);
                        tokio::task::spawn_local(Follower::new(app.clone(), watch, look).run())
                    });
                }
            }
        }
        loop {
            tokio::select! {
                () = app.watching.bell.notified() => break,
                () = app.stopped() => {
                    followers.values().for_each(tokio::task::JoinHandle::abort);
                    return;
                }
                happened = happens.recv() => {
                    let over = match happened {
                        Ok((_, record)) => match record.event {
                            Event::Failed { .. } => true,
                            Event::State { state } => state.is_final(),
                            _ => false,
                        },
                        // Something was missed.
                        Err(RecvError::Lagged(_)) => true,
                        Err(RecvError::Closed) => return,
                    };
                    if over {
                        let looks: Vec<_> = locked(&app.watching.looks).values().cloned().collect();
                        looks.iter().for_each(|look| look.changes.tell(|heard| heard.jobs = true));
                    }
                }
            }
        }
    }
}

/// Makes a folder watched.
///
/// # Errors
/// What keeps it from being watched.
pub fn add(app: &App, request: WatchRequest) -> std::result::Result<Watch, Refused> {
    let refuse = |detail: String| Err(Refused::Field("folder", ErrorCode::Invalid, detail));
    let folder = Path::new(&request.folder);
    if !folder.is_absolute() {
        return refuse(format!("`{}` is no whole path; give one", request.folder));
    }
    let real = match fs::canonicalize(folder) {
        Ok(real) if real.is_dir() => real,
        Ok(_) => return refuse(format!("`{}` is no folder", request.folder)),
        Err(error) => return refuse(format!("`{}` cannot be watched: {error}", request.folder)),
    };
    let home = fs::canonicalize(app.home.path()).map_err(Error::disk(app.home.path()))?;
    if overlap(&real, &home) {
        return refuse(format!(
            "`{}` overlaps conceptd's own folder {}; choose another",
            request.folder,
            home.display()
        ));
    }
    // From this machine's own user any folder is fine; what others can ask for stays below the roots.
    if !app.config.address.is_loopback() {
        let mut roots = app.config.roots.iter().filter_map(|root| fs::canonicalize(root).ok());
        if !roots.any(|root| real.starts_with(root)) {
            return refuse(format!(
                "`{}` is below none of the configured `roots`, as it must be when the daemon listens to other machines",
                request.folder
            ));
        }
    }
    planning::check(app, &request)?;
    let _alone = locked(&app.watching.adding);
    for watch in app.store.all::<Watch>()? {
        if watch.real == real {
            return refuse(format!("`{}` is watched already, as {}", request.folder, watch.id));
        }
        if overlap(&watch.real, &real) {
            let detail =
                format!("`{}` and {}, which is watched as {}, overlap", request.folder, watch.request.folder, watch.id);
            return refuse(detail);
        }
    }
    let digest = concept::hex(&Sha256::digest(real.to_string_lossy().as_bytes()));
    let watch = Watch { id: format!("watch-{}", &digest[..16]), request, real, created_at_ms: now_ms() };
    app.store.insert(&watch)?;
    app.watching.bell.notify_one();
    tracing::info!("watching {}", watch.request.folder);
    Ok(watch)
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Watches a folder no longer; what it queued goes on. Returns whether it was watched.
///
/// # Errors
/// If the database refuses.
pub fn remove(app: &App, id: &str) -> Result<bool> {
    let removed = app.store.remove_watch(id)?;
    app.watching.bell.notify_one();
    Ok(removed)
}

/// Looks at everything in a watched folder now, and tries again what failed.
///
/// # Errors
/// If the database refuses.
pub fn rescan(app: &App, watch: &Watch) -> Result<()> {
    app.store.try_failed_again(&watch.id)?;
    app.watching.look(&watch.id).changes.tell(|heard| heard.everything = true);
    Ok(())
}

/// A watched folder as clients see it.
///
/// # Errors
/// If the database refuses.
pub fn view(app: &App, watch: Watch) -> Result<WatchView> {
    let look = locked(&app.watching.looks).get(&watch.id).cloned();
    let Shown { problem, sets } = look.map(|look| locked(&look.shown).clone()).unwrap_or_default();
    let known = app.store.watched_of(&watch.id)?;
    let mut known: BTreeMap<String, Watched> =
        known.into_iter().map(|watched| (watched.name.clone(), watched)).collect();
    let sets = sets.unwrap_or_else(|| known.keys().map(|name| (name.clone(), None)).collect());
    let sets = sets.into_iter().map(|(name, waits)| set_view(app, known.remove(&name), name, waits));
    let sets = sets.collect::<Result<_>>()?;
    Ok(WatchView { id: watch.id, request: watch.request, problem, sets, created_at_ms: watch.created_at_ms })
}

fn set_view(app: &App, known: Option<Watched>, name: String, waits: Option<String>) -> Result<WatchedView> {
    let job = known.as_ref().and_then(|watched| watched.job.clone());
    let (state, text) = match (waits, known) {
        (Some(waits), _) => (WatchedState::Settling, waits),
        (None, None) => (WatchedState::Settling, "it was found just now".into()),
        (None, Some(watched)) if watched.state == WatchedState::Training => {
            (WatchedState::Training, progress(app, job.as_deref().unwrap_or_default())?)
        }
        (None, Some(watched)) => (watched.state, watched.text),
    };
    Ok(WatchedView { name, state, text, job })
}

/// How far a training is, in words.
fn progress(app: &App, id: &str) -> Result<String> {
    let Some(job) = app.store.get::<Job>(id)? else { return Ok("its training is gone".into()) };
    Ok(match job.work.state {
        JobState::Running if job.training.steps > 0 => format!("step {} of {}", job.training.step, job.training.steps),
        JobState::Running => "its training begins".into(),
        JobState::Paused => "its training is paused".into(),
        JobState::Queued | JobState::Interrupted => match app.store.ahead(id)? {
            Some(ahead) if ahead > 0 => format!("{ahead} trainings go before it"),
            _ => "it trains next".into(),
        },
        _ => "its training has just ended".into(),
    })
}
