//! What A1111 and Forge see: an embedding by its bare name, wherever that is cut into the same tokens; LoRAs in tags.

use super::{
    draft::Unit,
    spans::{Kind, Span},
};
use dataset::is_word;
use protocol::ApplyConcept;
use regex::Regex;
use std::sync::LazyLock;

/// A tag without its end.
static OPEN_TAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<[A-Za-z0-9_]+:[^>]*$").expect("bug: the pattern of open tags"));

/// The prompt, with spaces around calls that would run into their neighbours.
pub fn write(units: &[Unit], calls: &[String]) -> String {
    let mut out = String::new();
    for (at, unit) in units.iter().enumerate() {
        match *unit {
            Unit::Char(c) => out.push(c),
            Unit::Call(call) => push(&mut out, units, at, &calls[call]),
        }
    }
    out
}

/// Adds the call that is the unit `at`. Brackets, weights and tags are taken out before words are told apart, so what stands
/// beyond them is a neighbour.
pub fn push(out: &mut String, units: &[Unit], at: usize, call: &str) {
    let is_bracket = |c: char| "()[]".contains(c);
    let before = out.trim_end_matches(is_bracket).chars().next_back();
    let behind_call = at > 0 && matches!(units[at - 1], Unit::Call(_));
    // `'s`, `'d` and the like are words of their own, whatever follows them; with a hyphen it may be another's name, with
    // an angle bracket a tag.
    if behind_call || before.is_some_and(|c| is_word(c) || matches!(c, '\'' | '>' | '<' | '-')) {
        out.push(' ');
    }
    out.push_str(call);
    let mut next = at + 1;
    while let Some(Unit::Char(c)) = units.get(next) {
        match weight(units, next) {
            Some(end) => next = end,
            None if is_bracket(*c) => next += 1,
            None => break,
        }
    }
    if matches!(units.get(next), Some(Unit::Char(c)) if is_word(*c) || *c == '<') {
        out.push(' ');
    }
}

/// Where the bracket is that closes a weight such as `:1.2)`, if one begins at the unit `at`.
pub fn weight(units: &[Unit], at: usize) -> Option<usize> {
    let text = |unit: &Unit| if let Unit::Char(c) = unit { Some(*c) } else { None };
    let rest: String = units.get(at..)?.iter().map_while(text).take(32).collect();
    let (number, _) = rest.strip_prefix(':')?.split_once(')')?;
    is_weight(number).then(|| at + 1 + number.chars().count())
}

/// Whether a text is a number such as `1.2`.
pub fn is_weight(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok()
}

/// Adds the tags that load LoRAs, but for those that the user wrote, whose weights are the user's choice. A comment would
/// swallow what stands in its line, and a tag that is not closed what stands behind it.
pub fn load(expanded: &mut String, loras: &[ApplyConcept], text: &str, spans: &[Span]) {
    let written = |lora: &str| {
        let tags = spans.iter().filter(|span| span.kind == Kind::Tag).map(|span| &text[span.range.clone()]);
        let names = tags.filter_map(|tag| {
            let (kind, rest) = tag.trim_matches(['<', '>']).split_once(':')?;
            matches!(kind, "lora" | "lyco").then(|| rest.split(':').next().unwrap_or_default())
        });
        names.into_iter().any(|name| name == lora)
    };
    let missing = loras.iter().filter(|lora| !written(&lora.concept));
    let tags: Vec<String> =
        missing.map(|ApplyConcept { concept, strength, .. }| format!("<lora:{concept}:{strength}>")).collect();
    let tags = tags.join(" ");
    if tags.is_empty() {
        return;
    }
    if OPEN_TAG.is_match(text) {
        expanded.insert_str(0, &(tags + " "));
        return;
    }
    if spans.iter().any(|span| span.kind == Kind::Comment && span.range.end == text.len()) {
        expanded.push('\n');
    } else if !expanded.is_empty() && !expanded.ends_with(char::is_whitespace) {
        expanded.push(' ');
    }
    *expanded += &tags;
}
