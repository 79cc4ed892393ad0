//! Text as names are compared: cluster by cluster, whatever its case and however its accents are stored.

use std::ops::Range;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// A letter as it is compared. Several may come from one cluster of the text (`ß` is compared as `ss`).
pub(crate) struct Letter {
    /// What is compared.
    pub folded: char,
    /// The cluster in the text.
    pub cluster: Range<usize>,
    /// Whether a cluster begins here.
    pub first: bool,
    /// Whether a cluster ends here.
    pub last: bool,
    /// What words the cluster can be part of; see [`script`].
    pub script: u8,
}

/// The letters of a text. A run of white space within a line is one space, `\(` is `(`, a curly apostrophe a straight one.
pub(crate) fn letters(text: &str) -> Vec<Letter> {
    let mut letters = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let end = at + cluster(&text[at..], c);
        let folded = fold(&text[at..end], c);
        let count = folded.chars().count();
        for (place, folded) in folded.chars().enumerate() {
            let (first, last) = (place == 0, place + 1 == count);
            letters.push(Letter { folded, cluster: at..end, first, last, script: script(c) });
        }
        at = end;
    }
    letters
}

/// Length of the cluster at the beginning of `text`, which begins with `c`.
fn cluster(text: &str, c: char) -> usize {
    let rest = text[c.len_utf8()..].chars();
    let further: usize = if c == '\\' {
        rest.take(1).filter(|next| matches!(next, '(' | ')' | '[' | ']')).map(char::len_utf8).sum()
    } else if is_blank(c) {
        rest.take_while(|next| is_blank(*next)).map(char::len_utf8).sum()
    } else {
        // Vowels and finals of Hangul that is stored in parts follow like accents.
        let joins = |next: &char| is_combining_mark(*next) || matches!(next, '\u{1160}'..='\u{11ff}');
        rest.take_while(joins).map(char::len_utf8).sum()
    };
    c.len_utf8() + further
}

fn fold(cluster: &str, c: char) -> String {
    match c {
        '\\' => cluster.chars().last().into_iter().collect(),
        _ if is_blank(c) => " ".into(),
        '\u{2018}' | '\u{2019}' | '\u{02bc}' => "'".into(),
        '\u{2010}' | '\u{2011}' => "-".into(),
        // By way of upper case, so that `ß` meets `SS` and a final sigma any other.
        _ => cluster.nfc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect(),
    }
}

/// White space within a line.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// 0 for what is part of no word; else a number, the same for letters that can stand in one word. Japanese and Korean put
/// no space between a word and what is said of it: there the script changes where the word ends.
pub(crate) fn script(c: char) -> u8 {
    match c {
        '\u{3041}'..='\u{309f}' => 2,
        '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => 3,
        '\u{3005}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => 4,
        '\u{20000}'..='\u{3ffff}' => 4,
        '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7ff}' => 5,
        _ if c == '_' || c.is_alphanumeric() || is_combining_mark(c) => 1,
        _ => 0,
    }
}
