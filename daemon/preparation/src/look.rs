//! All pictures: decoded here, looked at on further threads, put together at the end.

use crate::{
    Error, Result,
    eyes::{Opened, Wanted},
    mode_of,
    rewrite::rewrite,
    seen::{Lookout, Sight, crop, part},
};
use caption::Description;
use dataset::{Frames, Limits, Options, Photo};
use diffusion::tokenizer::Tokenizer;
use examiner::{Examiner, Settings, SharedWord};
use protocol::{Crop, MaskName, PrepareTask, Prepared, SharedPhrase};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

/// Pictures on one preview sheet.
const SHOWN: u64 = 100;
/// Notes about single pictures; more would hide what matters.
const NOTES: usize = 20;
/// Threads that look. Decoding takes one more, and bounds how many can be kept busy.
const THREADS: usize = 4;

/// What came of looking at pictures.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What is kept.
    pub prepared: Prepared,
    /// The captions in effect, of all pictures.
    pub captions: BTreeMap<String, Option<String>>,
}

/// Looks at every picture of a task. `see` is told how many were looked at; `stop` is asked before each one, and what was seen
/// by then is the result.
///
/// # Errors
/// If the pictures cannot be read, a captioner that was named cannot be used, or the disk refuses.
pub fn prepare(task: &PrepareTask, see: &mut dyn FnMut(u64), stop: &(dyn Fn() -> bool + Sync)) -> Result<Looked> {
    let stopped = Arc::new(AtomicBool::new(false));
    let cancelled = {
        let stopped = stopped.clone();
        move || stopped.load(Ordering::Relaxed)
    };
    let wanted = Wanted {
        captioner: task.captioner.as_deref(),
        tags: task.tags,
        faces: part(task) == MaskName::Face || task.crop == Crop::Face || task.mode == protocol::Mode::Face,
        subject: part(task) == MaskName::Subject,
        class_word: task.class_word.as_deref(),
        embedding: task.out.is_some(),
    };
    let mut eyes = Opened::open(&task.eyes, &wanted, cancelled)?;
    let mut notes = std::mem::take(&mut eyes.notes);
    // Not where somebody is there and cannot see: that is said already.
    let nobody = task.captioner.as_deref() == Some("auto") && eyes.describers.is_empty() && notes.is_empty();
    let lookout = Lookout {
        task,
        examiner: Examiner::new(Settings {
            mode: task.mode,
            resolution: task.resolution as u32,
            crop: crop(task.crop),
        }),
        tokenizer: Tokenizer::new(&["<s0>", "<s1>", "<s2>"].map(str::to_owned))?,
        eyes: Mutex::new(eyes),
        masks: task.out.as_ref().map(|out| out.join("masks")),
    };
    let (mut sights, found) = look_at_all(&lookout, see, stop, &stopped)?;
    sights.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_none() {
        notes.push(format!("stopped after {} pictures", sights.len()));
    }
    let found = found.unwrap_or_default();
    notes.extend(found.skipped.iter().map(|skipped| format!("skipped {}: {}", skipped.name, skipped.reason)));
    notes.extend(found.notes.iter().cloned());
    if nobody && sights.iter().any(|sight| sight.caption.is_none()) {
        notes.push(
            "no captioner is installed: pictures without a caption get the mode's prompt; `conceptd models add \
             florence-2-base-ft` installs one"
                .into(),
        );
    }
    let own: Vec<String> = sights.iter().flat_map(|sight| sight.notes.iter().cloned()).collect();
    notes.extend(own.iter().take(NOTES).cloned());
    notes.extend((own.len() > NOTES).then(|| format!("and {} more of the kind", own.len() - NOTES)));
    if let (true, Some(endpoint)) = (task.rewrite, &task.eyes.endpoint) {
        notes.extend(rewrite(endpoint, task.mode, &mut sights)?);
    }
    put_together(task, &lookout.examiner, sights, notes)
}

/// (what was seen, what lay beside the pictures; none if it was stopped).
fn look_at_all(
    lookout: &Lookout,
    see: &mut dyn FnMut(u64),
    stop: &(dyn Fn() -> bool + Sync),
    stopped: &AtomicBool,
) -> Result<(Vec<Sight>, Option<dataset::Found>)> {
    let task = lookout.task;
    let (sights, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let (found, sent) = thread::scope(|scope| {
        // Few wait: each is a whole picture.
        let (send, receive) = sync_channel::<(u64, Photo)>(1);
        let receive = Arc::new(Mutex::new(receive));
        for _ in 0..threads {
            let receive = receive.clone();
            let (sights, failed, done) = (&sights, &failed, &done);
            scope.spawn(move || {
                while let Some((place, photo)) = next(&receive) {
                    if stopped.load(Ordering::Relaxed) {
                        continue;
                    }
                    match lookout.look(photo, task.out.is_some() && place < SHOWN) {
                        Ok(sight) => keep(sights, sight),
                        Err(error) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            stopped.store(true, Ordering::Relaxed);
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(receive);
        // Whoever asks to stop does not wait for the picture at hand.
        let over = &over;
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) && !stopped.load(Ordering::Relaxed) {
                if stop() {
                    stopped.store(true, Ordering::Relaxed);
                }
                thread::park_timeout(std::time::Duration::from_millis(50));
            }
        });
        let mut place = 0;
        let options = options(task);
        let found = dataset::scan(&task.pictures, &options, &task.captions, &mut |photo| {
            if stopped.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            see(done.load(Ordering::Relaxed));
            place += 1;
            send.send((place - 1, photo)).map_err(|_| Error::Stopped)
        });
        drop(send);
        while done.load(Ordering::Relaxed) < place && !stopped.load(Ordering::Relaxed) {
            see(done.load(Ordering::Relaxed));
            thread::sleep(std::time::Duration::from_millis(50));
        }
        over.store(true, Ordering::Relaxed);
        (found, place)
    });
    see(done.load(Ordering::Relaxed));
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let sights = sights.into_inner().unwrap_or_else(PoisonError::into_inner);
    let found = match (found, failed) {
        (_, Some(error)) if !matches!(error, Error::Stopped) => return Err(error),
        (Err(Error::Stopped), _) => None,
        (Ok(_), _) if (sights.len() as u64) < sent => None,
        (found, _) => Some(found?),
    };
    Ok((sights, found))
}

fn next(receive: &Mutex<Receiver<(u64, Photo)>>) -> Option<(u64, Photo)> {
    receive.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn keep(sights: &Mutex<Vec<Sight>>, sight: Sight) {
    sights.lock().unwrap_or_else(PoisonError::into_inner).push(sight);
}

/// Pictures as they are: a look, not a training.
fn options(task: &PrepareTask) -> Options {
    let limits = &task.limits;
    Options {
        limits: Limits {
            pixels: limits.picture_pixels,
            entries: usize::try_from(limits.pictures).unwrap_or(usize::MAX).saturating_mul(4),
            file_bytes: limits.file_bytes,
            total_bytes: limits.dataset_bytes,
            ..Limits::default()
        },
        frames: Frames::default(),
        left_out: task.left_out.clone(),
        ..Options::new(0, crop(task.crop))
    }
}

fn put_together(task: &PrepareTask, examiner: &Examiner, sights: Vec<Sight>, notes: Vec<String>) -> Result<Looked> {
    let mut prepared = Prepared { notes, ..Prepared::default() };
    let (mut captions, mut records, mut previews) = (BTreeMap::new(), Vec::new(), Vec::new());
    for sight in sights {
        let name = sight.name;
        records.push(sight.record);
        previews.extend(sight.preview);
        prepared.captions.extend(sight.described.map(|described| (name.clone(), described)));
        prepared.masks.extend(sight.mask.map(|mask| (name.clone(), mask)));
        prepared.focuses.extend(sight.focus.map(|focus| (name.clone(), focus)));
        captions.insert(name, sight.caption);
    }
    let description = describe(task, &captions);
    let report = examiner.report(records, &telling(task, &description));
    prepared.shared = description
        .shared
        .iter()
        .map(|shared| SharedPhrase { phrase: shared.phrase.clone(), count: shared.count, meaning: shared.explain() })
        .collect();
    if let Some(out) = &task.out {
        let title = if task.name.is_empty() { "pictures" } else { task.name.as_str() };
        if let Some(sheet) = examiner::sheets(title, &previews, &report).first() {
            fs::create_dir_all(out).map_err(|source| Error::Disk { path: out.clone(), source })?;
            save(&out.join("sheet.png"), sheet)?;
        }
    }
    prepared.examined = Some(report);
    Ok(Looked { prepared, captions })
}

/// What nearly all captions say.
fn describe(task: &PrepareTask, captions: &BTreeMap<String, Option<String>>) -> Description {
    let bound = |text: &String| dataset::bind_concept(text, &task.name);
    caption::description(&captions.values().flatten().map(bound).collect::<Vec<_>>())
}

/// Of that, what says how the concept itself looks.
fn telling(task: &PrepareTask, description: &Description) -> Vec<SharedWord> {
    let telling = description.dropout_words(mode_of(task.mode));
    let shared = description.shared.iter().filter(|shared| telling.contains(&shared.phrase));
    shared.map(|shared| SharedWord { word: shared.phrase.clone(), count: shared.count }).collect()
}

fn save(path: &Path, sheet: &image::RgbImage) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| Error::Picture { path: path.to_owned(), reason: error.to_string() };
    let part = path.with_extension("part.png");
    sheet.save(&part).map_err(|error| failed(&error))?;
    fs::rename(&part, path).map_err(|error| failed(&error))
}
