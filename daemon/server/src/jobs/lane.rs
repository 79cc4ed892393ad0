//! A lane: one device, one thing at a time.

use super::{training, warm::Warm};
use crate::{
    App, Result, platform,
    store::{Claim, Creation, Job, Queue, Store},
};
use protocol::{Event, JobState};
use std::{sync::Arc, time::Duration};

/// How long a lane waits after an error of the database or the disk before it tries again.
const RETRY: Duration = Duration::from_secs(2);

/// One device's queue of work.
pub struct Lane {
    app: Arc<App>,
    warm: Warm,
}

impl Lane {
    /// A lane that takes work from the daemon's queue.
    pub fn new(app: Arc<App>) -> Self {
        Self { warm: Warm::new(app.clone()), app }
    }

    /// Works until the daemon stops.
    pub async fn run(mut self) {
        while !self.app.stopping() {
            match self.next().await {
                Ok(true) => {}
                Ok(false) => self.rest().await,
                Err(error) => {
                    tracing::error!("{error}");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        self.warm.end().await;
    }

    /// Does the next thing; `false` if there is none.
    async fn next(&mut self) -> Result<bool> {
        let store = self.app.clone();
        match crate::blocking(move || store.store.claim()).await? {
            None => return Ok(false),
            Some(Claim::Draw(creation)) => self.warm.draw(*creation).await?,
            Some(Claim::Train(job)) => {
                // Training needs all the memory that there is.
                self.warm.end().await;
                training::run(&self.app, *job).await?;
            }
        }
        Ok(true)
    }

    /// Waits for the bell, and lets the warm worker go when its time is over.
    async fn rest(&mut self) {
        tokio::select! {
            () = self.app.controls.rung() => {}
            () = self.warm.cooled() => self.warm.end().await,
            // A bell that rang between claiming and waiting was missed.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// Puts the house in order after an earlier daemon: workers that it left are ended, and what they were at goes on.
///
/// # Errors
/// If the database refuses.
pub fn recover(store: &Store) -> Result<()> {
    for job in store.all::<Job>()? {
        if let Some(worker) = &job.work.worker
            && platform::end_process(worker.pid, &worker.identity)
        {
            tracing::warn!(job.id = job.id, "ended the worker {} of an earlier daemon", worker.pid);
        }
        let next = match job.work.state {
            JobState::Running | JobState::Interrupted => JobState::Queued,
            JobState::Cancelling => JobState::Cancelled,
            _ => continue,
        };
        if job.work.state == JobState::Running {
            store.happened(&job.id, Event::State { state: JobState::Interrupted }, |_| {})?;
        }
        store.happened(&job.id, Event::State { state: next }, |job| {
            job.work.worker = None;
            job.work.state = next;
        })?;
    }
    for creation in store.all::<Creation>()? {
        if let Some(worker) = &creation.work.worker {
            platform::end_process(worker.pid, &worker.identity);
        }
        let next = match creation.work.state {
            JobState::Running | JobState::Interrupted => JobState::Queued,
            JobState::Cancelling => JobState::Cancelled,
            _ => continue,
        };
        store.update::<Creation, _>(&creation.id, |creation| {
            creation.work.worker = None;
            creation.work.state = next;
        })?;
    }
    Ok(())
}
