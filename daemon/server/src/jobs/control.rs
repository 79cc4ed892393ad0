//! What a user may do to a job while it waits or runs.

use crate::{
    Result,
    store::{Creation, Job, Store},
};
use protocol::{Event, JobState};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::{Notify, mpsc};

/// Something that is done to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// End it for good.
    Cancel,
    /// Stop at the next step, and free the memory.
    Pause,
    /// Go on.
    Resume,
    /// Draw sample pictures at the next step.
    Sample,
}

/// A change that the job's state does not allow.
pub struct Refusal {
    /// The state.
    pub state: JobState,
}

/// The wires to running jobs, and the bell that wakes lanes.
#[derive(Default)]
pub struct Controls {
    wires: Mutex<HashMap<String, mpsc::UnboundedSender<Change>>>,
    bell: Notify,
}

impl Controls {
    /// A wire to the lane that runs `id`, as long as the returned end lives.
    pub fn wire(&self, id: &str) -> mpsc::UnboundedReceiver<Change> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), sender);
        receiver
    }

    /// Takes the wire away.
    pub fn unwire(&self, id: &str) {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn send(&self, id: &str, change: Change) {
        if let Some(wire) = self.wires.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            // A lane that has just ended the job does not listen any more.
            let _ = wire.send(change);
        }
    }

    /// Wakes lanes: there may be work.
    pub fn ring(&self) {
        self.bell.notify_waiters();
        self.bell.notify_one();
    }

    /// Waits for the bell.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Changes a training; `None` if there is none.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn change(&self, store: &Store, id: &str, change: Change) -> Result<Option<std::result::Result<Job, Refusal>>> {
        let Some(job) = store.get::<Job>(id)? else { return Ok(None) };
        // What is asked of a running job goes to its lane, which alone may settle it.
        let next = match (job.work.state, change) {
            (JobState::Running, Change::Cancel) => Some(JobState::Cancelling),
            (JobState::Running, Change::Pause | Change::Sample) => None,
            (JobState::Cancelling, Change::Cancel) => None,
            (JobState::Queued | JobState::Paused | JobState::Interrupted, Change::Cancel) => Some(JobState::Cancelled),
            (JobState::Queued, Change::Pause) => Some(JobState::Paused),
            (JobState::Paused, Change::Resume) => Some(JobState::Queued),
            (JobState::Paused, Change::Pause) | (JobState::Queued, Change::Resume) => return Ok(Some(Ok(job))),
            (state, _) => return Ok(Some(Err(Refusal { state }))),
        };
        let job = match next {
            None => job,
            Some(state) => {
                let before = job.work.state;
                let mut changed = true;
                let updated = store.happened(id, Event::State { state }, |job| {
                    // A lane may have settled it in between.
                    changed = job.work.state == before;
                    if changed {
                        job.work.state = state;
                        job.work.finished_at_ms = state.is_final().then(crate::store::now_ms);
                    }
                })?;
                match updated {
                    Some(job) if changed => job,
                    _ => return self.change(store, id, change),
                }
            }
        };
        self.send(id, change);
        self.ring();
        Ok(Some(Ok(job)))
    }

    /// Ends a creation; `None` if there is none.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn cancel_creation(&self, store: &Store, id: &str) -> Result<Option<std::result::Result<Creation, Refusal>>> {
        let updated = store.update::<Creation, _>(id, |creation| {
            let state = creation.work.state;
            match state {
                JobState::Queued | JobState::Interrupted => {
                    creation.work.state = JobState::Cancelled;
                    creation.work.finished_at_ms = Some(crate::store::now_ms());
                }
                JobState::Running => creation.work.state = JobState::Cancelling,
                _ => {}
            }
            state
        })?;
        let Some((creation, before)) = updated else { return Ok(None) };
        if before.is_final() {
            return Ok(Some(Err(Refusal { state: before })));
        }
        self.send(id, Change::Cancel);
        Ok(Some(Ok(creation)))
    }
}
