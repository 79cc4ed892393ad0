//! What no caption needs: preambles, remarks on the picture, letters in it, praise.

use crate::{
    Mode,
    lexicon::{
        ADJ, ADV, AUX, CONCEPT, CONJ, DET, ED, ING, LETTERING, MEDIUM, OPENS, PERSONS, PLAIN, PREP, PUNCT, QUALITY,
        REL, SHOW, STOP, VERB,
    },
    phrases::{forward, sift},
    words::{Draft, Word, words},
};

/// Whether the words from `at` on have these keys.
pub(crate) fn says(words: &[Word], at: usize, keys: &str) -> bool {
    keys.split(' ').enumerate().all(|(place, key)| words.get(at + place).is_some_and(|word| word.key == key))
}

/// "The image shows", "there is", "a photo of".
pub(crate) fn preambles(draft: &mut Draft, mode: Mode) {
    for (place, sentence) in draft.sentences.iter_mut().enumerate() {
        let words = &mut sentence.words;
        invented(words);
        while let Some(length) = preamble(words, place == 0, mode).filter(|&length| length < words.len()) {
            words.drain(..length);
        }
    }
    // "The photo was taken from above." is said of the same picture as the sentence before.
    let mut at = 1;
    while at < draft.sentences.len() {
        let first = draft.sentences[at].words.first().map(|word| word.key.as_str());
        if !matches!(first, Some("taken" | "captured" | "shot")) {
            at += 1;
            continue;
        }
        let taken = draft.sentences.remove(at);
        let words = &mut draft.sentences[0].words;
        words.push(Word::new(",", false));
        words.extend(taken.words);
    }
}

/// "arafed" and the like, which BLIP says instead of an article.
fn invented(words: &mut Vec<Word>) {
    let mut at = 0;
    while at < words.len() {
        if !matches!(words[at].key.as_str(), "arafed" | "araffe" | "araffed" | "arafe" | "arafes") {
            at += 1;
            continue;
        }
        let noun = words.get(at + 1).is_some_and(|next| !next.is(STOP | OPENS | ING | VERB | PERSONS | CONCEPT));
        if noun && (at == 0 || !words[at - 1].is(OPENS)) {
            words[at] = Word::new("a", words[at].spaced);
        } else {
            words.remove(at);
        }
    }
}

/// How many words at the beginning say nothing.
fn preamble(words: &[Word], first: bool, mode: Mode) -> Option<usize> {
    for start in ["in", "within"] {
        let picture = says(words, 0, start) && words.get(1)?.is(DET) && words.get(2)?.is(PLAIN);
        if picture {
            let comma = usize::from(words.get(3)?.key == ",");
            let seen = ["we can see", "you can see", "i can see", "one can see"]
                .iter()
                .any(|keys| says(words, 3 + comma, keys));
            return Some(3 + comma + if seen { 3 } else { 0 });
        }
    }
    for here in ["this is", "here is", "here we have", "we can see", "i can see", "you can see", "we see"] {
        if says(words, 0, here) {
            return Some(here.split(' ').count());
        }
    }
    for moment in ["the moment when", "a moment when", "the moment where", "a moment where", "the moment as"] {
        if says(words, 0, moment) {
            return Some(3);
        }
    }
    if says(words, 0, "the subject is") && words.get(3)?.is(DET) {
        return Some(3);
    }
    if first && says(words, 0, "there") && words.get(1)?.is(AUX) {
        return Some(2);
    }
    let (phrase, head) = forward(words, 0)?;
    let noun = &words[head];
    if !(noun.is(MEDIUM) || noun.key == "scene") || words[phrase.clone()].iter().any(|word| word.is(CONCEPT)) {
        return None;
    }
    if words[phrase.clone()].iter().any(|word| word.key == "framed") {
        return None;
    }
    let mut at = phrase.end;
    let definite = matches!(words[0].key.as_str(), "the" | "this");
    while words.get(at).is_some_and(|word| word.is(ADV) || word.key == "clearly") {
        at += 1;
    }
    let next = words.get(at)?;
    if definite && next.is(SHOW) && next.key != "of" {
        return Some(at + 1);
    }
    if definite && next.is(AUX) {
        while words.get(at).is_some_and(|word| word.is(AUX) || word.key == "to") {
            at += 1;
        }
        let picture = words.get(at).is_some_and(|word| word.is(DET))
            || words
                .get(at)
                .is_some_and(|word| matches!(word.key.as_str(), "taken" | "captured" | "shot" | "of" | "showing"));
        let skip = usize::from(words.get(at).is_some_and(|word| word.is(SHOW)));
        return picture.then_some(at + skip);
    }
    let plain = noun.is(PLAIN)
        && words[phrase.start..head].iter().all(|word| {
            word.is(DET | QUALITY | PLAIN)
                || matches!(word.key.as_str(), "beautiful" | "nice" | "color" | "colour" | "good" | "one")
        });
    (next.is(SHOW) && !next.is(VERB) && (plain || mode == Mode::Style && noun.is(PLAIN))).then_some(at + 1)
}

/// Remarks on the picture: "in the image", "the overall mood is calm", "what appears to be".
pub(crate) fn fillers(draft: &mut Draft) {
    const REMARKS: &[&str] =
        &["mood", "atmosphere", "feel", "vibe", "tone", "impression", "effect", "composition", "aesthetic", "focus"];
    const PICTURES: &[&str] =
        &["image", "photo", "picture", "photograph", "frame", "scene", "painting", "illustration"];
    draft.sentences.retain(|sentence| {
        let words = &sentence.words;
        let the = words.first().is_some_and(|word| matches!(word.key.as_str(), "the" | "it" | "this"));
        let subject = forward(words, 0).is_some_and(|(_, head)| REMARKS.contains(&words[head].key.as_str()));
        let focus = (0..words.len()).any(|at| {
            ["main focus", "main subject", "focal point", "central focus", "focus of the"]
                .iter()
                .any(|keys| says(words, at, keys))
        });
        !(the && (subject || focus))
    });
    for sentence in &mut draft.sentences {
        let words = &mut sentence.words;
        let remark = |at: &usize| {
            words[*at].key == "and"
                && words.get(at + 1).is_some_and(|next| next.key == "the")
                && forward(words, at + 1).is_some_and(|(phrase, head)| {
                    REMARKS.contains(&words[head].key.as_str())
                        && words.get(phrase.end).is_some_and(|next| next.is(AUX | VERB) || next.key == "of")
                })
        };
        if let Some(at) = (1..words.len()).find(remark) {
            words.truncate(at);
        }
        let mut at = 0;
        while at < words.len() {
            let picture = matches!(words[at].key.as_str(), "in" | "of")
                && words.get(at + 1).is_some_and(|word| matches!(word.key.as_str(), "the" | "this"))
                && words.get(at + 2).is_some_and(|word| PICTURES.contains(&word.key.as_str()))
                && at > 0
                && words.get(at + 3).is_none_or(|word| {
                    !word.is(ADJ) && (word.is(PUNCT | AUX | CONJ) || crate::lexicon::class(&word.key) != 0)
                });
            if picture {
                words.drain(at..at + 3);
            } else if says(words, at, "what appears to be") {
                words.drain(at..at + 4);
            } else if words[at].is(AUX)
                && matches!(words[at].key.as_str(), "appears" | "seems" | "appear" | "seem")
                && says(words, at + 1, "to be")
            {
                let is = if words[at].key.ends_with('s') { "is" } else { "are" };
                words.splice(at..at + 3, [Word::new(is, true)]);
            } else if words[at].is(AUX) && says(words, at + 1, "be seen") {
                words.drain(at..at + 3);
            } else if words[at].is(REL)
                && matches!(words.get(at + 1).map(|word| word.key.as_str()), Some("is" | "are"))
                && words.get(at + 2).is_some_and(|word| word.is(ING | ED))
            {
                words.drain(at..at + 2);
            } else if says(words, at, "close up")
                && words.get(at + 2).is_some_and(|next| next.key == "of" || next.is(MEDIUM))
            {
                words.splice(at..at + 2, [Word::new("close-up", words[at].spaced)]);
            } else {
                at += 1;
            }
        }
    }
}

/// Watermarks, signatures, text.
pub(crate) fn lettering(draft: &mut Draft) {
    draft.sentences.retain(|sentence| {
        let words = &sentence.words;
        let there =
            (0..words.len()).find(|&at| says(words, at, "there") && words.get(at + 1).is_some_and(|word| word.is(AUX)));
        let start = there.map_or(0, |at| at + 2);
        let subject = forward(words, start).filter(|_| start == 0 || there.is_some());
        let letters = subject.is_some_and(|(_, head)| words[head].is(LETTERING));
        !(letters
            && sentence.concept().is_none()
            && (there.is_some()
                || !words.iter().any(|word| word.key == ",")
                || words.iter().any(|word| word.is(AUX | VERB))))
    });
    for sentence in &mut draft.sentences {
        let governs =
            |words: &[Word], at: usize| governor(words, at, &["with", "has", "have", "having", "featuring", "and"]);
        sift(&mut sentence.words, &governs, &|words, item| words[item.head].is(LETTERING).then_some(item.end));
    }
}

/// How many words a governor at this place has, if it is one of `kinds`; "who has" is one of two.
pub(crate) fn governor(words: &[Word], at: usize, kinds: &[&str]) -> Option<usize> {
    let is = |at: usize| words.get(at).is_some_and(|word| kinds.contains(&word.key.as_str()));
    if is(at) && !(at > 0 && words[at - 1].is(REL) && words[at].is(AUX)) {
        return Some(1);
    }
    (words[at].is(REL) && is(at + 1) && words[at + 1].is(AUX)).then_some(2)
}

/// Praise between commas.
pub(crate) fn quality(draft: &mut Draft) {
    for sentence in &mut draft.sentences {
        drop_phrases(&mut sentence.words, &|part| {
            part.iter().any(|word| word.is(QUALITY)) && part.iter().all(|word| word.is(QUALITY | ADV | CONJ | PREP))
        });
    }
    draft.sentences.retain(|sentence| !sentence.words.is_empty());
}

/// Drops what stands between two commas if `drop` says so.
pub(crate) fn drop_phrases(sentence: &mut Vec<Word>, drop: &dyn Fn(&[Word]) -> bool) {
    if !sentence.split(|word| word.key == ",").any(drop) {
        return;
    }
    let mut kept: Vec<Word> = Vec::with_capacity(sentence.len());
    for part in sentence.split(|word| word.key == ",").filter(|part| !drop(part)) {
        if !kept.is_empty() {
            kept.push(Word::new(",", false));
        }
        kept.extend_from_slice(part);
    }
    *sentence = kept;
}

/// Leaves out what holds one of these words.
pub(crate) fn dropout(draft: &mut Draft, dropped: &[String]) {
    for phrase in dropped {
        let keys: Vec<String> =
            words(phrase.trim()).into_iter().map(|word| word.key).filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            continue;
        }
        let holds = |part: &[Word]| {
            part.windows(keys.len()).any(|part| part.iter().zip(&keys).all(|(word, key)| word.key == *key))
        };
        for sentence in &mut draft.sentences {
            let governs = |words: &[Word], at: usize| {
                governor(
                    words,
                    at,
                    &["with", "has", "have", "having", "wearing", "wears", "in", "on", "holding", "near", "behind"],
                )
            };
            sift(&mut sentence.words, &governs, &|words, item| holds(&words[item.phrase.clone()]).then_some(item.end));
            drop_phrases(&mut sentence.words, &|part| {
                holds(part) && !part.iter().any(|word| word.is(CONCEPT)) && part.len() <= keys.len() + 2
            });
        }
        draft.sentences.retain(|sentence| sentence.concept().is_some() || !holds(&sentence.words));
    }
}
