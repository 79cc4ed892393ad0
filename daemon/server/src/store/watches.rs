//! Watched folders, and what became of the data sets in them.

use super::{Document, Store, get, insert, put};
use crate::Result;
use protocol::{WatchRequest, WatchedState};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Keys of requests that begin so are never forgotten: what a watched folder trained once is not trained again.
pub const WATCH_KEY: &str = "watch ";

/// A watched folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Watch {
    /// What it is found by; follows from the folder, so that one that is watched again is the same.
    pub id: String,
    /// What was asked.
    pub request: WatchRequest,
    /// The folder with links followed, as it was when it was made known.
    pub real: PathBuf,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

impl Document for Watch {
    const TABLE: &'static str = "watches";

    fn id(&self) -> &str {
        &self.id
    }
}

/// A data set of a watched folder that was quiet at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// What it is found by: watch and name.
    pub id: String,
    /// The watch.
    pub watch: String,
    /// Its path inside the watched folder, with `/` on every system.
    pub name: String,
    /// Names, sizes and times of its files when it was last taken.
    pub stamp: String,
    /// Digest of their contents, once they were read.
    pub content: Option<String>,
    /// How often somebody wanted another try behind a failure.
    pub tries: u64,
    /// How it stands.
    pub state: WatchedState,
    /// The same for people.
    pub text: String,
    /// The job that trains it or did.
    pub job: Option<String>,
    /// Whether time may mend the failure, such as a base that is not there yet.
    pub fleeting: bool,
    /// Whether the folder says how it stands.
    pub told: bool,
}

impl Watched {
    /// A data set that nothing is known of.
    pub fn new(watch: &str, name: &str) -> Self {
        Self {
            id: format!("{watch}/{name}"),
            watch: watch.to_owned(),
            name: name.to_owned(),
            stamp: String::new(),
            content: None,
            tries: 0,
            state: WatchedState::Settling,
            text: String::new(),
            job: None,
            fleeting: false,
            told: true,
        }
    }

    /// Whether something is still to happen without any change in the folder.
    pub fn is_open(&self) -> bool {
        self.state == WatchedState::Training || !self.told
    }
}

impl Document for Watched {
    const TABLE: &'static str = "watched";

    fn id(&self) -> &str {
        &self.id
    }

    fn index(&self, connection: &Connection) -> Result<()> {
        connection.prepare_cached("UPDATE watched SET watch = ?2, open = ?3 WHERE id = ?1")?.execute(params![
            self.id,
            self.watch,
            self.is_open()
        ])?;
        Ok(())
    }
}

impl Store {
    /// Every data set of a watch, by name.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn watched_of(&self, watch: &str) -> Result<Vec<Watched>> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT body FROM watched WHERE watch = ?1 ORDER BY id")?;
        let rows = statement.query_map([watch], |row| row.get::<_, String>(0))?;
        rows.map(|body| super::read(&body?)).collect()
    }

    /// Writes down how a data set stands; nothing if its watch is gone.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn keep_watched(&self, watched: &Watched) -> Result<()> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        if get::<Watch>(&transaction, &watched.watch)?.is_none() {
            return Ok(());
        }
        match get::<Watched>(&transaction, &watched.id)? {
            None => insert(&transaction, watched)?,
            // A try that was asked for meanwhile stays asked for.
            Some(before) => put(&transaction, &Watched { tries: watched.tries.max(before.tries), ..watched.clone() })?,
        }
        Ok(transaction.commit()?)
    }

    /// Asks for another try of everything that failed in a watch.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn try_failed_again(&self, watch: &str) -> Result<()> {
        for watched in self.watched_of(watch)?.iter().filter(|watched| watched.state == WatchedState::Failed) {
            self.update::<Watched, _>(&watched.id, |watched| {
                if watched.state == WatchedState::Failed {
                    watched.tries += 1;
                    watched.stamp.clear();
                }
            })?;
        }
        Ok(())
    }

    /// Forgets a watch with what is known of its data sets; returns whether it was there.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn remove_watch(&self, id: &str) -> Result<bool> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM watched WHERE watch = ?1", [id])?;
        let removed = transaction.execute("DELETE FROM watches WHERE id = ?1", [id])?;
        transaction.commit()?;
        Ok(removed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::now_ms;

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("a.db")).expect("opened")
    }

    fn watch(store: &Store) {
        let request = serde_json::json!({ "folder": "/w", "mode": "face", "base": "xl" });
        let request = serde_json::from_value(request).expect("a request");
        let watch = Watch { id: "w".into(), request, real: "/w".into(), created_at_ms: 0 };
        store.insert(&watch).expect("stored");
    }

    #[test]
    fn data_sets_are_kept_as_long_as_their_watch() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let fox = Watched { state: WatchedState::Failed, stamp: "s".into(), ..Watched::new("w", "fox") };
        store.keep_watched(&fox).expect("kept");
        assert!(store.watched_of("w").expect("read").is_empty(), "there is no such watch");
        watch(&store);
        store.keep_watched(&fox).expect("kept");
        store.try_failed_again("w").expect("noted");
        let read = || store.watched_of("w").expect("read").pop().expect("one");
        assert_eq!((read().tries, read().stamp.as_str()), (1, ""));
        store.keep_watched(&fox).expect("kept");
        assert_eq!((read().tries, read().stamp.as_str()), (1, "s"), "what was asked for meanwhile is not lost");
        assert!(store.remove_watch("w").expect("removed") && !store.remove_watch("w").expect("gone"));
        assert!(store.watched_of("w").expect("read").is_empty());
    }

    #[test]
    fn what_was_trained_from_a_watched_folder_is_never_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        watch(&store);
        for key in ["watch dataset-1 x 0", "/v1/jobs watch "] {
            let document = Watched::new("w", key);
            store.insert_once(document, Some((key, "body"))).expect("stored");
        }
        store.forget_requests(now_ms() + 1).expect("forgotten");
        assert!(store.request("watch dataset-1 x 0").expect("read").is_some());
        assert!(store.request("/v1/jobs watch ").expect("read").is_none());
    }
}
