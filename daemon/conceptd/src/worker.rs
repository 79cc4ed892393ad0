//! `conceptd worker`: one task for a daemon, told and reported as lines of JSON.

mod survey;

use crate::{Failure, scores, spill::Spill, timings};
use clap::Args;
use concept::{
    Applied, Bundle, Manner, Observer, Painter, PictureRequest, RunFolder, Stopwatch, base_digest, usual_side,
};
use protocol::{Command, CreateTask, ErrorCode, Event, JobFailure, Part, PrepareTask, Report, Task, TrainTask};
use server::platform;
use std::{
    io::{BufRead, Write, stdin, stdout},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};
use survey::survey;

/// Time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct Worker {
    /// An argument that no other process has, by which the daemon recognises this one.
    #[arg(long)]
    identity: String,
}

/// What the daemon has asked for.
#[derive(Default)]
struct Wishes {
    stop: AtomicBool,
    sample: AtomicBool,
}

impl Worker {
    pub fn run(self) -> Result<(), Failure> {
        let mut first = String::new();
        stdin().lock().read_line(&mut first)?;
        let task: Task = serde_json::from_str(&first)?;
        let (wishes, (draw, to_draw)) = (Arc::new(Wishes::default()), channel());
        let heard = wishes.clone();
        thread::spawn(move || {
            for line in stdin().lock().lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(Command::Stop) => heard.stop.store(true, Ordering::Relaxed),
                    Ok(Command::Sample) => heard.sample.store(true, Ordering::Relaxed),
                    Ok(Command::Draw(task)) => drop(draw.send(task)),
                    Err(error) => eprintln!("worker {}: a command that is none: {error}", self.identity),
                }
            }
            // The daemon is gone: what is done is saved, and nobody is left to draw for.
            heard.stop.store(true, Ordering::Relaxed);
        });
        thread::spawn(|| {
            loop {
                thread::sleep(HEARTBEAT);
                say(&Report::Heartbeat);
            }
        });
        match task {
            Task::Survey { paths, limits, thumbnails } => match survey(&paths, &limits, thumbnails.as_deref()) {
                Ok(survey) => say(&Report::Surveyed(survey)),
                Err(error) => say(&Report::Failed(JobFailure { code: ErrorCode::Dataset, reason: error.to_string() })),
            },
            Task::Prepare(task) => look(&task, &wishes),
            Task::Train(task) => train(*task, wishes),
            Task::Draw => draw_all(&to_draw),
        }
        Ok(())
    }
}

/// Tells the daemon. If it is gone, standard input has ended too, and that stops the work.
fn say(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let mut out = stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

/// Passes events on, and watches memory.
struct Relay {
    wishes: Arc<Wishes>,
    spill: Spill,
    spilled: Option<String>,
}

impl Observer for Relay {
    fn see(&mut self, event: &Event) {
        say(&Report::Happened(event.clone()));
        if let Event::Step { seconds, .. } = event
            && self.spilled.is_none()
        {
            self.spilled = self.spill.see(*seconds, platform::own_memory_bytes());
        }
    }

    fn stop(&self) -> bool {
        self.spilled.is_some() || self.wishes.stop.load(Ordering::Relaxed)
    }

    fn sample(&mut self) -> bool {
        self.wishes.sample.swap(false, Ordering::Relaxed)
    }
}

/// Looks at pictures; what was seen until the daemon says stop is the result.
fn look(task: &PrepareTask, wishes: &Wishes) {
    let stop = || wishes.stop.load(Ordering::Relaxed);
    let mut last = None;
    let mut see = |done| {
        if last.replace(done) != Some(done) {
            say(&Report::Looked { done });
        }
    };
    match preparation::prepare(task, &mut see, &stop) {
        Ok(looked) => say(&Report::Prepared(Box::new(looked.prepared))),
        Err(error) => say(&Report::Failed(JobFailure { code: error.code(), reason: error.to_string() })),
    }
}

fn train(mut task: TrainTask, wishes: Arc<Wishes>) {
    let folder = RunFolder::of(&task.out, &task.stem);
    let stop = || wishes.stop.load(Ordering::Relaxed);
    let tell = &mut |event| say(&Report::Happened(event));
    // For the log, without making the device wait.
    let watch = Stopwatch::new(false);
    let looked = watch.time(Part::Looking, || preparation::before_training(&mut task, folder.path(), tell, &stop));
    match looked {
        Ok(()) => {}
        Err(preparation::Error::Stopped) => return say(&Report::Stopped { step: 0 }),
        Err(error) => {
            return say(&Report::Failed(JobFailure { code: error.code(), reason: error.to_string() }));
        }
    }
    let task = &task;
    let mut relay = Relay { wishes, spill: Spill::new(task.memory_budget), spilled: None };
    let manner = Manner { resume: true, preview: true };
    let result = trainer::with_threads(task.threads, || {
        concept::carry_out(task, manner, &watch, &mut relay, &mut || scores::judge(task))
    })
    .map_err(concept::Error::from)
    .and_then(|result| result);
    if let Some(timings) = watch.timings() {
        eprint!("{}", timings::table_of(&timings));
    }
    match (result, relay.spilled) {
        (Ok(_), _) => {}
        (Err(concept::Error::Interrupted { .. } | concept::Error::StoppedDrawing), Some(reason)) => {
            say(&Report::Failed(JobFailure { code: ErrorCode::OutOfMemory, reason }));
        }
        (Err(concept::Error::Interrupted { step }), None) => say(&Report::Stopped { step }),
        // Training is over: the next worker begins with the last snapshot and draws.
        (Err(concept::Error::StoppedDrawing), None) => say(&Report::Stopped { step: 0 }),
        (Err(error @ concept::Error::TooLittleMemory { .. }), _) => {
            say(&Report::Refused(JobFailure { code: error.code(), reason: error.to_string() }));
        }
        (Err(error), _) => say(&Report::Failed(JobFailure { code: error.code(), reason: error.to_string() })),
    }
}

/// A base that stays loaded, as long as its file stays the same.
struct Loaded {
    key: (PathBuf, String),
    side: usize,
    painter: Painter,
}

fn draw_all(tasks: &Receiver<Box<CreateTask>>) {
    let mut loaded = None;
    for task in tasks {
        let files = trainer::with_threads(task.threads, || draw(&task, &mut loaded));
        match files.map_err(concept::Error::from).and_then(|files| files) {
            Ok(files) => say(&Report::Drawn { files }),
            Err(error) => say(&Report::Failed(JobFailure { code: error.code(), reason: error.to_string() })),
        }
    }
}

fn draw(task: &CreateTask, loaded: &mut Option<Loaded>) -> concept::Result<Vec<String>> {
    let key = (task.base.clone(), fingerprint(&task.base)?);
    if loaded.as_ref().is_none_or(|loaded| loaded.key != key) {
        // Two bases at once may be more than fits.
        *loaded = None;
        let checkpoint = concept::open_checkpoint(&task.base, None, None)?;
        let (painter, side) = (
            Painter::load(&checkpoint, &concept::device::to_draw(task.device, &checkpoint)?)?,
            usual_side(&checkpoint),
        );
        *loaded = Some(Loaded { key, side, painter });
    }
    let Some(Loaded { painter, side, .. }) = loaded else { return Ok(Vec::new()) };
    let mut bundles = Vec::new();
    for (path, name, strength) in &task.concepts {
        let mut bundle = Bundle::read(path)?;
        // It may have been renamed.
        bundle.metadata.insert("conceptd.name".into(), name.clone());
        bundles.push((bundle, *strength));
    }
    let applied: Vec<Applied> =
        bundles.iter().map(|(bundle, strength)| Applied { bundle, strength: *strength }).collect();
    painter.apply(&applied)?;
    let side = bundles.iter().find_map(|(bundle, _)| bundle.resolution()).unwrap_or(*side);
    let init = match &task.init {
        None => None,
        Some((path, strength)) => Some((dataset::read_picture(path, &dataset::Limits::default())?, *strength)),
    };
    let mut request = PictureRequest {
        prompt: task.prompt.clone(),
        negative: task.negative.clone(),
        width: task.width.unwrap_or(side),
        height: task.height.unwrap_or(side),
        steps: task.steps,
        cfg: task.cfg,
        seed: task.seed,
        count: 1,
        init,
    };
    let mut files = Vec::new();
    for i in 1..=task.count {
        for picture in painter.draw(&request, || false)? {
            let file = format!("{i}.png");
            concept::write_png(&task.out.join(&file), &picture)?;
            files.push(file);
        }
        request.seed = request.seed.wrapping_add(1);
    }
    Ok(files)
}

/// Changes when a file does.
fn fingerprint(path: &std::path::Path) -> concept::Result<String> {
    let metadata = std::fs::metadata(path);
    match metadata.and_then(|metadata| Ok((metadata.len(), metadata.modified()?))) {
        Ok(fingerprint) => Ok(format!("{fingerprint:?}")),
        // Some disks know no times.
        Err(_) => base_digest(path),
    }
}
