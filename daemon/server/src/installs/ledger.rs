//! Which files of ours lie in which host, by path and content: what is not in here is not ours.

use crate::{
    App, Result,
    hosts::{Host, title},
    store::{Document, Store},
};
use protocol::{HostKind, InstallState, InstallView, PromptTarget};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How far an install is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Some of its files may be there; after a crash they are taken back.
    Placing,
    /// All of its files are there.
    Placed,
    /// Its files go as soon as the host lets go of them.
    Leaving,
}

/// A concept in a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Install {
    /// What it is found by.
    pub id: String,
    /// The concept's id.
    pub concept: String,
    /// The host's id.
    pub host: String,
    /// What the host is.
    pub kind: HostKind,
    /// Name of the files there.
    pub stem: String,
    /// How far it is.
    pub progress: Progress,
    /// Paths with SHA-256 of what was written there.
    pub files: Vec<(PathBuf, String)>,
    /// What the host said, and the same for people.
    pub seen: (InstallState, String),
    /// What may keep it from working.
    pub warnings: Vec<String>,
}

impl Document for Install {
    const TABLE: &'static str = "installs";

    fn id(&self) -> &str {
        &self.id
    }

    fn index(&self, connection: &Connection) -> Result<()> {
        let sql = "UPDATE installs SET concept = ?2, host = ?3 WHERE id = ?1";
        connection.execute(sql, params![self.id, self.concept, self.host])?;
        Ok(())
    }
}

impl Install {
    /// What clients see. `whole` says whether every file was found unchanged.
    pub fn view(&self, whole: bool) -> InstallView {
        let (state, text) = match self.progress {
            Progress::Leaving => {
                (InstallState::Leaving, format!("{} still uses a file; all go when it lets go", title(self.kind)))
            }
            _ if !whole => {
                (InstallState::Changed, "a file is gone or was changed; installing again repairs this".to_owned())
            }
            _ => self.seen.clone(),
        };
        InstallView {
            concept: self.concept.clone(),
            host: self.host.clone(),
            kind: self.kind,
            state,
            text,
            stem: self.stem.clone(),
            files: self.files.iter().map(|(path, _)| path.display().to_string()).collect(),
            warnings: self.warnings.clone(),
        }
    }

    /// The view, with a look at whether the files are there.
    pub fn glance(&self) -> InstallView {
        self.view(self.files.iter().all(|(path, _)| path.is_file()))
    }
}

/// Where a concept is installed, for clients.
///
/// # Errors
/// If the database refuses.
pub fn of_concept(app: &App, concept: &str) -> Result<Vec<InstallView>> {
    let installs = app.store.installs("concept", concept)?;
    Ok(installs.iter().filter(|one| one.progress != Progress::Placing).map(Install::glance).collect())
}

/// What the files of a concept are called in hosts whose prompts are of this kind: as they were installed last.
///
/// # Errors
/// If the database refuses.
pub fn stem_in(app: &App, concept: &str, target: PromptTarget) -> Result<Option<String>> {
    let reads = |kind| match kind {
        HostKind::Comfyui => PromptTarget::Comfyui,
        HostKind::A1111 | HostKind::Forge => PromptTarget::A1111,
    };
    let installs = app.store.installs("concept", concept)?;
    let last = installs.into_iter().rfind(|one| one.progress == Progress::Placed && reads(one.kind) == target);
    Ok(last.map(|one| one.stem))
}

impl Store {
    /// The installs of a concept or a host.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn installs(&self, column: &'static str, id: &str) -> Result<Vec<Install>> {
        self.having(column, id)
    }
}

/// A failed attempt for clients: nothing of it is there.
pub fn failed(concept: &str, host: &Host, stem: &str, why: &str) -> InstallView {
    InstallView {
        concept: concept.to_owned(),
        host: host.view.id.clone(),
        kind: host.view.kind,
        state: InstallState::Failed,
        text: format!("not installed into {} at {}: {why}", title(host.view.kind), host.view.folder),
        stem: stem.to_owned(),
        files: Vec::new(),
        warnings: Vec::new(),
    }
}
