//! Captions that are longer than a text encoder reads at once.

use crate::words::PLACEHOLDER;

/// Tokens that CLIP reads at once, without its two marks of beginning and end: Radford and others 2021, a context of
/// 77.
pub const CLIP_TOKENS: usize = 75;

/// A caption that is not read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How many tokens it has.
    pub tokens: usize,
    /// What is read; the words behind it are lost.
    pub cut_after: String,
    /// A shorter one: whole phrases left out from the end, the concept kept. None if no phrase can go.
    pub shorter: Option<String>,
}

/// Whether a caption has more than [`CLIP_TOKENS`] tokens; `count` counts a text's tokens as the encoder does.
pub fn too_long(text: &str, count: &dyn Fn(&str) -> usize) -> Option<TooLong> {
    let tokens = count(text);
    if tokens <= CLIP_TOKENS {
        return None;
    }
    let fits = |end: usize| count(&text[..end]) <= CLIP_TOKENS;
    let ends: Vec<usize> = text
        .char_indices()
        .filter(|&(at, c)| c.is_whitespace() && !text[..at].ends_with(char::is_whitespace))
        .map(|(at, _)| at)
        .collect();
    // The more words, the more tokens: the last place that fits is found by halving.
    let cut = ends.partition_point(|&end| fits(end)).checked_sub(1).map_or(0, |place| ends[place]);
    Some(TooLong { tokens, cut_after: text[..cut].to_owned(), shorter: shorter(text, &fits) })
}

fn shorter(text: &str, fits: &dyn Fn(usize) -> bool) -> Option<String> {
    let needed = text.find(PLACEHOLDER).map_or(0, |at| at + PLACEHOLDER.len());
    let ends_phrase = |(at, c): &(usize, char)| {
        matches!(c, ',' | '.' | ';' | '!' | '?') && text[at + c.len_utf8()..].starts_with(char::is_whitespace)
    };
    let ends: Vec<usize> = text.char_indices().filter(ends_phrase).map(|(at, _)| at).collect();
    let place = ends.partition_point(|&end| fits(end)).checked_sub(1)?;
    let end = Some(ends[place]).filter(|&end| end >= needed && end > 0)?;
    let short = text[..end].trim_end();
    // Several sentences end with a full stop, a fragment does not.
    let stop = if short.contains(". ") { "." } else { "" };
    Some(format!("{short}{stop}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn what_is_lost_is_said_and_phrases_go_from_the_end() {
        assert_eq!(too_long(&"word ".repeat(75), &count), None);
        let phrase = |n: usize| format!("{}end", "word ".repeat(n - 1));
        let text = format!("<concept> {}, {}. {}", phrase(29), phrase(30), phrase(30));
        let long = too_long(&text, &count).expect("90 words");
        assert_eq!((long.tokens, count(&long.cut_after)), (90, 75));
        assert!(text.starts_with(&long.cut_after));
        assert_eq!(long.shorter, Some(format!("<concept> {}, {}", phrase(29), phrase(30))));
        let unbroken = too_long(&phrase(80), &count).expect("80 words");
        assert_eq!(unbroken.shorter, None);
        let late = format!("{}, {}, <concept>", phrase(50), phrase(30));
        assert_eq!(too_long(&late, &count).expect("81 words").shorter, None);
        assert_eq!(too_long(&"x".repeat(9), &|_| 80).expect("80 tokens").cut_after, "");
    }
}
