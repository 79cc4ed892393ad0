//! The events of a job as they happen.

use super::{
    error::{Answer, ApiError},
    input::query,
};
use crate::{App, store::Job};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, Path as UrlPath},
};
use futures_util::stream;
use protocol::{Event, EventRecord, JobState};
use serde::Deserialize;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

/// Events that are read from the database at once.
const PART: usize = 500;
/// A word now and then, so that both ends notice when the other is gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `GET /v1/jobs/{id}/events`.
pub async fn stream(app: Data<App>, id: UrlPath<String>, request: HttpRequest) -> Answer {
    let Nothing {} = query(&request)?;
    let (app, id) = (app.into_inner(), id.into_inner());
    let last = match request.headers().get("last-event-id") {
        None => 0,
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|number| *number >= 0);
            number.ok_or_else(|| ApiError::invalid("Last-Event-ID", "give the id of an event"))?
        }
    };
    // Listening begins before reading, so that nothing falls in between.
    let live = app.store.listen();
    let job = app.read::<Job>(&id).await?.ok_or_else(|| ApiError::not_found("such job"))?;
    let mut listener = Listener { app, id, last, live, waiting: VecDeque::new(), more: false, over: false };
    listener.catch_up().await?;
    if job.work.state.is_final() && listener.waiting.is_empty() {
        // Browsers ask again and again until they get this.
        return Ok(HttpResponse::NoContent().finish());
    }
    let events = stream::unfold(listener, |mut listener| async move {
        let text = listener.next().await?;
        Some((Ok::<_, ApiError>(Bytes::from(text)), listener))
    });
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(Box::pin(events)))
}

struct Listener {
    app: Arc<App>,
    id: String,
    last: i64,
    live: Receiver<(String, EventRecord)>,
    waiting: VecDeque<EventRecord>,
    /// Whether there was more than fitted.
    more: bool,
    over: bool,
}

impl Listener {
    /// Reads what happened behind the last event.
    async fn catch_up(&mut self) -> crate::Result<()> {
        let (app, id, last) = (self.app.clone(), self.id.clone(), self.last);
        self.waiting = crate::blocking(move || app.store.events(&id, last, PART)).await?.into();
        self.more = self.waiting.len() == PART;
        Ok(())
    }

    /// The next piece of the stream; `None` when all is told.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(record) = self.waiting.pop_front() {
                self.last = record.id;
                self.over = ends(&record.event);
                if self.waiting.is_empty() && self.more {
                    self.catch_up().await.ok()?;
                }
                let body = serde_json::to_string(&record).ok()?;
                return Some(format!("id: {}\ndata: {body}\n\n", record.id));
            }
            if self.over || self.app.stopping() {
                return None;
            }
            let heard = tokio::select! {
                heard = timeout(SIGN_OF_LIFE, self.live.recv()) => heard,
                () = self.app.stopped() => return None,
            };
            match heard {
                Err(_) => return Some(": still here\n\n".into()),
                Ok(Ok((id, record))) if id == self.id && record.id > self.last => self.waiting.push_back(record),
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) => self.catch_up().await.ok()?,
                Ok(Err(RecvError::Closed)) => return None,
            }
        }
    }
}

/// Whether nothing comes behind an event.
fn ends(event: &Event) -> bool {
    match event {
        Event::State { state } => matches!(state, JobState::Done | JobState::Cancelled | JobState::Failed),
        Event::Failed { .. } => true,
        _ => false,
    }
}
