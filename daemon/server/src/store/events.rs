//! The history of jobs, and listening to it.

use super::{Job, Store, get, now_ms, put};
use crate::Result;
use protocol::{Event, EventRecord};
use rusqlite::{Connection, params};
use tokio::sync::broadcast;

impl Store {
    /// Adds an event to a job's history and changes the job with it, in one transaction. Listeners see it at once.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn happened(&self, job: &str, event: Event, change: impl FnOnce(&mut Job)) -> Result<Option<Job>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let Some(mut document) = get::<Job>(&transaction, job)? else { return Ok(None) };
        change(&mut document);
        put(&transaction, &document)?;
        let record = append(&transaction, job, event)?;
        transaction.commit()?;
        drop(connection);
        self.announce(job, record);
        Ok(Some(document))
    }

    pub(super) fn announce(&self, job: &str, record: EventRecord) {
        // Nobody may be listening.
        let _ = self.live.send((job.to_owned(), record));
    }

    /// Up to `limit` events of a job behind the one numbered `after`.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn events(&self, job: &str, after: i64, limit: usize) -> Result<Vec<EventRecord>> {
        let connection = self.reader();
        let mut statement = connection
            .prepare_cached("SELECT id, at_ms, body FROM events WHERE job = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
        let rows = statement.query_map(params![job, after, limit], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
        })?;
        rows.map(|row| {
            let (id, at_ms, body) = row?;
            let event = serde_json::from_str(&body).map_err(crate::Error::bug)?;
            Ok(EventRecord { id, at_ms, event })
        })
        .collect()
    }

    /// Every event of every job from now on.
    pub fn listen(&self) -> broadcast::Receiver<(String, EventRecord)> {
        self.live.subscribe()
    }
}

/// Adds an event to a job's history.
pub(super) fn append(connection: &Connection, job: &str, event: Event) -> Result<EventRecord> {
    let at_ms = now_ms();
    let body = serde_json::to_string(&event).map_err(crate::Error::bug)?;
    connection
        .prepare_cached("INSERT INTO events (job, at_ms, body) VALUES (?1, ?2, ?3)")?
        .execute(params![job, at_ms, body])?;
    Ok(EventRecord { id: connection.last_insert_rowid(), at_ms, event })
}
