//! One watched folder, followed for as long as it is watched: looked at when something changes and now and then, each
//! data set taken when it is quiet, each result told.

use super::{
    Look, Shown, eyes,
    listing::{self, Listing, Set},
    result,
    settle::{Settle, Verdict},
    take::{Taken, take},
};
use crate::{
    App, Result,
    store::{Watch, Watched},
};
use protocol::WatchedState;
use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// For so long events are gathered before anything is done about them.
const GATHER: Duration = Duration::from_millis(200);
/// Time between two looks at a data set that keeps changing, at least; more where a look takes long.
const PAUSE: Duration = Duration::from_millis(500);
/// How much longer the pause is than the look.
const LEISURE: u32 = 10;
/// How long to wait after an error of the disk, the database or the folder.
const RETRY: Duration = Duration::from_secs(5);

/// Follows a watched folder.
pub struct Follower {
    app: Arc<App>,
    watch: Watch,
    look: Arc<Look>,
    /// The folder with links followed, as of the last time that it was there.
    root: PathBuf,
    sets: BTreeMap<String, Followed>,
    known: BTreeMap<String, Watched>,
    eyes: Option<notify::RecommendedWatcher>,
    rescan_at: Instant,
    patience: Instant,
    names_changed: bool,
    jobs_ended: bool,
    away: Option<String>,
    blind: Option<String>,
    loose: Vec<String>,
    mute: BTreeMap<String, String>,
}

struct Followed {
    set: Set,
    settle: Option<Settle>,
    /// When to look next.
    next: Option<Instant>,
    /// How long the last look took.
    took: Duration,
    /// Whether a failure that time may mend is tried again at the next look.
    again: bool,
    /// What it waits for.
    waits: Option<String>,
}

impl Follower {
    /// A follower that has seen nothing yet.
    pub fn new(app: Arc<App>, watch: Watch, look: Arc<Look>) -> Self {
        let now = Instant::now();
        Self {
            app,
            root: watch.real.clone(),
            watch,
            look,
            sets: BTreeMap::new(),
            known: BTreeMap::new(),
            eyes: None,
            rescan_at: now,
            patience: now,
            names_changed: false,
            jobs_ended: true,
            away: None,
            blind: None,
            loose: Vec::new(),
            mute: BTreeMap::new(),
        }
    }

    /// Follows until it is dropped. Whatever it is at then is found again by the next one.
    pub async fn run(mut self) {
        loop {
            self.hear();
            if Instant::now() >= self.patience
                && let Err(error) = self.work().await
            {
                tracing::error!("watching {}: {error}", self.watch.request.folder);
                self.patience = Instant::now() + RETRY;
            }
            self.show();
            let next = self.sets.values().filter_map(|followed| followed.next).chain([self.rescan_at]).min();
            let next = next.unwrap_or(self.rescan_at).max(self.patience);
            tokio::select! {
                () = self.look.changes.told() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
    }

    fn hear(&mut self) {
        let (heard, now) = (self.look.changes.take(), Instant::now());
        self.jobs_ended |= heard.jobs;
        if heard.everything {
            self.rescan_at = now;
        }
        for name in heard.sets {
            match self.sets.get_mut(&name) {
                None => self.names_changed = true,
                Some(followed) => {
                    let soon = now + PAUSE.max(followed.took * LEISURE);
                    followed.next = Some(followed.next.map_or(soon, |next| next.min(soon)));
                }
            }
        }
    }

    /// Does what is due, one data set at a time.
    async fn work(&mut self) -> Result<()> {
        if Instant::now() >= self.rescan_at {
            self.rescan().await?;
        } else if std::mem::take(&mut self.names_changed) {
            self.find_sets().await?;
        }
        let now = Instant::now();
        let due = self.sets.iter().filter(|(_, followed)| followed.next.is_some_and(|next| next <= now));
        if let Some(name) = due.min_by_key(|(_, followed)| followed.next).map(|(name, _)| name.clone()) {
            self.see(&name).await?;
        }
        if std::mem::take(&mut self.jobs_ended) {
            let open = self.known.values().filter(|watched| watched.is_open());
            for name in open.map(|watched| watched.name.clone()).collect::<Vec<_>>() {
                self.conclude(&name).await?;
            }
        }
        Ok(())
    }

    /// Looks at everything anew: also what the system said nothing of, as on network drives.
    async fn rescan(&mut self) -> Result<()> {
        let (app, id) = (self.app.clone(), self.watch.id.clone());
        let known = crate::blocking(move || app.store.watched_of(&id)).await?;
        self.known = known.into_iter().map(|watched| (watched.name.clone(), watched)).collect();
        self.rescan_at = Instant::now() + Duration::from_secs(self.watch.request.rescan_seconds);
        let (folder, changes) = (self.watch.request.folder.clone(), self.look.changes.clone());
        let opened = crate::blocking(move || {
            // Opened again each time: a drive that came back is another one to the system.
            let root = fs::canonicalize(folder);
            Ok(root.map(|root| (eyes::open(&root, changes), root)))
        });
        match opened.await? {
            Ok((eyes, root)) => {
                self.root = root;
                let seconds = self.watch.request.rescan_seconds;
                self.blind = eyes.as_ref().err().map(|why| format!("changes are seen every {seconds} s only: {why}"));
                self.eyes = eyes.ok();
            }
            Err(error) => {
                self.is_away(&error);
                return Ok(());
            }
        }
        self.find_sets().await?;
        for followed in self.sets.values_mut() {
            (followed.next, followed.again) = (Some(Instant::now()), true);
        }
        self.jobs_ended = true;
        Ok(())
    }

    fn is_away(&mut self, error: &io::Error) {
        let folder = &self.watch.request.folder;
        self.away = Some(format!("{folder} is not there ({error}); it is followed again when it is back"));
        self.eyes = None;
        self.rescan_at = self.rescan_at.min(Instant::now() + RETRY);
        for followed in self.sets.values_mut() {
            followed.next = None;
        }
    }

    /// Which data sets there are.
    async fn find_sets(&mut self) -> Result<()> {
        let root = self.root.clone();
        let (found, loose) = match crate::blocking(move || Ok(listing::sets(&root))).await? {
            Ok(found) => found,
            Err(error) => {
                self.is_away(&error);
                return Ok(());
            }
        };
        (self.away, self.loose) = (None, loose);
        let mut before = std::mem::take(&mut self.sets);
        for set in found {
            let followed = before.remove(&set.name).unwrap_or_else(|| Followed {
                set: set.clone(),
                settle: None,
                next: Some(Instant::now()),
                took: Duration::ZERO,
                again: false,
                waits: None,
            });
            self.sets.insert(set.name.clone(), Followed { set, ..followed });
        }
        self.mute.retain(|name, _| self.sets.contains_key(name));
        Ok(())
    }

    /// Looks at a data set, and takes it if it is quiet.
    async fn see(&mut self, name: &str) -> Result<()> {
        let Some(followed) = self.sets.get_mut(name) else { return Ok(()) };
        let (set, root, begun) = (followed.set.clone(), self.root.clone(), Instant::now());
        let looked = crate::blocking(move || Ok(set.list(&root))).await?;
        let now = Instant::now();
        followed.took = now - begun;
        let listing = match looked {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (followed.next, self.names_changed) = (None, true);
                // Where the whole folder is away, that is found out too.
                self.look.changes.tell(|_| {});
                return Ok(());
            }
            Err(error) => {
                followed.waits = Some(format!("it cannot be read ({error})"));
                followed.next = Some(now + RETRY);
                return Ok(());
            }
        };
        let known = self.known.get(name).filter(|watched| watched.stamp == listing.stamp());
        let again = std::mem::take(&mut followed.again)
            && known.is_some_and(|watched| watched.state == WatchedState::Failed && watched.fleeting);
        if known.is_some() && !again {
            (followed.next, followed.waits) = (None, None);
            return Ok(());
        }
        let quiet = Duration::from_secs(self.watch.request.quiet_seconds);
        let settle = followed.settle.get_or_insert_with(|| Settle::new(&listing, now));
        let files = listing.files.len();
        let (next, waits) = match settle.see(&listing, now, quiet) {
            Verdict::Quiet => return self.take(name, listing).await,
            // It was quiet before.
            Verdict::Changing(_) if again => return self.take(name, listing).await,
            Verdict::Changing(until) => (
                Some(until),
                format!("{files} files so far; it trains when nothing has changed for {} s", quiet.as_secs()),
            ),
            Verdict::Empty => (None, "there are no pictures in it yet".into()),
            Verdict::Unfinished(file) => {
                (Some(now + quiet), format!("`{file}` is still being written; remove it if that is not so"))
            }
        };
        (followed.next, followed.waits) = (next, Some(waits));
        Ok(())
    }

    async fn take(&mut self, name: &str, listing: Listing) -> Result<()> {
        let Some(followed) = self.sets.get_mut(name) else { return Ok(()) };
        followed.waits = Some("it is being read".into());
        let (set, root) = (followed.set.clone(), self.root.clone());
        self.show();
        let mut watched = self.known.get(name).cloned().unwrap_or_else(|| Watched::new(&self.watch.id, name));
        let taken = take(&self.app, &self.watch, &root, &set, &listing, &mut watched).await;
        let Some(followed) = self.sets.get_mut(name) else { return Ok(()) };
        let later = |followed: &mut Followed, why: String| {
            (followed.next, followed.waits) = (Some(Instant::now() + RETRY), Some(why));
        };
        match taken {
            Err(error) => {
                later(followed, format!("{error}; it is tried again"));
                return Err(error);
            }
            Ok(Taken::Later(why)) => {
                later(followed, why);
                return Ok(());
            }
            Ok(Taken::Changed) => {
                (followed.settle, followed.next) = (None, Some(Instant::now()));
                return Ok(());
            }
            Ok(Taken::Refused(text, fleeting)) => {
                // What was said already is not written again.
                let same = watched.state == WatchedState::Failed && watched.text == text && watched.told;
                (watched.state, watched.text, watched.job, watched.told) = (WatchedState::Failed, text, None, same);
                watched.fleeting = fleeting;
            }
            Ok(Taken::Job(job)) => {
                (watched.state, watched.text, watched.job) = (WatchedState::Training, String::new(), Some(job.id));
                (watched.fleeting, watched.told) = (false, false);
                let set = set.clone();
                crate::blocking(move || {
                    result::take_back_error(&set);
                    Ok(())
                })
                .await?;
            }
        }
        self.keep(watched).await?;
        if let Some(followed) = self.sets.get_mut(name) {
            (followed.next, followed.waits) = (None, None);
        }
        self.conclude(name).await
    }

    async fn keep(&mut self, watched: Watched) -> Result<()> {
        let (app, stored) = (self.app.clone(), watched.clone());
        crate::blocking(move || app.store.keep_watched(&stored)).await?;
        self.known.insert(watched.name.clone(), watched);
        Ok(())
    }

    /// Tells a data set's folder what became of it, if it is over.
    async fn conclude(&mut self, name: &str) -> Result<()> {
        let (Some(followed), Some(watched)) = (self.sets.get(name), self.known.get(name)) else { return Ok(()) };
        let (app, set, mut watched) = (self.app.clone(), followed.set.clone(), watched.clone());
        let concluded = crate::blocking(move || {
            let trouble = result::conclude(&app, &set, &mut watched)?;
            Ok((watched, trouble))
        });
        let (watched, trouble) = concluded.await?;
        match trouble {
            Some(trouble) => drop(self.mute.insert(name.to_owned(), trouble)),
            None => drop(self.mute.remove(name)),
        }
        match self.known.get(name) == Some(&watched) {
            true => Ok(()),
            false => self.keep(watched).await,
        }
    }

    /// Lets everybody see how things stand.
    fn show(&self) {
        let mut problems: Vec<String> = [&self.away, &self.blind].into_iter().flatten().cloned().collect();
        problems.extend(self.mute.values().next().cloned());
        if let Some(first) = self.loose.first() {
            let count = self.loose.len();
            problems.push(format!(
                "{count} pictures lie in no folder of their own ({first} ...); make one for each concept"
            ));
        }
        let sets = self.sets.iter().map(|(name, followed)| (name.clone(), followed.waits.clone())).collect();
        // Where the folder is away, what was known of it still stands.
        let sets = (self.away.is_none() || !self.sets.is_empty()).then_some(sets);
        self.look.show(Shown { problem: (!problems.is_empty()).then(|| problems.join("; ")), sets });
    }
}
