//! One training on a lane: a worker is started, listened to, told what the user wants, and started again where that helps.

use super::{
    control::Change,
    courtesy::{self, Lookout, Turn},
    worker::{Heard, Worker, died_of_memory},
};
use crate::{
    App, Result, installs, library, preparing,
    store::{DatasetRecord, Job, Queue},
};
use protocol::{BaseBits, Command, ErrorCode, Event, JobFailure, JobState, Report, Task, TrainTask};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;

/// Deaths of a worker in a row without a newer snapshot.
const DEATHS: u64 = 3;
/// What a worker has to reach the next step when it is told to stop; then it is killed, and its last snapshot counts.
const PAUSE: Duration = Duration::from_millis(2500);

/// How a worker's part in a training ended.
enum Ended {
    Done { step: u64 },
    Failed(JobFailure),
    Refused(JobFailure),
    Stopped,
    GaveWay(String),
    Died { what: String, of_memory: bool },
    Cancelled,
}

/// Runs a training to an end, or until it is paused or the daemon stops.
///
/// # Errors
/// If the database refuses.
pub(super) async fn run(app: &Arc<App>, mut job: Job) -> Result<()> {
    let mut wire = app.controls.wire(&job.id);
    let id = job.id.clone();
    tracing::info!(job.id = id, concept.name = job.request.name, attempt = job.training.attempts, "training");
    let ended = match taking_turns(app, &job, &mut wire).await {
        Ok(ended) => ended,
        Err(error) => Ended::Failed(JobFailure { code: ErrorCode::Internal, reason: error.to_string() }),
    };
    app.controls.unwire(&id);
    job = app.read::<Job>(&id).await?.unwrap_or(job);
    let (state, failure) = match ended {
        Ended::Done { step } => match keep(app, &job, step).await {
            Ok(concept) => return deliver(app, job, concept).await,
            Err(error) => (JobState::Failed, Some(JobFailure { code: ErrorCode::Disk, reason: error.to_string() })),
        },
        Ended::Cancelled => (JobState::Cancelled, None),
        Ended::Stopped if app.stopping() => (JobState::Interrupted, None),
        Ended::Stopped | Ended::GaveWay(_) => (JobState::Paused, None),
        Ended::Failed(failure) if failure.code == ErrorCode::OutOfMemory => return step_down(app, job, failure).await,
        Ended::Failed(failure) | Ended::Refused(failure) => (JobState::Failed, Some(failure)),
        Ended::Died { what, of_memory: true } => {
            return step_down(app, job, JobFailure { code: ErrorCode::OutOfMemory, reason: what }).await;
        }
        Ended::Died { what, of_memory: false } => return again(app, job, what).await,
    };
    if let Some(failure) = &failure {
        tracing::warn!(job.id = id, code = ?failure.code, "failed: {}", failure.reason);
    }
    settle(app, id, state, failure).await
}

/// Trains whenever the card is free for it.
async fn taking_turns(app: &Arc<App>, job: &Job, wire: &mut UnboundedReceiver<Change>) -> Result<Ended> {
    let mut again = false;
    loop {
        match courtesy::wait(app, job, wire, again).await? {
            Turn::Ours => {}
            Turn::Changed(Change::Cancel) => return Ok(Ended::Cancelled),
            Turn::Changed(_) | Turn::Stopping => return Ok(Ended::Stopped),
        }
        match one_worker(app, job, wire).await? {
            Ended::GaveWay(host) => {
                let text = format!("gave way to {host}; the run is safe on disk");
                note(app, &job.id, Event::Note { text }).await?;
                again = true;
            }
            ended => return Ok(ended),
        }
    }
}

/// Installs the concept where the job says, and ends the job.
async fn deliver(app: &Arc<App>, job: Job, concept: String) -> Result<()> {
    let store = app.clone();
    crate::blocking(move || {
        let installs = installs::deliver(&store, &job.request.install, &concept)?;
        let nowhere = || "not installed: no host is known; `conceptd hosts detect --add` finds them".to_owned();
        let mut said: Vec<String> = installs.iter().map(|install| install.text.clone()).collect();
        said.extend((said.is_empty() && !job.request.install.is_empty()).then(nowhere));
        for text in said {
            store.store.happened(&job.id, Event::Note { text }, |_| {})?;
        }
        store.store.ack(&job.id, &mut |job| {
            job.installs.clone_from(&installs);
            job.concept = Some(concept.clone());
            job.work.state = JobState::Done;
        })
    })
    .await
}

async fn settle(app: &Arc<App>, id: String, state: JobState, failure: Option<JobFailure>) -> Result<()> {
    let store = app.clone();
    crate::blocking(move || {
        store.store.ack(&id, &mut |job| {
            // Cancelled in the moment in which it stopped by itself.
            let cancelled = job.work.state == JobState::Cancelling && !state.is_final();
            job.work.state = if cancelled { JobState::Cancelled } else { state };
            job.work.failure.clone_from(&failure);
        })
    })
    .await
}

/// A worker died: another goes on from the snapshot, unless none ever gets further.
async fn again(app: &Arc<App>, job: Job, what: String) -> Result<()> {
    let (died_at, count) = job.training.deaths;
    let deaths = if job.training.saved_step > died_at || count == 0 { 1 } else { count + 1 };
    if deaths > DEATHS {
        let reason = format!(
            "its worker died {deaths} times at step {} without getting further. The last time it {what}",
            job.training.saved_step
        );
        return settle(app, job.id, JobState::Failed, Some(JobFailure { code: ErrorCode::WorkerDied, reason })).await;
    }
    let text = format!("the worker {what}; going on from step {}", job.training.saved_step);
    requeue(app, job, text, move |job| job.training.deaths = (job.training.saved_step, deaths)).await
}

/// There was too little memory: the next attempt takes less, if it can.
async fn step_down(app: &Arc<App>, job: Job, failure: JobFailure) -> Result<()> {
    let bits = job.request.parameters.base_bits;
    let Some(next) = job.training.memory.next(bits) else {
        let fewer =
            if bits.is_some_and(|bits| bits != BaseBits::Four) { "Leave base_bits out, choose" } else { "Choose" };
        let reason = format!(
            "there is too little memory even {} ({}). {fewer} a lower resolution or rank, or close other programs and resubmit",
            job.training.memory.words(),
            failure.reason
        );
        let failure = JobFailure { code: ErrorCode::OutOfMemory, reason };
        return settle(app, job.id, JobState::Failed, Some(failure)).await;
    };
    let how = next.words();
    let text = format!("out of memory ({}); going on from step {} {how}", failure.reason, job.training.saved_step);
    requeue(app, job, text, move |job| job.training.memory = next).await
}

/// Puts a job back to where it was in the queue, with a word about why.
async fn requeue(app: &Arc<App>, job: Job, text: String, change: impl FnOnce(&mut Job) + Send + 'static) -> Result<()> {
    tracing::warn!(job.id = job.id, "{text}");
    let store = app.clone();
    crate::blocking(move || {
        store.store.happened(&job.id, Event::Note { text }, change)?;
        store.store.ack(&job.id, &mut |job| {
            job.work.state = match job.work.state {
                JobState::Cancelling => JobState::Cancelled,
                _ => JobState::Queued,
            };
        })
    })
    .await
}

/// The finished concept, in the library.
async fn keep(app: &Arc<App>, job: &Job, step: u64) -> Result<String> {
    let (app, job) = (app.clone(), job.clone());
    crate::blocking(move || library::keep_trained(&app, &job, step)).await
}

/// Starts one worker and stays with it to its end.
async fn one_worker(app: &Arc<App>, job: &Job, wire: &mut UnboundedReceiver<Change>) -> Result<Ended> {
    let Some(dataset) = app.read::<DatasetRecord>(&job.request.dataset).await? else {
        let reason = format!("its data set {} is gone; upload it again", job.request.dataset);
        return Ok(Ended::Failed(JobFailure { code: ErrorCode::NotFound, reason }));
    };
    let folder = app.home.job(&job.id);
    let store = app.clone();
    let hosts = crate::blocking(move || preparing::host_folders(&store.store)).await?;
    let task = Task::Train(Box::new(task(app, job, &dataset, &hosts)));
    let mut worker = Worker::start(&app.program, &task, &folder.join("log.txt")).await?;
    {
        let (store, id, identity) = (app.clone(), job.id.clone(), worker.identity.clone());
        crate::blocking(move || store.store.heartbeat(&id, &identity)).await?;
    }
    let patience = Duration::from_secs(app.config.worker_silence.max(1));
    // When it must be gone, once it was told to stop.
    let mut deadline: Option<tokio::time::Instant> = None;
    let (mut lookout, mut gave_way) = (Lookout::new(app, job), None);
    loop {
        let heard = tokio::select! {
            heard = worker.hear(patience) => heard,
            Some(change) = wire.recv() => {
                match change {
                    Change::Cancel => {
                        worker.kill().await;
                        return Ok(Ended::Cancelled);
                    }
                    Change::Pause => {
                        worker.tell(&Command::Stop).await?;
                        deadline.get_or_insert(tokio::time::Instant::now() + PAUSE);
                    }
                    Change::Sample => worker.tell(&Command::Sample).await?,
                    Change::Resume => {}
                }
                continue;
            }
            host = lookout.sees(), if deadline.is_none() && gave_way.is_none() => {
                // It has all the time that a step takes: nobody waits for the process itself.
                worker.tell(&Command::Stop).await?;
                gave_way = Some(host);
                continue;
            }
            () = app.stopped(), if deadline.is_none() => {
                worker.tell(&Command::Stop).await?;
                deadline = Some(tokio::time::Instant::now() + PAUSE);
                continue;
            }
            () = tokio::time::sleep_until(deadline.unwrap_or_else(far)), if deadline.is_some() => {
                worker.kill().await;
                return Ok(Ended::Stopped);
            }
        };
        match heard {
            Heard::Report(Report::Happened(Event::Done { step, .. })) => {
                // It ends by itself; what is still to be written is written.
                while let Heard::Report(_) = worker.hear(patience).await {}
                return Ok(Ended::Done { step });
            }
            Heard::Report(Report::Happened(event)) => note(app, &job.id, event).await?,
            Heard::Report(Report::Failed(failure)) => return Ok(Ended::Failed(failure)),
            Heard::Report(Report::Refused(failure)) => return Ok(Ended::Refused(failure)),
            Heard::Report(Report::Stopped { .. }) => return Ok(stopped(deadline.is_some(), gave_way)),
            Heard::Report(_) => {}
            Heard::Silent => {
                worker.kill().await;
                let what = format!("said nothing for {} s and was ended", patience.as_secs());
                return Ok(Ended::Died { what, of_memory: false });
            }
            Heard::Gone(_) if deadline.is_some() || gave_way.is_some() => {
                return Ok(stopped(deadline.is_some(), gave_way));
            }
            Heard::Gone(status) => {
                let words = worker.last_words();
                let how = status.map_or_else(|| "died".to_owned(), |status| format!("died ({status})"));
                let what = if words.is_empty() { how } else { format!("{how}: {words}") };
                return Ok(Ended::Died { of_memory: died_of_memory(status, &words), what });
            }
        }
    }
}

/// Why a worker stopped: what a user wants weighs more than what a host does.
fn stopped(asked: bool, gave_way: Option<String>) -> Ended {
    match gave_way {
        Some(host) if !asked => Ended::GaveWay(host),
        _ => Ended::Stopped,
    }
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(3600)
}

fn task(app: &App, job: &Job, dataset: &DatasetRecord, hosts: &[PathBuf]) -> TrainTask {
    let request = &job.request;
    TrainTask {
        pictures: vec![app.home.dataset(&dataset.id)],
        limits: app.config.limits.clone(),
        left_out: job.left_out.clone(),
        captions: job.captions.clone(),
        masks: BTreeMap::new(),
        focuses: job.focuses.clone(),
        findings: BTreeMap::new(),
        eyes: preparing::eyes(&app.home, &app.config, hosts),
        name: request.name.clone(),
        stem: job.stem.clone(),
        mode: job.mode,
        base: job.base.clone(),
        vae: request.vae.clone().map(Into::into),
        prediction: request.prediction,
        parameters: request.parameters.clone(),
        continue_from: job.continue_from.clone(),
        out: app.home.job(&job.id).join("out"),
        device: app.config.device,
        memory: job.training.memory,
        memory_budget: app.memory_budget(),
        threads: app.config.threads,
    }
}

/// Writes an event down, and what it means for the job.
async fn note(app: &Arc<App>, id: &str, event: Event) -> Result<()> {
    let (store, id) = (app.clone(), id.to_owned());
    crate::blocking(move || {
        if let Event::Step { .. } = event {
            store.metrics.steps.inc();
        }
        let seen = event.clone();
        store.store.happened(&id, event, |job| advance(job, &seen))?;
        Ok(())
    })
    .await
}

fn advance(job: &mut Job, event: &Event) {
    let training = &mut job.training;
    match event {
        Event::Stage { stage } => (training.stage, training.waits_for) = (Some(*stage), None),
        Event::Planned { steps, batch_size, step, memory, .. } => {
            (training.steps, training.batch_size, training.step) = (*steps, *batch_size, *step);
            training.memory = training.memory.max(*memory);
        }
        Event::Step { step, loss, seconds, .. } => {
            (training.step, training.loss) = (*step, Some(*loss));
            let smooth = training.seconds_per_step.map_or(*seconds, |before| before + 0.1 * (seconds - before));
            training.seconds_per_step = Some(smooth);
        }
        Event::Saved { step } => training.saved_step = *step,
        Event::Snapshot { held_out, .. } => training.held_out = Some(*held_out),
        _ => {}
    }
}
