//! Trainings: submit, look, change.

use super::{
    error::{Answer, ApiError},
    files::{plain_name, send_lasting},
    input::{idempotency_key, json, other_body, paging},
    plans::decided,
};
use crate::{
    App,
    jobs::Change,
    library,
    store::{Job, Queue, Submitted, Training, Work, now_ms},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Data, Path as UrlPath, Payload},
};
use protocol::{
    Event, JobPage, JobState, JobView, LossCurve, LossPoint, PriorityChange, SampleView, Samples, SnapshotView,
    Snapshots, TrainRequest,
};
use std::{collections::BTreeMap, sync::Arc};

/// `POST /v1/jobs`.
pub async fn submit(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let key = idempotency_key(&request)?;
    let (asked, digest) = json::<TrainRequest>(&app, &request, payload).await?;
    // What was accepted once is not judged again.
    if let Some(key) = key.clone() {
        let store = app.clone();
        let earlier = crate::blocking(move || match store.store.request(&key)? {
            Some((made, body)) => Ok(store.store.get::<Job>(&made)?.map(|job| (job, body))),
            None => Ok(None),
        });
        match earlier.await? {
            Some((job, body)) if body == digest => return Ok(HttpResponse::Accepted().json(view(&app, job).await?)),
            Some(_) => return Err(other_body()),
            None => {}
        }
    }
    let job = decided(&app, asked).await?.job()?;
    let (store, limit) = (app.clone(), app.config.limits.queued_jobs);
    let submitted = crate::blocking(move || {
        if store.queue_is_full()? {
            return Ok(None);
        }
        store.store.submit(job, key.as_deref().map(|key| (key, digest.as_str()))).map(Some)
    });
    let job = match submitted.await? {
        None => return Err(ApiError::conflict(format!("{limit} jobs wait already; cancel some, or wait"))),
        Some(Submitted::New(job)) => {
            tracing::info!(job.id = job.id, concept.name = job.request.name, "queued");
            job
        }
        Some(Submitted::Earlier(job)) => job,
        Some(Submitted::OtherBody) => return Err(other_body()),
        Some(Submitted::Gone) => return Err(ApiError::conflict("the data set was deleted meanwhile")),
    };
    app.controls.ring();
    let location = format!("/v1/jobs/{}", job.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(view(&app, job).await?))
}

/// A job as clients see it.
async fn view(app: &Arc<App>, job: Job) -> Result<JobView, ApiError> {
    let app = app.clone();
    Ok(crate::blocking(move || describe(&app, job)).await?)
}

fn describe(app: &App, job: Job) -> crate::Result<JobView> {
    let Training { stage, step, steps, loss, held_out, seconds_per_step, attempts, waits_for, .. } = job.training;
    let running = job.work.state == JobState::Running;
    let left = steps.saturating_sub(step) as f64;
    Ok(JobView {
        ahead: app.store.ahead(&job.id)?,
        id: job.id,
        name: job.request.name,
        stem: job.stem,
        mode: job.mode,
        state: job.work.state,
        stage: stage.filter(|_| running),
        step,
        steps,
        loss,
        held_out,
        seconds_per_step,
        eta_seconds: seconds_per_step.filter(|_| running && steps > 0).map(|each| each * left),
        priority: job.work.priority,
        failure: job.work.failure,
        dataset: job.request.dataset,
        base: job.base_name,
        concept: job.concept,
        installs: job.installs,
        waits_for,
        attempts,
        created_at_ms: job.work.created_at_ms,
        started_at_ms: job.work.started_at_ms,
        finished_at_ms: job.work.finished_at_ms,
    })
}

async fn find(app: &Arc<App>, id: &str) -> Result<Job, ApiError> {
    app.read::<Job>(id).await?.ok_or_else(|| ApiError::not_found("such job"))
}

/// `GET /v1/jobs`.
pub async fn list(app: Data<App>, request: HttpRequest) -> Answer {
    let (after, limit) = paging(&request)?;
    let page = crate::blocking(move || {
        let (jobs, next) = app.store.page::<Job>(after.as_deref(), limit)?;
        let items = jobs.into_iter().map(|job| describe(&app, job)).collect::<crate::Result<_>>()?;
        Ok(JobPage { items, next })
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

/// `GET /v1/jobs/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let job = find(&app, &id).await?;
    Ok(HttpResponse::Ok().json(view(&app, job).await?))
}

/// `POST /v1/jobs/{id}/cancel`.
pub async fn cancel(app: Data<App>, id: UrlPath<String>) -> Answer {
    change(app, id, Change::Cancel, "cancelled").await
}

/// `POST /v1/jobs/{id}/pause`.
pub async fn pause(app: Data<App>, id: UrlPath<String>) -> Answer {
    change(app, id, Change::Pause, "paused").await
}

/// `POST /v1/jobs/{id}/resume`.
pub async fn resume(app: Data<App>, id: UrlPath<String>) -> Answer {
    change(app, id, Change::Resume, "resumed").await
}

/// `POST /v1/jobs/{id}/sample`.
pub async fn sample(app: Data<App>, id: UrlPath<String>) -> Answer {
    change(app, id, Change::Sample, "sampled").await
}

async fn change(app: Data<App>, id: UrlPath<String>, change: Change, what: &str) -> Answer {
    let app = app.into_inner();
    let (store, id) = (app.clone(), id.into_inner());
    let changed = crate::blocking(move || store.controls.change(&store.store, &id, change)).await?;
    match changed {
        None => Err(ApiError::not_found("such job")),
        Some(Err(refusal)) => {
            let state = serde_json::to_string(&refusal.state).unwrap_or_default();
            Err(ApiError::conflict(format!("a job that is {} cannot be {what}", state.trim_matches('"'))))
        }
        Some(Ok(job)) => Ok(HttpResponse::Ok().json(view(&app, job).await?)),
    }
}

/// `PUT /v1/jobs/{id}/priority`.
pub async fn prioritize(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (PriorityChange { priority, before }, _) = json(&app, &request, payload).await?;
    let job = find(&app, &id).await?;
    if job.work.state.is_final() {
        return Err(ApiError::conflict("the job is over"));
    }
    let (store, id) = (app.clone(), id.into_inner());
    let changed = crate::blocking(move || {
        let place = match &before {
            None => None,
            Some(before) => match store.store.place_before(before)? {
                None => return Ok(None),
                place => place,
            },
        };
        let updated = store.store.update::<Job, _>(&id, |job| {
            job.work.priority = priority;
            job.work.place = place.unwrap_or(job.work.place);
        })?;
        Ok(updated.map(|(job, ())| job))
    });
    let job = changed.await?.ok_or_else(|| ApiError::invalid("before", "there is no such job in the queue"))?;
    Ok(HttpResponse::Ok().json(view(&app, job).await?))
}

/// Every event of a job that `pick` makes something of.
async fn events_of<T: Send + 'static>(
    app: &Arc<App>,
    id: &str,
    pick: impl Fn(Event) -> Option<T> + Send + 'static,
) -> Result<Vec<T>, ApiError> {
    let (app, id) = (app.clone(), id.to_owned());
    let events = crate::blocking(move || {
        let events = app.store.events(&id, 0, usize::MAX >> 1)?;
        Ok(events.into_iter().filter_map(|record| pick(record.event)).collect())
    });
    Ok(events.await?)
}

/// `GET /v1/jobs/{id}/loss`.
pub async fn loss(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    find(&app, &id).await?;
    let points = events_of(&app, &id, |event| match event {
        Event::Step { step, loss, .. } => Some((true, LossPoint { step, value: loss })),
        Event::Snapshot { step, held_out } => Some((false, LossPoint { step, value: held_out })),
        _ => None,
    });
    let mut curve = LossCurve { training: Vec::new(), held_out: Vec::new() };
    for (training, point) in points.await? {
        let points = if training { &mut curve.training } else { &mut curve.held_out };
        // A worker that went on from a snapshot made these steps again, to the same numbers.
        while points.last().is_some_and(|earlier| earlier.step >= point.step) {
            points.pop();
        }
        points.push(point);
    }
    Ok(HttpResponse::Ok().json(curve))
}

/// `GET /v1/jobs/{id}/samples`.
pub async fn samples(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    find(&app, &id).await?;
    let mut items: Vec<SampleView> = events_of(&app, &id, |event| match event {
        Event::Sample { step, file } => Some((step, file)),
        _ => None,
    })
    .await?
    .into_iter()
    .map(|(step, file)| SampleView { step, url: format!("/v1/jobs/{id}/samples/{file}") })
    .collect();
    items.sort_by_key(|sample| sample.step);
    items.dedup();
    Ok(HttpResponse::Ok().json(Samples { items }))
}

/// `GET /v1/jobs/{id}/samples/{file}`.
pub async fn sample_file(app: Data<App>, path: UrlPath<(String, String)>) -> Answer {
    let (app, (id, file)) = (app.into_inner(), path.into_inner());
    let job = find(&app, &id).await?;
    let name = plain_name(&file)?;
    let path = library::run_of(&app.home, &job).path().join(name);
    if !name.starts_with("sample-") || !path.is_file() {
        return Err(ApiError::not_found("such sample"));
    }
    send_lasting(&path, "image/png").await
}

/// `GET /v1/jobs/{id}/request`.
pub async fn request(app: Data<App>, id: UrlPath<String>) -> Answer {
    Ok(HttpResponse::Ok().json(find(&app.into_inner(), &id).await?.request))
}

/// `GET /v1/jobs/{id}/snapshots`.
pub async fn snapshots(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let job = find(&app, &id).await?;
    let run = library::run_of(&app.home, &job);
    // Before the first snapshot there is no folder.
    let steps = crate::blocking(move || Ok(run.snapshots().unwrap_or_default())).await?;
    let (mut held_out, mut scores) = (BTreeMap::new(), None);
    let events =
        events_of(&app, &id, |event| matches!(event, Event::Snapshot { .. } | Event::Scored { .. }).then_some(event));
    for event in events.await? {
        match event {
            Event::Snapshot { step, held_out: error } => drop(held_out.insert(step, error)),
            Event::Scored { scores: last } => scores = Some(last),
            _ => {}
        }
    }
    let items = steps.into_iter().map(|step| SnapshotView { step, held_out: held_out.get(&step).copied() });
    Ok(HttpResponse::Ok().json(Snapshots { items: items.collect(), scores }))
}

/// `GET /v1/jobs/{id}/log`.
pub async fn log(app: Data<App>, id: UrlPath<String>) -> Answer {
    const MOST: usize = 1 << 20;
    let app = app.into_inner();
    let job = find(&app, &id).await?;
    let bytes = std::fs::read(app.home.job(&job.id).join("log.txt")).unwrap_or_default();
    let end = &bytes[bytes.len().saturating_sub(MOST)..];
    let text = String::from_utf8_lossy(end).into_owned();
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
}

impl Work {
    /// Waiting from now on.
    pub fn queued(priority: i64) -> Self {
        Self {
            state: JobState::Queued,
            priority,
            place: 0.0,
            failure: None,
            worker: None,
            created_at_ms: now_ms(),
            started_at_ms: None,
            finished_at_ms: None,
        }
    }
}
