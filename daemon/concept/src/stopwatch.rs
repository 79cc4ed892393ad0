//! Where the time of a run goes. Stages share one watch; it always counts for exactly one part, so that the parts add up.

use kernels::Device;
use protocol::{Part, PartTime, Timings};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A watch, or none: then nothing is measured and nothing waits.
#[derive(Default)]
pub struct Stopwatch(Option<Mutex<Running>>);

struct Running {
    /// What is waited for before a time is taken.
    device: Option<Device>,
    waits: bool,
    begun: Instant,
    /// Since when `now` is counted.
    since: Instant,
    now: Part,
    spent: BTreeMap<Part, (Duration, u64)>,
}

impl Stopwatch {
    /// Begins. With `waits`, a GPU finishes the work of a part before the next part is counted, which costs a little; else
    /// its work is counted where something first waits for it.
    pub fn new(waits: bool) -> Self {
        let begun = Instant::now();
        Self(Some(Mutex::new(Running {
            device: None,
            waits,
            begun,
            since: begun,
            now: Part::Rest,
            spent: BTreeMap::new(),
        })))
    }

    fn running(&self) -> Option<MutexGuard<'_, Running>> {
        // Times stay times whatever happened to the thread that took them.
        self.0.as_ref().map(|running| running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The device that does the work from now on.
    pub(crate) fn on(&self, device: &Device) {
        if let Some(mut running) = self.running() {
            running.device = Some(device.clone());
        }
    }

    /// Does `work`, whose time belongs to `part`, but for the parts that it times itself.
    pub fn time<R>(&self, part: Part, work: impl FnOnce() -> R) -> R {
        let before = self.running().map(|mut running| running.turn_to(part, true));
        let result = work();
        if let (Some(before), Some(mut running)) = (before, self.running()) {
            running.turn_to(before, false);
        }
        result
    }

    /// What was measured so far.
    pub fn timings(&self) -> Option<Timings> {
        let mut running = self.running()?;
        let now = running.now;
        running.turn_to(now, false);
        let parts = running.spent.iter();
        Some(Timings {
            seconds: (running.since - running.begun).as_secs_f64(),
            waited: running.waits,
            parts: parts
                .map(|(&part, &(spent, times))| PartTime { part, seconds: spent.as_secs_f64(), times })
                .collect(),
        })
    }
}

impl Running {
    /// Counts for `part` from now on and returns what was counted until now.
    fn turn_to(&mut self, part: Part, begins: bool) -> Part {
        if let Some(device) = self.device.as_ref().filter(|_| self.waits) {
            // A device that failed says so to whoever works on it next.
            let _ = device.synchronize();
        }
        let moment = Instant::now();
        self.spent.entry(self.now).or_default().0 += moment - self.since;
        self.since = moment;
        if begins {
            self.spent.entry(part).or_default().1 += 1;
        }
        std::mem::replace(&mut self.now, part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;

    #[test]
    fn inner_parts_are_not_counted_twice_and_all_add_up() {
        let watch = Stopwatch::new(true);
        watch.on(&Device::Cpu);
        let (short, long) = (Duration::from_millis(20), Duration::from_millis(60));
        let value = watch.time(Part::Pictures, || {
            sleep(short);
            (0..2).map(|n| watch.time(Part::Latents, || (sleep(long), n).1)).sum::<i32>()
        });
        assert_eq!(value, 1);
        sleep(short);
        let timings = watch.timings().expect("it runs");
        let of = |part| timings.parts.iter().find(|time| time.part == part).expect("measured");
        assert_eq!((of(Part::Pictures).times, of(Part::Latents).times), (1, 2));
        // A machine may be slow, but never fast.
        assert!(of(Part::Latents).seconds >= 0.12 && of(Part::Pictures).seconds >= 0.02);
        assert!(of(Part::Pictures).seconds < of(Part::Latents).seconds, "{timings:?}");
        let sum: f64 = timings.parts.iter().map(|time| time.seconds).sum();
        assert!((sum - timings.seconds).abs() < 1e-6, "{sum} {timings:?}");
    }

    #[test]
    fn without_a_watch_nothing_is_measured() {
        let watch = Stopwatch::default();
        watch.on(&Device::Cpu);
        assert_eq!(watch.time(Part::Forward, || 7), 7);
        assert_eq!(watch.timings(), None);
    }
}
