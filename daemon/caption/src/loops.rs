//! What a captioner says more than once: "table table table", the same sentence again.

use crate::{
    lexicon::{ADV, CONJ, NUM, PUNCT},
    words::{Draft, Word},
};
use std::collections::HashSet;

/// Words in a loop at most.
const LONGEST: usize = 12;

/// Loops, repeated phrases between commas and repeated sentences go.
pub(crate) fn cut(draft: &mut Draft) {
    for sentence in &mut draft.sentences {
        loops(&mut sentence.words);
        repeated_phrases(&mut sentence.words);
    }
    let mut seen = HashSet::new();
    draft.sentences.retain(|sentence| seen.insert(sentence.keys().join(" ")));
}

/// Cuts each run of words that stands twice in a row, with or without an "and" between.
fn loops(words: &mut Vec<Word>) {
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    for word in words.drain(..) {
        kept.push(word);
        for length in 1..=LONGEST.min(kept.len() / 2) {
            if let Some(from) = again(&kept, length) {
                kept.truncate(from);
                break;
            }
        }
    }
    *words = kept;
}

/// Where a repetition begins whose last `length` words are the end of `words`.
fn again(words: &[Word], length: usize) -> Option<usize> {
    const PAIRS: &[&str] = &["again", "more", "over", "round", "on", "by", "up", "out", "had", "side", "bye", "no"];
    let end = words.len();
    let tail = &words[end - length..];
    let counts = tail.iter().any(|word| !word.is(PUNCT | CONJ | NUM) && word.text != "<concept>");
    let pair = length == 1 && PAIRS.contains(&tail[0].key.as_str());
    if !counts || pair || tail[0].is(PUNCT) {
        return None;
    }
    let same = |from: usize| words[from..from + length].iter().zip(tail).all(|(a, b)| a.key == b.key);
    if end >= 2 * length && same(end - 2 * length) {
        return Some(end - length);
    }
    let between = end.checked_sub(2 * length + 1)?;
    let joint = &words[between + length];
    (joint.key == "and" && !(length == 1 && tail[0].is(ADV)) && same(between)).then_some(end - length - 1)
}

/// Cuts a phrase between commas that was there before.
fn repeated_phrases(words: &mut Vec<Word>) {
    let mut seen = HashSet::new();
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    for part in words.split(|word| word.key == ",") {
        let key: Vec<&str> = part.iter().map(|word| word.key.as_str()).collect();
        if seen.insert(key.join(" ")) {
            if !kept.is_empty() {
                kept.push(Word::new(",", false));
            }
            kept.extend_from_slice(part);
        }
    }
    *words = kept;
}
