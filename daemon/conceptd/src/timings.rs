//! Where the time of a training went, as a table for people.

use crate::table::table;
use protocol::Timings;

/// Part, seconds, share and, of what happens often, how long each took.
pub fn table_of(timings: &Timings) -> String {
    let share = |seconds: f64| format!("{:5.1} %", 100.0 * seconds / timings.seconds.max(f64::MIN_POSITIVE));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for time in &timings.parts {
        let each = match time.times {
            0 | 1 => String::new(),
            times => format!("{times} x {}", precise(time.seconds / times as f64)),
        };
        rows.push(vec![time.part.words().into(), format!("{:9.2}", time.seconds), share(time.seconds), each]);
    }
    rows.push(vec!["all".into(), format!("{:9.2}", timings.seconds), share(timings.seconds), String::new()]);
    table(&["WHERE THE TIME WENT", "  SECONDS", "SHARE", "EACH"], &rows)
}

/// Three digits, whatever the size.
fn precise(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s => format!("{:.1} ms", 1000.0 * s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Part, PartTime};

    #[test]
    fn a_table_names_every_part_and_the_whole() {
        let part = |part, seconds, times| PartTime { part, seconds, times };
        let parts = vec![part(Part::Base, 1.5, 1), part(Part::Forward, 6.0, 300), part(Part::Rest, 0.5, 0)];
        let text = table_of(&Timings { seconds: 8.0, waited: true, parts });
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[2], ["steps:", "forward", "6.00", "75.0", "%", "300", "x", "20.0", "ms"], "{text}");
        assert_eq!(rows[1][5..], ["1.50", "18.8", "%"], "what happens once has no time of each: {text}");
        assert!(text.ends_with("8.00  100.0 %\n"), "{text}");
    }
}
