//! Noticing that memory runs over: beyond a budget, or steps that suddenly take thrice as long while memory is nearly
//! full, which is what a driver or a system does that silently moves data out.

/// Steps whose time counts as usual.
const USUAL: usize = 10;
/// Steps that must all be slow.
const SLOW: usize = 3;

/// Watches a run.
pub struct Spill {
    budget: u64,
    seconds: Vec<f64>,
}

impl Spill {
    /// Bytes that may be taken; 0 for no limit.
    pub fn new(budget: u64) -> Self {
        Self { budget, seconds: Vec::new() }
    }

    /// Sees a step and the memory behind it; says what is wrong, if anything is.
    pub fn see(&mut self, seconds: f64, memory: u64) -> Option<String> {
        self.seconds.push(seconds);
        if self.budget == 0 {
            return None;
        }
        let (taken, allowed) = (memory >> 20, self.budget >> 20);
        if memory > self.budget {
            return Some(format!("{taken} MiB are taken, {allowed} MiB are allowed"));
        }
        let count = self.seconds.len();
        if count < USUAL + SLOW || memory < self.budget / 10 * 8 {
            return None;
        }
        let (before, recent) = self.seconds.split_at(count - SLOW);
        let mut before = before.to_vec();
        before.sort_by(f64::total_cmp);
        let median = before[before.len() / 2];
        recent.iter().all(|seconds| *seconds > 3.0 * median).then(|| {
            format!("steps take over three times as long as before, with {taken} of {allowed} MiB taken: memory is being moved out")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn running_over_is_noticed() {
        let mut spill = Spill::new(100 * MIB);
        assert_eq!(spill.see(1.0, 99 * MIB), None);
        assert!(spill.see(1.0, 101 * MIB).is_some_and(|text| text.contains("101 MiB are taken")));
        assert_eq!(Spill::new(0).see(1.0, u64::MAX), None, "no budget, no limit");
    }

    #[test]
    fn slow_steps_count_when_memory_is_nearly_full() {
        let run = |memory| {
            let mut spill = Spill::new(100 * MIB);
            let steps = [vec![1.0; 12], vec![3.5, 4.0, 3.1]].concat();
            steps.into_iter().filter_map(|seconds| spill.see(seconds, memory)).count()
        };
        assert_eq!((run(90 * MIB), run(50 * MIB)), (1, 0));
        let mut spill = Spill::new(100 * MIB);
        let hiccup = [vec![1.0; 12], vec![9.0, 1.0, 9.0]].concat();
        assert!(hiccup.into_iter().all(|seconds| spill.see(seconds, 90 * MIB).is_none()));
    }
}
