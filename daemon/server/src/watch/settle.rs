//! Whether a data set is complete: nothing in it has changed for long enough. Times are told, so that no test waits.

use super::listing::Listing;
use std::time::{Duration, Instant};

/// What a look at a data set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to learn from.
    Empty,
    /// A file of this name is still being written.
    Unfinished(String),
    /// It changed; it may be quiet at this time.
    Changing(Instant),
    /// It is complete.
    Quiet,
}

/// What earlier looks saw.
#[derive(Clone, Debug)]
pub struct Settle {
    stamp: String,
    since: Instant,
}

impl Settle {
    /// The first look.
    pub fn new(listing: &Listing, now: Instant) -> Self {
        Self { stamp: listing.stamp(), since: now }
    }

    /// A further look. Only what looked the same over `quiet` is complete: events are not trusted for that, since
    /// network drives have none.
    pub fn see(&mut self, listing: &Listing, now: Instant, quiet: Duration) -> Verdict {
        let stamp = listing.stamp();
        if stamp != self.stamp || listing.unfinished.is_some() {
            *self = Self { stamp, since: now };
        }
        if let Some(name) = &listing.unfinished {
            return Verdict::Unfinished(name.clone());
        }
        if listing.is_empty() {
            return Verdict::Empty;
        }
        match self.since + quiet {
            until if until > now => Verdict::Changing(until),
            _ => Verdict::Quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::listing::Set;
    use std::{fs, path::Path};

    const QUIET: Duration = Duration::from_secs(10);

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn list(folder: &Path) -> Listing {
        Set { name: "x".into(), path: folder.to_owned(), archive: false }.list(folder).expect("listed")
    }

    #[test]
    fn only_what_stays_the_same_for_long_enough_is_quiet() {
        let (folder, start) = (tempfile::tempdir().expect("a folder"), Instant::now());
        let at = |seconds| after(start, seconds);
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        let empty = list(folder.path());
        let mut settle = Settle::new(&empty, at(0));
        assert_eq!(settle.see(&empty, at(100), QUIET), Verdict::Empty);
        write("a.png", "begun");
        assert_eq!(settle.see(&list(folder.path()), at(101), QUIET), Verdict::Changing(at(111)));
        assert_eq!(settle.see(&list(folder.path()), at(110), QUIET), Verdict::Changing(at(111)));
        write("a.png", "begun and grown");
        assert_eq!(settle.see(&list(folder.path()), at(112), QUIET), Verdict::Changing(at(122)), "grown in between");
        write("b.png.part", "half");
        assert_eq!(settle.see(&list(folder.path()), at(130), QUIET), Verdict::Unfinished("b.png.part".into()));
        fs::rename(folder.path().join("b.png.part"), folder.path().join("b.png")).expect("renamed");
        assert_eq!(settle.see(&list(folder.path()), at(131), QUIET), Verdict::Changing(at(141)));
        assert_eq!(settle.see(&list(folder.path()), at(141), QUIET), Verdict::Quiet);
    }

    #[test]
    fn an_unfinished_name_holds_up_what_looks_the_same() {
        let (folder, start) = (tempfile::tempdir().expect("a folder"), Instant::now());
        for name in ["a.png", "a.tmp"] {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        let mut settle = Settle::new(&list(folder.path()), start);
        let unfinished = Verdict::Unfinished("a.tmp".into());
        assert_eq!(settle.see(&list(folder.path()), after(start, 1000), QUIET), unfinished);
        fs::remove_file(folder.path().join("a.tmp")).expect("removed");
        // The name may have come and gone since: quiet counts from the last time that it was there.
        let verdict = settle.see(&list(folder.path()), after(start, 1005), QUIET);
        assert_eq!(verdict, Verdict::Changing(after(start, 1010)));
    }
}
