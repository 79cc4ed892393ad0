//! What a person always looks like, which goes unsaid.

use crate::{
    clean::{governor, says},
    lexicon::{
        ADV, AUX, CONCEPT, CONJ, FEATURE, GENITIVE, HAIR, ING, LOOKS, NUM, PART, PERSON, PERSONS, POSS, PREP, PRON,
        PUNCT, ROLE, VERB,
    },
    phrases::{backward, forward, sift},
    words::{Draft, Word},
};

/// Age, hair, eyes, skin, build, origin.
pub(crate) fn looks(draft: &mut Draft) {
    for sentence in &mut draft.sentences {
        let told = appositions(&mut sentence.words);
        ages(&mut sentence.words);
        let governs = |words: &[Word], at: usize| {
            // What another person looks like tells the concept from her.
            let other = at > 0 && words[at - 1].is(PERSON | PERSONS) && !is_role(words, at - 1);
            governor(words, at, &["with", "has", "have", "having"]).filter(|_| !other)
        };
        let cut = sift(&mut sentence.words, &governs, &|words, item| {
            let shut = words[item.phrase.start..item.end]
                .iter()
                .any(|word| matches!(word.key.as_str(), "closed" | "open" | "shut" | "wide"));
            // "her eyes looking away"
            let shut = shut
                || words[item.phrase.start].is(POSS)
                    && words.get(item.end).is_some_and(|next| next.is(ING) && !next.is(HAIR));
            (words[item.head].is(FEATURE) && !shut).then_some(item.own)
        });
        if told || cut {
            close(&mut sentence.words);
        }
        adjectives(&mut sentence.words, LOOKS);
    }
    draft.sentences.retain(|sentence| !tells_only(&sentence.words, FEATURE, LOOKS));
}

/// Whether a sentence tells nothing but looks: "Her hair is long.", "She is young."
pub(crate) fn tells_only(words: &[Word], features: u64, looks: u64) -> bool {
    if words.iter().any(|word| word.is(CONCEPT)) {
        return false;
    }
    let subject = forward(words, 0);
    let owned = words.first().is_some_and(|word| word.is(POSS))
        || words.iter().take(4).any(|word| word.is(GENITIVE))
        || words.first().is_some_and(|word| word.key == "the");
    let head = subject.map(|(phrase, head)| match words.get(phrase.end) {
        Some(next) if next.is(GENITIVE) => forward(words, phrase.end + 1).map_or(head, |(_, head)| head),
        _ => head,
    });
    let shut = words
        .iter()
        .any(|word| matches!(word.key.as_str(), "closed" | "open" | "shut" | "wide" | "looking" | "focused"));
    let feature = owned && !shut && head.is_some_and(|head| words[head].is(features));
    if feature && features & FEATURE != 0 {
        return true;
    }
    let Some(verb) = words.iter().position(|word| word.is(AUX)) else { return words.iter().all(|word| word.is(PRON)) };
    let says = words[verb..].iter().all(|word| word.is(AUX | ADV | CONJ | PUNCT) || word.is(looks));
    let person = words[..verb].iter().all(|word| word.is(PRON))
        || head.is_some_and(|head| head < verb && words[head].is(PERSON));
    let again = verb + 1 < words.len() && words[verb].key == "is" && {
        forward(words, verb + 1)
            .is_some_and(|(phrase, head)| words[head].is(PERSON) && !words[head].is(ROLE) && phrase.end == words.len())
    };
    // What a tail does is no matter of how the thing looks.
    let made = words[verb..].iter().skip(1).find(|word| !word.is(ADV)).is_some_and(|word| word.is(looks));
    feature && made || person && (says || again)
}

/// "She is young and is smiling" becomes "She is smiling".
pub(crate) fn adjectives(words: &mut Vec<Word>, looks: u64) {
    let Some(verb) = words.iter().position(|word| word.is(AUX)) else { return };
    let subject = verb > 0
        && words[..verb]
            .iter()
            .all(|word| word.is(PRON | CONCEPT) || word.is(crate::lexicon::DET) || word.is(PERSON | LOOKS));
    let run = words[verb + 1..]
        .iter()
        .take_while(|word| word.is(looks | ADV) || word.key == "and" || word.key == ",")
        .count();
    let next = verb + 1 + run;
    let told = words[verb + 1..next].iter().any(|word| word.is(looks));
    if subject && told && words.get(next).is_some_and(|word| word.is(AUX)) {
        words.drain(verb..next);
    } else if subject && told && words.get(next).is_some_and(|word| word.is(PREP)) && words[next].key == "with" {
        words.splice(verb..=next, [Word::new("has", true)]);
    }
}

/// "in her mid-twenties", "of Asian descent", "aged 25", "25 years old".
fn ages(words: &mut Vec<Word>) {
    const ORIGINS: &[&str] = &["descent", "ethnicity", "origin", "heritage", "background", "age"];
    let mut at = 0;
    while at < words.len() {
        let length = match words[at].key.as_str() {
            "in" if words.get(at + 1).is_some_and(|word| word.is(POSS)) => {
                let decade = (at + 2..(at + 7).min(words.len())).rev().find(|&end| is_decade(&words[end]));
                decade
                    .filter(|&end| {
                        words[at + 2..end].iter().all(|word| {
                            is_decade(word) || matches!(word.key.as_str(), "early" | "mid" | "late" | "to" | "or" | "-")
                        })
                    })
                    .map(|end| end + 1 - at)
            }
            "of" => forward(words, at + 1)
                .filter(|&(_, head)| ORIGINS.contains(&words[head].key.as_str()))
                .map(|(phrase, _)| phrase.end - at),
            "aged" if words.get(at + 1).is_some_and(|word| word.is(NUM)) => Some(2),
            "around" | "about" if says(words, at + 2, "years old") => Some(4),
            _ if words[at].is(NUM) && says(words, at + 1, "years old") => Some(3),
            _ => None,
        };
        match length {
            Some(length) => drop(words.drain(at..at + length)),
            None => at += 1,
        }
    }
}

fn is_decade(word: &Word) -> bool {
    let key = word.key.rsplit('-').next().unwrap_or_default();
    let figures = key.strip_suffix("s").or(key.strip_suffix("'s")).is_some_and(|figures| figures.parse::<u8>().is_ok());
    figures
        || matches!(
            key,
            "teens" | "twenties" | "thirties" | "forties" | "fifties" | "sixties" | "seventies" | "eighties"
        )
}

/// Whether the noun at `head` tells what the concept does: "<concept> as a nurse".
fn is_role(words: &[Word], head: usize) -> bool {
    let start = backward(words, head);
    words[head].is(ROLE) && start > 0 && words[start - 1].key == "as"
}

/// Whether the caption says of the concept that it is a person: "<concept>, a young woman", "<concept> with red hair".
pub(crate) fn is_told(draft: &Draft) -> bool {
    let hair = |word: &Word| word.is(FEATURE) && !word.is(PART);
    draft.concepts() > 0 && draft.words().any(hair) && !draft.words().any(|word| word.is(PERSON | PERSONS))
        || draft.sentences.iter().any(|sentence| {
            let words = &sentence.words;
            sentence.concept().is_some_and(|at| {
                words.get(at + 1).is_some_and(|next| next.key == ",")
                    && forward(words, at + 2).is_some_and(|(_, head)| words[head].is(PERSON))
            })
        })
}

/// Whether what is told of hair and eyes is told of the concept, as far as a caption shows that names it.
pub(crate) fn is_meant(draft: &Draft) -> bool {
    let Some(first) = draft.sentences.first() else { return false };
    let words = &first.words;
    let mark = words.get(1).is_none_or(|next| next.key == ",");
    if !(mark && words.first().is_some_and(|word| word.is(CONCEPT))) {
        return draft.concepts() > 0 || is_implied(draft);
    }
    // "<concept>, a cat with green eyes" was put so because it tells of no person.
    let other = forward(words, 2).is_some_and(|(_, head)| !words[head].is(PERSON | FEATURE)) || words.len() < 3;
    let hers = |word: &Word| matches!(word.key.as_str(), "she" | "he" | "her" | "his" | "they" | "their");
    !other || is_implied(draft) || draft.words().any(hers)
}

/// Whether hair, eyes and the like are told of nobody, as in "long brown hair, blue eyes, smiling".
fn is_implied(draft: &Draft) -> bool {
    let starts = |words: &[Word]| {
        forward(words, 0)
            .is_some_and(|(_, head)| words[head].is(FEATURE) && !words[0].is(POSS) && words[0].key != "the")
    };
    draft.sentences.iter().any(|sentence| sentence.words.split(|word| word.key == ",").any(starts))
}

/// Takes out ", a young woman" behind the concept; whether there was one.
fn appositions(words: &mut Vec<Word>) -> bool {
    let Some(concept) = words.iter().position(|word| word.is(CONCEPT)) else { return false };
    if words.get(concept + 1).is_none_or(|word| word.key != ",") {
        return false;
    }
    let Some((phrase, head)) = forward(words, concept + 2) else { return false };
    let article = matches!(words[phrase.start].key.as_str(), "a" | "an" | "the");
    let person = words[head].is(PERSON) && !words[head].is(ROLE);
    let told = article && person && words.get(phrase.end).is_none_or(|next| next.key == "," || next.is(PREP | ING));
    if told {
        words.drain(concept + 1..phrase.end);
    }
    told
}

/// "<concept>, sitting" becomes "<concept> sitting" where an apposition was.
pub(crate) fn close(words: &mut Vec<Word>) {
    let needless = words.first().is_some_and(|word| word.is(CONCEPT))
        && words.get(1).is_some_and(|word| word.key == ",")
        && words.get(2).is_some_and(|word| word.is(PREP | ING))
        && !is_paired(&words[2..]);
    if needless {
        words.remove(1);
    }
}

/// Whether the comma before these words has a second one, behind which the sentence goes on: "<concept>, wearing a hat,
/// leans on a wall".
pub(crate) fn is_paired(words: &[Word]) -> bool {
    let next = words.iter().position(|word| word.key == ",").and_then(|comma| words.get(comma + 1));
    next.is_some_and(|next| next.is(AUX | VERB))
}
