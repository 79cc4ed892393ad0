//! What ComfyUI's text encoders see. `embedding:NAME` counts at the beginning, behind a space, a line feed or a bracket
//! that opens a weight, and its name goes up to the next white space or bracket; commas at its end are dropped.

use super::{Called, a1111, draft::Unit};

/// The prompt, with spaces around calls where they would not be seen without.
pub fn write(units: &[Unit], concepts: &[Called], calls: &[String]) -> String {
    let brackets = brackets(units);
    let mut out = String::new();
    for (at, unit) in units.iter().enumerate() {
        match *unit {
            Unit::Char(c) => out.push(c),
            Unit::Call(call) if concepts[call].tokens == 0 => a1111::push(&mut out, units, at, &calls[call]),
            Unit::Call(call) => {
                let follows =
                    out.is_empty() || out.ends_with([' ', '\n']) || at > 0 && brackets[at - 1] && out.ends_with('(');
                if !follows {
                    out.push(' ');
                }
                out += &calls[call];
                if !ends(units, at + 1, &brackets) {
                    out.push(' ');
                }
            }
        }
    }
    out
}

/// Which units are brackets around a weight. One that is escaped, or has no partner, is text; behind a closing bracket too
/// many the counting is off, and pairs are text too.
fn brackets(units: &[Unit]) -> Vec<bool> {
    let mut found = vec![false; units.len()];
    // Within a pair the counting begins anew.
    let mut parts = vec![(0, units.len())];
    while let Some((start, end)) = parts.pop() {
        let (mut level, mut opened) = (0_i64, start);
        for at in start..end {
            let escaped = at > 0 && units[at - 1] == Unit::Char('\\');
            match units[at] {
                Unit::Char('(') if !escaped => {
                    if level == 0 {
                        opened = at;
                    }
                    level += 1;
                }
                Unit::Char(')') if !escaped => {
                    level -= 1;
                    if level == 0 {
                        (found[opened], found[at]) = (true, true);
                        parts.push((opened + 1, at));
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// Whether the name of an embedding ends before the unit `at`.
fn ends(units: &[Unit], at: usize, brackets: &[bool]) -> bool {
    let behind_commas = (at..units.len()).find(|&at| units[at] != Unit::Char(',')).unwrap_or(units.len());
    match units.get(behind_commas) {
        None | Some(Unit::Call(_)) => true,
        Some(Unit::Char(':')) if behind_commas == at => a1111::weight(units, at).is_some_and(|end| brackets[end]),
        Some(Unit::Char(c)) => c.is_whitespace() || brackets[behind_commas],
    }
}
