//! Style mode: how a picture is made goes unsaid, and the concept says it.

use crate::{
    clean::drop_phrases,
    lexicon::{
        ADJ, ADV, AUX, CONCEPT, CONJ, DET, FRAME, MEDIUM, OPENS, PLAIN, PREP, PUNCT, QUALITY, SHOW, STYLE, VERB,
    },
    phrases::forward,
    words::{Draft, PLACEHOLDER, Word, words},
};

/// Words behind which a comma is put before "in the style of".
const LONG: usize = 8;

/// Kinds of pictures, schools, tools and praise go.
pub(crate) fn strip(draft: &mut Draft) {
    draft.sentences.retain(|sentence| !remark(&sentence.words) || sentence.concept().is_some());
    for sentence in &mut draft.sentences {
        let words = &mut sentence.words;
        drop_phrases(words, &all_style);
        medium(words);
        places(words);
        attributes(words);
    }
    draft.sentences.retain(|sentence| !sentence.words.is_empty());
}

/// "The style is reminiscent of Monet", "It is painted in oil".
fn remark(words: &[Word]) -> bool {
    let Some((phrase, head)) = forward(words, 0) else {
        let it = words.first().is_some_and(|word| word.key == "it");
        return it
            && words
                .iter()
                .any(|word| matches!(word.key.as_str(), "painted" | "drawn" | "rendered" | "illustrated" | "style"));
    };
    let tells = words.get(phrase.end).is_some_and(|next| next.is(AUX | VERB | PREP));
    let the = words[0].key == "the" || words[0].key == "this";
    let how = matches!(
        words[head].key.as_str(),
        "style"
            | "technique"
            | "brushstrokes"
            | "brushwork"
            | "medium"
            | "artist"
            | "palette"
            | "strokes"
            | "linework"
            | "shading"
    );
    let whole = words[head].is(MEDIUM)
        && words.iter().any(|word| {
            word.is(STYLE) && !word.is(MEDIUM) || word.key == "colors" || word.key == "taken" || word.key == "black"
        });
    the && tells && (how || whole)
}

/// Whether a phrase is about nothing but style: "digital art", "trending on artstation", "by Greg Rutkowski".
fn all_style(part: &[Word]) -> bool {
    if part.is_empty() || part.iter().any(|word| word.is(CONCEPT)) {
        return false;
    }
    let by = part[0].key == "by" && part.len() > 1 && part[1].text.starts_with(char::is_uppercase);
    let after = matches!(part[0].key.as_str(), "inspired" | "reminiscent");
    let ends = part.last().is_some_and(|word| matches!(word.key.as_str(), "style" | "styled" | "aesthetic"))
        && !part.iter().any(|word| word.is(VERB));
    let named = part.iter().any(|word| word.key == "style") && matches!(part[0].key.as_str(), "in" | "style");
    let medium = part.iter().all(|word| {
        word.is(STYLE | QUALITY | MEDIUM | ADV | CONJ | PREP | DET)
            || matches!(
                word.key.as_str(),
                "vibrant" | "colors" | "colours" | "soft" | "bold" | "medium" | "white" | "black" | "color"
            )
    });
    let tells = part.iter().any(|word| word.is(STYLE | QUALITY) || word.is(PLAIN))
        || crate::clean::says(part, 0, "black and white")
        || crate::clean::says(part, 0, "vibrant");
    by || after || ends || named || medium && tells && !part.iter().any(|word| word.is(FRAME))
}

/// "a watercolor painting of" at the beginning.
fn medium(words: &mut Vec<Word>) {
    while let Some((phrase, head)) = forward(words, 0) {
        let shows = words
            .get(phrase.end)
            .is_some_and(|next| next.is(SHOW) && !next.is(VERB) || next.key == "with" && !words[head].is(FRAME));
        // A framed photo is a thing in the picture.
        let concept = words[phrase.clone()].iter().any(|word| word.is(CONCEPT) || word.key == "framed");
        if !words[head].is(STYLE | PLAIN)
            || !words[head].is(MEDIUM)
            || concept
            || !shows
            || phrase.end + 1 >= words.len()
        {
            return;
        }
        words.drain(..=phrase.end);
    }
}

/// "in the style of Monet", "in watercolor", "on canvas", "in a cartoon style", "by Greg Rutkowski".
fn places(words: &mut Vec<Word>) {
    let mut at = 0;
    while at < words.len() {
        let end = phrase_of_style(words, at);
        match end {
            Some(end) if !words[at..end].iter().any(|word| word.is(CONCEPT)) => drop(words.drain(at..end)),
            _ => at += 1,
        }
    }
}

fn phrase_of_style(words: &[Word], at: usize) -> Option<usize> {
    let key = words[at].key.as_str();
    if matches!(key, "painted" | "drawn" | "rendered" | "illustrated" | "done" | "inspired" | "reminiscent") {
        let prep = words.get(at + 1).filter(|word| matches!(word.key.as_str(), "in" | "with" | "by" | "of"))?;
        return phrase_of_style(words, at + 1)
            .or_else(|| (prep.key != "in").then(|| forward(words, at + 2).map(|(phrase, _)| phrase.end))?);
    }
    if key == "by" {
        let name = words[at + 1..].iter().take_while(|word| word.text.starts_with(char::is_uppercase)).count();
        return (name > 0).then_some(at + 1 + name);
    }
    if !matches!(key, "in" | "on" | "with") {
        return None;
    }
    let (phrase, head) = forward(words, at + 1)?;
    let style = words[head].key == "style" || words[head].key == "manner";
    if style && key == "in" {
        let of = words.get(phrase.end).filter(|word| word.key == "of");
        return Some(of.and_then(|_| forward(words, phrase.end + 1)).map_or(phrase.end, |(phrase, _)| phrase.end));
    }
    let made = words[phrase.clone()].iter().all(|word| word.is(STYLE | DET | ADJ | MEDIUM)) && words[head].is(STYLE);
    let grey = crate::clean::says(words, at + 1, "black and white")
        && words.get(at + 4).is_none_or(|next| next.is(PUNCT | PREP | CONJ));
    (made && (key != "with" || !words[head].is(MEDIUM)) || grey && key == "in").then_some(phrase.end)
}

/// "an anime girl", "a pixel art cat", "a watercolor portrait": the words of style before a noun.
fn attributes(words: &mut Vec<Word>) {
    let mut at = 0;
    while at < words.len() {
        let style = words[at].is(STYLE)
            && !matches!(
                words[at].key.as_str(),
                "line"
                    | "flat"
                    | "canvas"
                    | "engine"
                    | "style"
                    | "vintage"
                    | "pencil"
                    | "ink"
                    | "pastel"
                    | "oil"
                    | "print"
            );
        let tool = matches!(words[at].key.as_str(), "pencil" | "ink" | "pastel" | "oil")
            && words.get(at + 1).is_some_and(|next| next.is(MEDIUM));
        let before = at == 0 || words[at - 1].is(OPENS | ADJ) || words[at - 1].key == "of";
        let mut end = at + 1;
        while words.get(end).is_some_and(|word| word.is(STYLE) && !word.is(FRAME)) {
            end += 1;
        }
        let noun = words.get(end).is_some_and(|next| !next.is(PUNCT | PREP | CONJ | AUX | VERB));
        let styled = words[at].key.ends_with("-style") || words[at].key.ends_with("-styled");
        if before && noun && (style || tool || styled) {
            words.drain(at..end);
        } else {
            at += 1;
        }
    }
}

/// Says the style once, at the end of the first sentence, so that a long caption does not lose it.
pub(crate) fn say(draft: &mut Draft) {
    let Some(first) = draft.sentences.first_mut() else { return };
    while first.words.last().is_some_and(|word| word.is(PUNCT) && matches!(word.key.as_str(), "," | ";" | ":")) {
        first.words.pop();
    }
    let long = first.words.len() > LONG || first.words.iter().any(|word| word.key == ",");
    if long || crate::fragment::is_clause(&first.words) {
        first.words.push(Word::new(",", false));
    }
    first.words.extend(words(&format!("in the style of {PLACEHOLDER}")));
}
