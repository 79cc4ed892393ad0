//! The concept where the writer of a caption named it.

use crate::{
    lexicon::{self, CONCEPT, DET, NUM, POSS},
    person,
    words::{Draft, PLACEHOLDER, Word, number},
};
use dataset::{Mention, Names, folded};

/// Every mention becomes `<concept>`: in angle brackets and in any case, and bare. A name that is also a word ("May",
/// "cat") counts bare only where it is used as a name.
pub(crate) fn bind(text: &str, name: &str, class_noun: Option<&str>) -> String {
    let ordinary = {
        let key = folded(name);
        lexicon::is_ordinary(&key) || class_noun.is_some_and(|noun| folded(noun) == key)
    };
    let mentions = Names::new([(name, true)], true).find(text, &[]);
    let written = mentions.iter().any(|mention| text[mention.range.clone()].starts_with('<'));
    let mut bound = String::with_capacity(text.len());
    let mut at = 0;
    for Mention { range, .. } in mentions {
        let bracketed = text[range.clone()].starts_with('<');
        if bracketed || !ordinary || !written && is_name(text, &range, name) {
            bound.push_str(&text[at..range.start]);
            bound.push_str(PLACEHOLDER);
            at = range.end;
        }
    }
    bound.push_str(&text[at..]);
    bound
}

/// "two <concept>" becomes "<concept> and another kitten", if it is known what the concept is.
pub(crate) fn count(draft: &mut Draft, class_noun: &str) {
    for sentence in &mut draft.sentences {
        let words = &mut sentence.words;
        let many = |at: &usize| words[*at].is(CONCEPT) && number(&words[at - 1]).is_some_and(|count| count > 1);
        if let Some(at) = (1..words.len()).find(many) {
            words[at] = Word::new(&person::plural(class_noun.trim()), true);
            person::several(words, at);
        }
    }
}

/// Whether an ordinary word is a name here: written with the name's capital, or without an article where a name stands
/// (at the beginning, behind "of", as a whole tag); "in May" is a date.
fn is_name(text: &str, range: &std::ops::Range<usize>, name: &str) -> bool {
    const DATES: &[&str] = &["in", "since", "until", "last", "next", "early", "late", "mid", "every", "on", "during"];
    let before = text[..range.start].trim_end();
    let last = before.rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
    let last = Word::new(last.trim_start_matches(|c: char| !c.is_alphanumeric()), true);
    let date =
        DATES.contains(&last.key.as_str()) || text[range.end..].trim_start().starts_with(|c: char| c.is_ascii_digit());
    if date || last.is(DET | POSS | NUM) {
        return false;
    }
    let behind = text[range.end..].trim_start();
    let begins = before.is_empty() || before.ends_with(',');
    let ends = behind.is_empty() || behind.starts_with([',', '.']);
    let capital = name.trim().chars().any(char::is_uppercase);
    if capital {
        // A word gets a capital at the beginning of a sentence too.
        return text[range.clone()] == *name.trim() && !before.ends_with(['.', '!', '?'])
            || begins && (ends || before.is_empty())
            || last.key == "of";
    }
    before.is_empty() || begins && ends || last.key == "of"
}
