//! The queue: what is submitted waits, is claimed by a lane, and is acknowledged when it ends.

use super::{
    Creation, DatasetRecord, Job, Store, Work, WorkerIdentity, earlier, events::append, get, insert, now_ms, put,
    remember,
};
use crate::{Error, Result};
use protocol::{Event, JobState};
use rusqlite::{Connection, OptionalExtension, params};

/// What became of a submission.
pub enum Submitted<D> {
    /// It is stored.
    New(D),
    /// An earlier request with the same key made this.
    Earlier(D),
    /// An earlier request with the same key had another body.
    OtherBody,
    /// What it is to be made of was deleted meanwhile.
    Gone,
}

/// Something that a lane is to do.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A training.
    Train(Box<Job>),
    /// Pictures.
    Draw(Box<Creation>),
}

/// Work for lanes. [`Store`] is the one on this machine; a studio with many machines puts another behind it.
pub trait Queue: Send + Sync {
    /// Adds a training, once for a key.
    ///
    /// # Errors
    /// If the queue refuses.
    fn submit(&self, job: Job, key: Option<(&str, &str)>) -> Result<Submitted<Job>>;
    /// Takes what is next: by priority, pictures before trainings, then in order. It is running from now on.
    ///
    /// # Errors
    /// If the queue refuses.
    fn claim(&self) -> Result<Option<Claim>>;
    /// Says that a worker is at it.
    ///
    /// # Errors
    /// If the queue refuses.
    fn heartbeat(&self, id: &str, worker: &WorkerIdentity) -> Result<()>;
    /// Says that a training is no longer run by this lane: `settle` gives it its new state.
    ///
    /// # Errors
    /// If the queue refuses.
    fn ack(&self, id: &str, settle: &mut dyn FnMut(&mut Job)) -> Result<()>;
}

impl Queue for Store {
    fn submit(&self, mut job: Job, key: Option<(&str, &str)>) -> Result<Submitted<Job>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        if let Some(earlier) = earlier::<Job>(&transaction, key)? {
            return Ok(earlier);
        }
        if get::<DatasetRecord>(&transaction, &job.request.dataset)?.is_none() {
            return Ok(Submitted::Gone);
        }
        job.stem = free_stem(&transaction, &job.stem)?;
        job.work.place = next_place(&transaction)?;
        insert(&transaction, &job)?;
        remember(&transaction, key, &job.id)?;
        let record = append(&transaction, &job.id, Event::State { state: job.work.state })?;
        transaction.commit()?;
        drop(connection);
        self.announce(&job.id, record);
        Ok(Submitted::New(job))
    }

    fn claim(&self) -> Result<Option<Claim>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let next: Option<(String, String)> = transaction
            .query_row(
                "SELECT id, kind FROM queue WHERE state = 'queued' ORDER BY priority DESC, kind = 'draw' DESC, place LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((id, kind)) = next else { return Ok(None) };
        let begin = |work: &mut Work| {
            work.state = JobState::Running;
            work.started_at_ms.get_or_insert_with(now_ms);
        };
        let gone = || Error::bug(format!("`{id}` is in the queue and nowhere else"));
        let mut record = None;
        let claim = if kind == "train" {
            let mut job = get::<Job>(&transaction, &id)?.ok_or_else(gone)?;
            begin(&mut job.work);
            job.training.attempts += 1;
            put(&transaction, &job)?;
            record = Some(append(&transaction, &id, Event::State { state: JobState::Running })?);
            Claim::Train(Box::new(job))
        } else {
            let mut creation = get::<Creation>(&transaction, &id)?.ok_or_else(gone)?;
            begin(&mut creation.work);
            put(&transaction, &creation)?;
            Claim::Draw(Box::new(creation))
        };
        transaction.commit()?;
        drop(connection);
        if let Some(record) = record {
            self.announce(&id, record);
        }
        Ok(Some(claim))
    }

    fn heartbeat(&self, id: &str, worker: &WorkerIdentity) -> Result<()> {
        self.update::<Job, _>(id, |job| job.work.worker = Some(worker.clone()))?;
        Ok(())
    }

    fn ack(&self, id: &str, settle: &mut dyn FnMut(&mut Job)) -> Result<()> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let Some(mut job) = get::<Job>(&transaction, id)? else { return Ok(()) };
        job.work.worker = None;
        settle(&mut job);
        if job.work.state.is_final() {
            job.work.finished_at_ms = Some(now_ms());
        }
        put(&transaction, &job)?;
        let event = match &job.work.failure {
            Some(failure) if job.work.state == JobState::Failed => Event::Failed { failure: failure.clone() },
            _ => Event::State { state: job.work.state },
        };
        let record = append(&transaction, id, event)?;
        transaction.commit()?;
        drop(connection);
        self.announce(id, record);
        Ok(())
    }
}

impl Store {
    /// How many wait, and how many of them go before the one with this id.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn ahead(&self, id: &str) -> Result<Option<u64>> {
        let connection = self.reader();
        let own: Option<(i64, f64)> = connection
            .prepare_cached("SELECT priority, place FROM queue WHERE id = ?1 AND state = 'queued'")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((priority, place)) = own else { return Ok(None) };
        let count = connection
            .prepare_cached(
                "SELECT count(*) FROM queue WHERE kind = 'train' AND state = 'queued' \
                 AND (priority > ?1 OR (priority = ?1 AND place < ?2))",
            )?
            .query_row(params![priority, place], |row| row.get(0))?;
        Ok(Some(count))
    }

    /// How many things are in each state.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn waiting(&self) -> Result<Vec<(String, String, u64)>> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT kind, state, count(*) FROM queue GROUP BY kind, state")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Adds a creation behind the others, once for a key.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn submit_creation(&self, mut creation: Creation, key: Option<(&str, &str)>) -> Result<Submitted<Creation>> {
        creation.work.place = next_place(&self.writer())?;
        self.insert_once(creation, key)
    }

    /// A place directly before the queued training `before`.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn place_before(&self, before: &str) -> Result<Option<f64>> {
        let connection = self.reader();
        let place: Option<(i64, f64)> = connection
            .query_row("SELECT priority, place FROM queue WHERE id = ?1 AND state = 'queued'", [before], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((priority, place)) = place else { return Ok(None) };
        let earlier: Option<f64> = connection.query_row(
            "SELECT max(place) FROM queue WHERE state = 'queued' AND priority = ?1 AND place < ?2",
            params![priority, place],
            |row| row.get(0),
        )?;
        Ok(Some(earlier.map_or(place - 1.0, |earlier| (earlier + place) / 2.0)))
    }

    /// The first of `stem`, `stem-v2`, ... that neither a job nor a concept has.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn free_stem(&self, stem: &str) -> Result<String> {
        free_stem(&self.reader(), stem)
    }

    /// Whether a job or a concept has a name for its files.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn has_stem(&self, stem: &str) -> Result<bool> {
        has_stem(&self.reader(), stem)
    }

    /// Seconds of training for one picture in a setting, as last measured.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn speed(&self, setting: &str) -> Result<Option<f64>> {
        let sql = "SELECT seconds FROM speeds WHERE setting = ?1";
        Ok(self.reader().query_row(sql, [setting], |row| row.get(0)).optional()?)
    }

    /// Remembers how fast a setting was.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn measured(&self, setting: &str, seconds: f64) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO speeds (setting, seconds) VALUES (?1, ?2)";
        self.writer().execute(sql, params![setting, seconds])?;
        Ok(())
    }
}

/// Hosts keep stale weights of a file that is replaced, so no two concepts ever share a file name.
fn free_stem(connection: &Connection, stem: &str) -> Result<String> {
    let mut candidate = stem.to_owned();
    let mut version = 1;
    while has_stem(connection, &candidate)? {
        version += 1;
        candidate = format!("{stem}-v{version}");
    }
    Ok(candidate)
}

fn has_stem(connection: &Connection, stem: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE stem = ?1) OR EXISTS (SELECT 1 FROM concepts WHERE stem = ?1)";
    Ok(connection.prepare_cached(sql)?.query_row([stem], |row| row.get(0))?)
}

fn next_place(connection: &Connection) -> Result<f64> {
    Ok(connection.query_row("SELECT ifnull(max(place), 0) + 1 FROM queue", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Training;
    use protocol::{Mode, TrainRequest};

    fn job(id: &str, priority: i64) -> Job {
        let request = serde_json::json!({ "dataset": "d", "name": "Fox", "base": "b" });
        let request: TrainRequest = serde_json::from_value(request).expect("a request");
        Job {
            id: id.into(),
            request,
            mode: Mode::Object,
            stem: "fox".into(),
            base_name: "b".into(),
            base: "b".into(),
            continue_from: None,
            captions: Default::default(),
            left_out: Default::default(),
            focuses: Default::default(),
            work: Work::queued(priority),
            training: Training::default(),
            concept: None,
            installs: Vec::new(),
        }
    }

    /// With the data set that the jobs learn.
    fn opened(folder: &tempfile::TempDir) -> Store {
        let store = Store::open(&folder.path().join("a.db")).expect("opened");
        let dataset = serde_json::json!({ "id": "d", "bytes": 0, "created_at_ms": 0, "captions": {},
            "survey": { "pictures": [], "skipped": [], "notes": [] } });
        store.insert::<DatasetRecord>(&serde_json::from_value(dataset).expect("a data set")).expect("stored");
        store
    }

    fn claimed(store: &Store) -> Option<String> {
        match store.claim().expect("a claim")? {
            Claim::Train(job) => Some(job.id),
            Claim::Draw(creation) => Some(creation.id),
        }
    }

    #[test]
    fn work_is_claimed_once_by_priority_and_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(&folder);
        let mut stems = Vec::new();
        for (id, priority) in [("a", 0), ("b", 0), ("c", 5), ("d", 0)] {
            match store.submit(job(id, priority), None).expect("submitted") {
                Submitted::New(job) => stems.push(job.stem),
                _ => panic!("new"),
            }
        }
        assert_eq!(stems, ["fox", "fox-v2", "fox-v3", "fox-v4"], "no two share files");
        assert_eq!(["a", "b", "c", "d"].map(|id| store.ahead(id).expect("counted")), [1, 2, 0, 3].map(Some));
        let place = store.place_before("a").expect("a place").expect("queued");
        store.update::<Job, _>("d", |job| job.work.place = place).expect("moved");
        let order: Vec<_> = std::iter::from_fn(|| claimed(&store)).collect();
        assert_eq!(order, ["c", "d", "a", "b"]);
    }

    #[test]
    fn what_an_earlier_daemon_left_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(&folder);
        for id in ["ran", "ended"] {
            store.submit(job(id, 0), None).expect("submitted");
            claimed(&store);
        }
        store.update::<Job, _>("ended", |job| job.work.state = JobState::Cancelling).expect("changed");
        crate::jobs::recover(&store).expect("recovered");
        let state = |id| store.get::<Job>(id).expect("read").map(|job| job.work.state);
        assert_eq!((state("ran"), state("ended")), (Some(JobState::Queued), Some(JobState::Cancelled)));
        let told: Vec<Event> =
            store.events("ran", 0, 10).expect("events").into_iter().map(|record| record.event).collect();
        let states = [JobState::Queued, JobState::Running, JobState::Interrupted, JobState::Queued];
        assert_eq!(told, states.map(|state| Event::State { state }));
        store.ack("ran", &mut |job| job.work.state = JobState::Done).expect("settled");
        assert_eq!(claimed(&store), None, "what is over is not done again");
    }

    #[test]
    fn a_data_set_and_a_training_of_it_are_not_deleted_and_begun_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = opened(&folder);
        store.submit(job("a", 0), None).expect("submitted");
        assert_eq!(store.remove_dataset("d").expect("asked"), Err("Fox".to_owned()));
        store.update::<Job, _>("a", |job| job.work.state = JobState::Cancelled).expect("ended");
        assert_eq!(store.remove_dataset("d").expect("removed"), Ok(true));
        assert!(matches!(store.submit(job("b", 0), None), Ok(Submitted::Gone)));
        assert_eq!(store.remove_dataset("d").expect("asked"), Ok(false));
    }

    #[test]
    fn a_repeated_request_makes_one_job() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = std::sync::Arc::new(opened(&folder));
        let submit = |id: String| {
            let store = store.clone();
            std::thread::spawn(move || {
                matches!(store.submit(job(&id, 0), Some(("key", "body"))), Ok(Submitted::New(_)))
            })
        };
        let threads: Vec<_> = (0..20).map(|i| submit(format!("job-{i}"))).collect();
        let made = threads.into_iter().map(|thread| thread.join().expect("joined"));
        assert_eq!(made.filter(|new| *new).count(), 1);
        assert!(matches!(store.submit(job("x", 0), Some(("key", "other"))), Ok(Submitted::OtherBody)));
    }
}
