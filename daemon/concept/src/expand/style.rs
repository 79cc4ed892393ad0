//! A style is called by "in the style of ...", unless the user's own words say how.

use super::{
    Called, a1111,
    draft::Draft,
    spans::{Kind, Span},
};
use dataset::is_word;
use protocol::{Mode, PromptTarget};

const PHRASE: &str = "in the style of ";
/// Stands for a call while words around it are looked at.
const CALL: char = '\u{fffc}';
/// Words behind which a style needs no further ones: "painted by ink", "as an ink".
const LEADS: &[&str] = &[
    "by", "of", "in", "like", "la", "after", "from", "as", "with", "using", "style", "styled", "the", "a", "an",
    "this", "that", "my", "our", "your", "his", "her", "their",
];

/// Puts the phrase before the first call of each style that ends a piece of the prompt ("a castle, ink"), unless such
/// words stand before some call of it. Where a style is said of something ("an ink castle") nothing is added. A chosen
/// style that is not called is called at the end.
pub fn add(
    draft: &mut Draft,
    text: &str,
    host: PromptTarget,
    concepts: &[Called],
    spans: &[Span],
    called: &mut [bool],
    chosen: bool,
) {
    let mut done: Vec<bool> = concepts.iter().map(|concept| concept.mode != Mode::Style).collect();
    for (before, _, concept) in surroundings(draft, text) {
        done[concept] |= is_led(&before);
    }
    let (mut before, mut from) = (String::new(), 0);
    for edit in &mut draft.edits {
        before += &text[from..edit.range.start];
        from = edit.range.end;
        if !done[edit.concept] && ends_piece(text, edit.range.end, spans) && !is_led(&before) {
            done[edit.concept] = true;
            let touches = before.ends_with(|c: char| c == CALL || is_word(c) || ",.;!?)]}>".contains(c));
            edit.lead = format!("{}{PHRASE}", if touches { " " } else { "" });
        }
        before += &edit.lead;
        before.push(CALL);
    }
    if !chosen {
        return;
    }
    for (place, concept) in concepts.iter().enumerate() {
        if concept.mode == Mode::Style && !called[place] {
            called[place] = true;
            for end in ends(text, host, spans) {
                let separator = separator(&text[..end], spans, end);
                draft.append(end, format!("{separator}{PHRASE}"), place);
            }
        }
    }
}

/// For each call: what stands before it, where it ends, whom it calls.
fn surroundings(draft: &Draft, text: &str) -> Vec<(String, usize, usize)> {
    let (mut before, mut from) = (String::new(), 0);
    let mut found = Vec::new();
    for edit in &draft.edits {
        before += &text[from..edit.range.start];
        from = edit.range.end;
        found.push((before.clone(), from, edit.concept));
        before.push(CALL);
    }
    found
}

/// Whether what stands before a call says already how it is meant.
fn is_led(before: &str) -> bool {
    let mut before = before;
    // Of alternatives, each follows what stands before all of them.
    while before.trim_end().ends_with(['|', ':'])
        && let Some(open) = before.rfind(['{', '['])
        && !before[open..].contains(['}', ']'])
    {
        before = &before[..open];
    }
    let piece = before.rsplit([',', '.', ';', '|', '!', '?', '\n']).next().unwrap_or_default();
    let piece = piece
        .trim_end_matches(|c: char| c.is_whitespace() || "\"'\u{201c}\u{201d}\u{2018}\u{2019}«„([{<:=-".contains(c));
    let piece = piece.to_lowercase();
    let words: Vec<&str> = piece.split(|c: char| !c.is_alphanumeric() && c != CALL).filter(|w| !w.is_empty()).collect();
    let joined = piece.ends_with(['&', '+']) || matches!(words.last(), Some(&("and" | "or")));
    if joined {
        return words.contains(&"by") || words.windows(2).any(|pair| matches!(pair, ["style" | "styles", "of"]));
    }
    let ends_in_word = piece.chars().next_back().is_some_and(char::is_alphanumeric);
    ends_in_word && words.last().is_some_and(|word| LEADS.contains(word))
}

/// Whether a piece of the prompt ends at `at`, but for quotes.
fn ends_piece(text: &str, at: usize, spans: &[Span]) -> bool {
    let rest = text[at..].trim_start_matches(|c: char| {
        c != '\n' && c.is_whitespace() || "\"'\u{201c}\u{201d}\u{2018}\u{2019}»".contains(c)
    });
    let at = text.len() - rest.len();
    if spans.iter().any(|span| span.range.start == at && matches!(span.kind, Kind::Comment | Kind::Tag | Kind::Keyword))
    {
        return true;
    }
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
    match rest.chars().next() {
        None => true,
        Some(c) => ",.;:!?|()[]{}>\n&+".contains(c) || matches!(word.to_lowercase().as_str(), "and" | "or"),
    }
}

/// Where something can be added to a prompt: at its end, but before tags, comments and A1111's weight. Each part of
/// A1111's `AND` is a prompt of its own.
fn ends(text: &str, host: PromptTarget, spans: &[Span]) -> Vec<usize> {
    let composes =
        |span: &&Span| host == PromptTarget::A1111 && span.kind == Kind::Keyword && &text[span.range.clone()] == "AND";
    let mut parts = Vec::new();
    let mut from = 0;
    for and in spans.iter().filter(composes) {
        parts.push(from..and.range.start);
        from = and.range.end;
    }
    parts.push(from..text.len());
    let several = parts.len() > 1;
    let mut ends = Vec::new();
    for part in parts {
        let mut end = part.end;
        loop {
            let trimmed = part.start + text[part.start..end].trim_end().len();
            let passed = spans.iter().find(|span| {
                let ends_there = span.range.start < trimmed && span.range.end >= trimmed;
                matches!(span.kind, Kind::Comment | Kind::Tag) && span.range.start >= part.start && ends_there
            });
            end = match passed {
                Some(span) => span.range.start,
                None if host == PromptTarget::A1111 => match before_weight(&text[part.start..trimmed]) {
                    Some(length) => part.start + length,
                    None => break,
                },
                None => break,
            };
        }
        let end = part.start + text[part.start..end].trim_end().len();
        if !several || !text[part.start..end].trim().is_empty() {
            ends.push(end);
        }
    }
    ends
}

/// Length of what stands before a weight such as `:0.8`.
fn before_weight(part: &str) -> Option<usize> {
    let (before, number) = part.rsplit_once(':')?;
    a1111::is_weight(number).then(|| before.trim_end().len())
}

/// What is written between a prompt and the phrase.
fn separator(before: &str, spans: &[Span], end: usize) -> &'static str {
    let keyword = spans.iter().any(|span| span.kind == Kind::Keyword && span.range.end == end);
    match before.chars().next_back() {
        None => "",
        _ if keyword => " ",
        Some(',' | '.' | ';' | ':' | '!' | '?') => " ",
        Some(c) if c.is_whitespace() => "",
        Some(_) => ", ",
    }
}
