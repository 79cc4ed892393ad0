//! Drawing pictures with a worker that keeps its base loaded for a while.

use super::{
    control::Change,
    worker::{Heard, Worker, died_of_memory},
};
use crate::{
    App, Result,
    store::{Creation, now_ms},
};
use protocol::{Command, ErrorCode, JobFailure, JobState, Report, Task};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A drawing worker, or none.
pub struct Warm {
    app: Arc<App>,
    worker: Option<Worker>,
    until: Instant,
}

impl Warm {
    /// None yet.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, worker: None, until: Instant::now() }
    }

    /// Ends the worker; its memory is free when this returns.
    pub async fn end(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            worker.kill().await;
        }
    }

    /// Waits until the worker has been idle for long enough; for ever if there is none.
    pub async fn cooled(&self) {
        match self.worker {
            Some(_) => tokio::time::sleep_until(self.until).await,
            None => std::future::pending().await,
        }
    }

    /// Draws a creation and settles it.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn draw(&mut self, creation: Creation) -> Result<()> {
        let id = creation.id.clone();
        let mut wire = self.app.controls.wire(&id);
        let outcome = self.attempt(creation, &mut wire).await;
        self.app.controls.unwire(&id);
        let (state, failure, files) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let failure = JobFailure { code: ErrorCode::Internal, reason: error.to_string() };
                (JobState::Failed, Some(failure), Vec::new())
            }
        };
        self.until = Instant::now() + Duration::from_secs(self.app.config.keep_alive);
        let app = self.app.clone();
        crate::blocking(move || {
            app.store.update::<Creation, _>(&id, |creation| {
                creation.work.worker = None;
                creation.work.state = state;
                creation.work.failure = failure;
                creation.work.finished_at_ms = state.is_final().then(now_ms);
                creation.files = files;
            })
        })
        .await?;
        Ok(())
    }

    async fn attempt(
        &mut self,
        creation: Creation,
        wire: &mut tokio::sync::mpsc::UnboundedReceiver<Change>,
    ) -> Result<(JobState, Option<JobFailure>, Vec<String>)> {
        if self.worker.as_mut().is_some_and(|worker| !worker.lives()) {
            self.worker = None;
        }
        if self.worker.is_none() {
            let log = self.app.home.path().join("logs").join("drawing.txt");
            self.worker = Some(Worker::start(&self.app.program, &Task::Draw, &log).await?);
        }
        let Some(worker) = &mut self.worker else { return Err(crate::Error::bug("no drawing worker")) };
        let (app, id, identity) = (self.app.clone(), creation.id.clone(), worker.identity.clone());
        crate::blocking(move || app.store.update::<Creation, _>(&id, |creation| creation.work.worker = Some(identity)))
            .await?;
        worker.tell(&Command::Draw(Box::new(creation.task))).await?;
        let patience = Duration::from_secs(self.app.config.worker_silence.max(1));
        let failed = |code, reason| Ok((JobState::Failed, Some(JobFailure { code, reason }), Vec::new()));
        loop {
            let heard = tokio::select! {
                heard = worker.hear(patience) => heard,
                Some(Change::Cancel) = wire.recv() => {
                    self.end().await;
                    return Ok((JobState::Cancelled, None, Vec::new()));
                }
                () = self.app.stopped() => {
                    self.end().await;
                    return Ok((JobState::Interrupted, None, Vec::new()));
                }
            };
            match heard {
                Heard::Report(Report::Drawn { files }) => return Ok((JobState::Done, None, files)),
                Heard::Report(Report::Failed(failure)) => return Ok((JobState::Failed, Some(failure), Vec::new())),
                Heard::Report(_) => {}
                Heard::Silent => {
                    self.end().await;
                    return failed(
                        ErrorCode::WorkerDied,
                        "the drawing worker hung and was ended; try again".to_owned(),
                    );
                }
                Heard::Gone(status) => {
                    let words = worker.last_words();
                    self.worker = None;
                    if died_of_memory(status, &words) {
                        return failed(ErrorCode::OutOfMemory, "too little memory; choose a smaller size".to_owned());
                    }
                    return failed(ErrorCode::WorkerDied, format!("the drawing worker died: {words}"));
                }
            }
        }
    }
}
