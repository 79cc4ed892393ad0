//! What every part of the daemon shares.

use crate::{
    Config, Home, Layered, Result, card,
    jobs::Controls,
    metrics::Metrics,
    models::Models,
    platform,
    preparing::Looking,
    session::Sessions,
    store::{Document, Store},
    watch::Watching,
};
use protocol::{Device, SettingOrigin};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};
use tokio::sync::{Semaphore, watch};

/// The running daemon.
pub struct App {
    /// Its home folder.
    pub home: Home,
    /// Its settings.
    pub config: Config,
    /// Everything that is known.
    pub(crate) store: Store,
    /// Where its settings come from.
    pub(crate) origins: BTreeMap<String, SettingOrigin>,
    /// What requests must show.
    pub(crate) sessions: Sessions,
    /// The program that workers run.
    pub(crate) program: PathBuf,
    /// The port that is listened on.
    pub(crate) port: u16,
    /// The wires to running jobs.
    pub(crate) controls: Controls,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// The checkpoints.
    pub(crate) models: Models,
    /// The watched folders.
    pub(crate) watching: Watching,
    /// One survey at a time: each decodes pictures.
    pub(crate) surveys: Semaphore,
    /// One captioning or examination at a time.
    pub(crate) looks: Semaphore,
    /// Those that go on.
    pub(crate) looking: Looking,
    /// Held while concepts are promoted, deleted and restored.
    pub(crate) library: Mutex<()>,
    /// Held while files of hosts change.
    pub(crate) installing: Mutex<()>,
    stop: watch::Sender<bool>,
    memory_budget: u64,
    /// What trainings may take on the graphics card, once that was asked for.
    card: OnceLock<Option<u64>>,
}

impl App {
    /// Opens the database of a home.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn open(home: Home, settings: Layered, token: String, program: PathBuf, port: u16) -> Result<Self> {
        let Layered { config, origins } = settings;
        let store = Store::open(&home.database())?;
        let memory_budget = match config.memory_budget {
            0 => platform::memory_bytes() / 10 * 9,
            bytes => bytes,
        };
        Ok(Self {
            models: Models::new(&home, &config),
            home,
            config,
            origins,
            store,
            sessions: Sessions::new(token),
            program,
            port,
            controls: Controls::default(),
            metrics: Metrics::default(),
            watching: Watching::default(),
            surveys: Semaphore::new(1),
            looks: Semaphore::new(1),
            looking: Looking::default(),
            library: Mutex::new(()),
            installing: Mutex::new(()),
            stop: watch::channel(false).0,
            memory_budget,
            card: OnceLock::new(),
        })
    }

    /// Bytes that a worker may take before it counts as spilling.
    pub(crate) fn memory_budget(&self) -> u64 {
        self.memory_budget
    }

    /// Bytes that a training may take where trainings run, and whether that is a graphics card. Blocks the first time.
    pub(crate) fn room(&self) -> (u64, bool) {
        let on_card = match self.config.device {
            Device::Cpu => None,
            Device::Auto | Device::Cuda => *self.card.get_or_init(|| card::room(&self.program)),
        };
        on_card.map_or((self.memory_budget, false), |room| (room, true))
    }

    /// Finds a document without holding up whoever else answers.
    ///
    /// # Errors
    /// If the database refuses.
    pub(crate) async fn read<D: Document + Send + 'static>(self: &Arc<Self>, id: &str) -> Result<Option<D>> {
        let (app, id) = (self.clone(), id.to_owned());
        crate::blocking(move || app.store.get(&id)).await
    }

    /// Whether no more jobs may wait.
    ///
    /// # Errors
    /// If the database refuses.
    pub(crate) fn queue_is_full(&self) -> Result<bool> {
        let waiting: u64 = self.store.waiting()?.iter().map(|(_, _, count)| count).sum();
        Ok(waiting >= self.config.limits.queued_jobs)
    }

    /// Begins to stop.
    pub(crate) fn stop(&self) {
        let _ = self.stop.send(true);
        self.controls.ring();
    }

    /// Whether the daemon is stopping.
    pub(crate) fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the daemon is stopping.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}
