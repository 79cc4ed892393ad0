//! Everything that is known, in SQLite. Each thing is one JSON document in the table of its kind, beside the few columns
//! that it is found by.

mod dataset;
mod documents;
mod events;
mod names;
mod queue;
mod watches;

pub use dataset::DatasetRecord;
pub use documents::{Checkpoint, Concept, Creation, Document, Job, Training, Work, WorkerIdentity};
pub use queue::{Claim, Queue, Submitted};
pub use watches::{WATCH_KEY, Watch, Watched};

use crate::Result;
use protocol::EventRecord;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::broadcast;

/// Applied in order, once each; `user_version` counts them. Never change one that was released: add another.
const MIGRATIONS: [&str; 2] = [include_str!("1.sql"), include_str!("2.sql")];
/// How long one connection waits for another.
const BUSY: Duration = Duration::from_secs(5);
/// Events that a slow listener may lag behind before it reads them from the table again.
const LIVE_EVENTS: usize = 1024;

/// The database.
pub struct Store {
    writer: Mutex<Connection>,
    /// Answers questions while the writer waits for the disk.
    reader: Mutex<Connection>,
    live: broadcast::Sender<(String, EventRecord)>,
}

impl Store {
    /// Opens the database, and brings it up to date.
    ///
    /// # Errors
    /// If it cannot be opened, or was written by a newer conceptd.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        // What a client was told to be accepted must survive a power cut.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
        let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > MIGRATIONS.len() {
            return Err(crate::Error::Config(format!(
                "{} was written by a newer conceptd; use that one",
                path.display()
            )));
        }
        for (number, migration) in MIGRATIONS.iter().enumerate().skip(version) {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number + 1)?;
            transaction.commit()?;
        }
        let reader =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        reader.busy_timeout(BUSY)?;
        let live = broadcast::channel(LIVE_EVENTS).0;
        Ok(Self { writer: Mutex::new(connection), reader: Mutex::new(reader), live })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no transaction open: rusqlite rolls back when one is dropped.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a new document.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn insert<D: Document>(&self, document: &D) -> Result<()> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        insert(&transaction, document)?;
        Ok(transaction.commit()?)
    }

    /// Finds a document.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn get<D: Document>(&self, id: &str) -> Result<Option<D>> {
        get(&self.reader(), id)
    }

    /// Changes a document in one transaction; `None` if there is none.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn update<D: Document, R>(&self, id: &str, change: impl FnOnce(&mut D) -> R) -> Result<Option<(D, R)>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let Some(mut document) = get::<D>(&transaction, id)? else { return Ok(None) };
        let result = change(&mut document);
        put(&transaction, &document)?;
        transaction.commit()?;
        Ok(Some((document, result)))
    }

    /// Removes a document; returns whether it was there.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn remove<D: Document>(&self, id: &str) -> Result<bool> {
        Ok(self.writer().execute(&format!("DELETE FROM {} WHERE id = ?1", D::TABLE), [id])? > 0)
    }

    /// Up to `limit` documents, newest first, behind the one with the id `after`; and the id that the next page is behind.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn page<D: Document>(&self, after: Option<&str>, limit: usize) -> Result<(Vec<D>, Option<String>)> {
        let connection = self.reader();
        let table = D::TABLE;
        let below: i64 = match after {
            None => i64::MAX,
            Some(id) => connection
                .query_row(&format!("SELECT seq FROM {table} WHERE id = ?1"), [id], |row| row.get(0))
                .optional()?
                .unwrap_or(0),
        };
        let mut statement = connection
            .prepare_cached(&format!("SELECT body FROM {table} WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"))?;
        let rows = statement.query_map(params![below, limit + 1], |row| row.get::<_, String>(0))?;
        let mut items = rows.map(|body| read::<D>(&body?)).collect::<Result<Vec<D>>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.id().to_owned());
        Ok((items, next))
    }

    /// Every document of a kind, oldest first.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn all<D: Document>(&self) -> Result<Vec<D>> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("SELECT body FROM {} ORDER BY seq", D::TABLE))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|body| read(&body?)).collect()
    }

    /// Documents whose column holds a value, oldest first.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn having<D: Document>(&self, column: &'static str, value: &str) -> Result<Vec<D>> {
        let connection = self.reader();
        let sql = format!("SELECT body FROM {} WHERE {column} = ?1 ORDER BY seq", D::TABLE);
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map([value], |row| row.get::<_, String>(0))?;
        rows.map(|body| read(&body?)).collect()
    }

    /// Forgets what repeated requests made before `before_ms`, except in watched folders.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn forget_requests(&self, before_ms: i64) -> Result<()> {
        let sql = "DELETE FROM requests WHERE at_ms < ?1 AND key NOT LIKE ?2 || '%'";
        self.writer().execute(sql, params![before_ms, WATCH_KEY])?;
        Ok(())
    }

    /// What a request with this key made, with the digest of its body.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn request(&self, key: &str) -> Result<Option<(String, String)>> {
        request(&self.reader(), key)
    }

    /// Stores a new document once for a key: what an earlier request with the key made is returned instead.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn insert_once<D: Document>(&self, document: D, key: Option<(&str, &str)>) -> Result<Submitted<D>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        if let Some(earlier) = earlier::<D>(&transaction, key)? {
            return Ok(earlier);
        }
        insert(&transaction, &document)?;
        remember(&transaction, key, document.id())?;
        transaction.commit()?;
        Ok(Submitted::New(document))
    }
}

fn request(connection: &Connection, key: &str) -> Result<Option<(String, String)>> {
    let row = connection.query_row("SELECT made, body_sha256 FROM requests WHERE key = ?1", [key], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    Ok(row.optional()?)
}

/// What an earlier request with this key made, if there was one.
fn earlier<D: Document>(connection: &Connection, key: Option<(&str, &str)>) -> Result<Option<Submitted<D>>> {
    let Some((key, body)) = key else { return Ok(None) };
    let Some((made, earlier_body)) = request(connection, key)? else { return Ok(None) };
    if earlier_body != body {
        return Ok(Some(Submitted::OtherBody));
    }
    Ok(get(connection, &made)?.map(Submitted::Earlier))
}

fn remember(connection: &Connection, key: Option<(&str, &str)>, made: &str) -> Result<()> {
    if let Some((key, body)) = key {
        connection.execute(
            "INSERT OR REPLACE INTO requests (key, body_sha256, made, at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![key, body, made, now_ms()],
        )?;
    }
    Ok(())
}

fn insert<D: Document>(connection: &Connection, document: &D) -> Result<()> {
    connection.execute(
        &format!("INSERT INTO {} (id, body) VALUES (?1, ?2)", D::TABLE),
        params![document.id(), write(document)?],
    )?;
    document.index(connection)?;
    Ok(())
}

fn put<D: Document>(connection: &Connection, document: &D) -> Result<()> {
    let sql = format!("UPDATE {} SET body = ?2 WHERE id = ?1", D::TABLE);
    connection.prepare_cached(&sql)?.execute(params![document.id(), write(document)?])?;
    document.index(connection)?;
    Ok(())
}

fn get<D: Document>(connection: &Connection, id: &str) -> Result<Option<D>> {
    let mut statement = connection.prepare_cached(&format!("SELECT body FROM {} WHERE id = ?1", D::TABLE))?;
    let body: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
    body.map(|body| read(&body)).transpose()
}

fn read<D: Document>(body: &str) -> Result<D> {
    serde_json::from_str(body).map_err(|error| crate::Error::Bug(format!("a document of {}: {error}", D::TABLE)))
}

fn write<D: Document>(document: &D) -> Result<String> {
    serde_json::to_string(document).map_err(crate::Error::bug)
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(id: &str) -> DatasetRecord {
        let survey = protocol::Survey { pictures: Vec::new(), skipped: Vec::new(), notes: Vec::new() };
        DatasetRecord { bytes: 1, ..DatasetRecord::new(id.into(), survey) }
    }

    #[test]
    fn documents_are_paged_changed_and_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.db")).expect("opened");
        for id in ["a", "b", "c"] {
            store.insert(&dataset(id)).expect("stored");
        }
        let ids = |page: &[DatasetRecord]| page.iter().map(|d| d.id.clone()).collect::<Vec<_>>();
        let (first, next) = store.page::<DatasetRecord>(None, 2).expect("a page");
        assert_eq!((ids(&first), next.as_deref()), (vec!["c".to_owned(), "b".into()], Some("b")));
        let (last, next) = store.page::<DatasetRecord>(next.as_deref(), 2).expect("a page");
        assert_eq!((ids(&last), next), (vec!["a".to_owned()], None));
        store.update::<DatasetRecord, _>("a", |d| d.bytes = 9).expect("changed").expect("there");
        drop(store);
        let store = Store::open(&folder.path().join("a.db")).expect("opened again");
        assert_eq!(store.get::<DatasetRecord>("a").expect("read").map(|d| d.bytes), Some(9));
        let key = Some(("key", "body"));
        assert!(matches!(store.insert_once(dataset("d"), key), Ok(Submitted::New(_))));
        assert!(matches!(store.insert_once(dataset("e"), key), Ok(Submitted::Earlier(d)) if d.id == "d"));
        assert!(matches!(store.insert_once(dataset("f"), Some(("key", "other"))), Ok(Submitted::OtherBody)));
        assert!(store.remove::<DatasetRecord>("d").expect("removed"));
    }
}
