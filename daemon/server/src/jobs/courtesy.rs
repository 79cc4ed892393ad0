//! A card shared with hosts that draw: waiting for them, asking them for room, giving way.

use super::control::Change;
use crate::{
    App, Result,
    hosts::{Host, ask::Busy, ask::Line, title},
    store::Job,
};
use protocol::{Courtesy, Event, Stage};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::JoinHandle,
    time::{Instant, sleep},
};

/// How often hosts are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// What a host may take to let go of its models.
const ROOM: Duration = Duration::from_secs(30);
/// How often its memory is measured meanwhile.
const MEASURE: Duration = Duration::from_millis(250);
/// What a host may keep: its context on the card.
const LITTLE: u64 = 512 << 20;

/// How waiting for hosts ended.
pub enum Turn {
    /// The card is ours.
    Ours,
    /// The user changed the job meanwhile, or the daemon stops.
    Changed(Change),
    /// The daemon stops.
    Stopping,
}

/// How a job shares the card: as it says, else as the daemon is set, else politely if there is a card to share. Blocks.
pub fn of(app: &App, job: &Job) -> Courtesy {
    let usual = || if app.room().1 { Courtesy::Polite } else { Courtesy::Share };
    job.request.courtesy.or(app.config.courtesy).unwrap_or_else(usual)
}

/// A host that can be asked, with its name for people.
fn lines(app: &App) -> Result<Vec<(Line, String)>> {
    let hosts = app.store.all::<Host>()?;
    let line = |host: Host| {
        let url = host.view.url?;
        Some((Line::new(host.view.kind, &url), format!("{} at {url}", title(host.view.kind))))
    };
    Ok(hosts.into_iter().filter_map(line).collect())
}

/// The first host that draws.
fn drawing(app: &App) -> Result<Option<String>> {
    let busy = |(line, name): (Line, String)| (line.busy() == Some(Busy::Draws)).then_some(name);
    Ok(lines(app)?.into_iter().find_map(busy))
}

/// Waits until no host draws, then has them let go of their models. `again` says that the job gave way before.
///
/// # Errors
/// If the database refuses.
pub async fn wait(app: &Arc<App>, job: &Job, wire: &mut UnboundedReceiver<Change>, again: bool) -> Result<Turn> {
    let (asked, asking) = (app.clone(), job.clone());
    if crate::blocking(move || Ok(of(&asked, &asking))).await? == Courtesy::Share {
        return Ok(Turn::Ours);
    }
    let mut told: Option<String> = None;
    // People draw one picture after the other: hosts that drew count as busy for a while longer.
    let idle = Duration::from_secs(app.config.host_idle);
    let mut busy_until = again.then(Instant::now);
    loop {
        let asked = app.clone();
        match crate::blocking(move || drawing(&asked)).await? {
            Some(host) => {
                busy_until = Some(Instant::now());
                if told.as_ref() != Some(&host) {
                    tell(app, &job.id, format!("waiting while {host} draws"), Some(host.clone())).await?;
                    told = Some(host);
                }
            }
            None if busy_until.is_none_or(|last| last.elapsed() >= idle) => break,
            None => {}
        }
        if let Some(turn) = pause(app, wire, LOOK).await {
            return Ok(turn);
        }
    }
    let asked = app.clone();
    for host in crate::blocking(move || Ok(lines(&asked)?.into_iter().map(Arc::new).collect::<Vec<_>>())).await? {
        if let Some(turn) = make_room(app, job, wire, host).await? {
            return Ok(turn);
        }
    }
    if told.is_some() || again {
        tell(app, &job.id, "hosts are idle; training has the card".into(), None).await?;
    }
    Ok(Turn::Ours)
}

/// Waits a little, unless something else is wanted meanwhile.
async fn pause(app: &App, wire: &mut UnboundedReceiver<Change>, time: Duration) -> Option<Turn> {
    let over = sleep(time);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return None,
            Some(change) = wire.recv() => if matches!(change, Change::Cancel | Change::Pause) {
                return Some(Turn::Changed(change));
            },
            () = app.stopped() => return Some(Turn::Stopping),
        }
    }
}

/// Asks a host to let go of its models, and says what came of it: only measuring shows whether it did.
async fn make_room(
    app: &Arc<App>,
    job: &Job,
    wire: &mut UnboundedReceiver<Change>,
    host: Arc<(Line, String)>,
) -> Result<Option<Turn>> {
    let name = host.1.clone();
    let held = |host: &Arc<(Line, String)>| {
        let host = host.clone();
        crate::blocking(move || Ok(host.0.held_bytes()))
    };
    let asked = host.clone();
    // A host whose running prompt asked for this training reads no wish before that prompt ends.
    let idle = crate::blocking(move || Ok(asked.0.busy() == Some(Busy::Idle))).await?;
    let Some(before) = held(&host).await?.filter(|held| idle && *held > LITTLE) else { return Ok(None) };
    let asked = host.clone();
    if !crate::blocking(move || Ok(asked.0.free())).await? {
        let text = format!("{name} holds {} MiB of the card and cannot be asked to let go", before >> 20);
        tell(app, &job.id, text, None).await?;
        return Ok(None);
    }
    let (deadline, mut after) = (Instant::now() + ROOM, before);
    while after > LITTLE && Instant::now() < deadline {
        if let Some(turn) = pause(app, wire, MEASURE).await {
            return Ok(Some(turn));
        }
        after = held(&host).await?.unwrap_or(0);
    }
    let text = match after > LITTLE {
        false => format!("{name} let go of {} MiB", before.saturating_sub(after) >> 20),
        true => format!("{name} was asked for its memory and still holds {} MiB; going on beside it", after >> 20),
    };
    tell(app, &job.id, text, None).await?;
    Ok(None)
}

async fn tell(app: &Arc<App>, id: &str, text: String, waits_for: Option<String>) -> Result<()> {
    let (app, id) = (app.clone(), id.to_owned());
    crate::blocking(move || {
        tracing::info!(job.id = id, "{text}");
        let waits = waits_for.is_some();
        app.store.happened(&id, Event::Note { text }, |job| job.training.waits_for = waits_for)?;
        if waits {
            let stage = Stage::Waiting;
            app.store.happened(&id, Event::Stage { stage }, |job| job.training.stage = Some(stage))?;
        }
        Ok(())
    })
    .await
}

/// Looks at hosts while a job trains.
pub struct Lookout {
    task: JoinHandle<()>,
    seen: oneshot::Receiver<String>,
}

impl Lookout {
    /// Looks, if the job is polite.
    pub fn new(app: &Arc<App>, job: &Job) -> Self {
        let (sender, seen) = oneshot::channel();
        let (polite, app) = (of(app, job) == Courtesy::Polite, app.clone());
        let task = tokio::task::spawn_local(async move {
            if !polite {
                // The sender is kept: a dropped one would count as an answer.
                return std::future::pending().await;
            }
            loop {
                sleep(LOOK).await;
                let asked = app.clone();
                if let Ok(Some(host)) = crate::blocking(move || drawing(&asked)).await {
                    let _ = sender.send(host);
                    return;
                }
            }
        });
        Self { task, seen }
    }

    /// Waits for a host that draws.
    pub async fn sees(&mut self) -> String {
        match (&mut self.seen).await {
            Ok(host) => host,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        self.task.abort();
    }
}
