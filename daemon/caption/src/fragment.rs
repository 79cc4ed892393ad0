//! A caption of one sentence is written as a fragment, as prompts are: "a woman is holding a mug" as "a woman holding a
//! mug".

use crate::{
    lexicon::{
        self, ADJ, ADV, AUX, CONCEPT, CONJ, ED, ING, OPENS, PERSON, PERSONS, PREP, PRON, PUNCT, REL, STATE, VERB,
    },
    phrases::forward,
    words::{Draft, Word},
};

/// Makes a fragment of a single sentence, if it can be said so.
pub(crate) fn make(draft: &mut Draft) {
    let [only] = draft.sentences.as_mut_slice() else { return };
    participles(&mut only.words);
    absolutes(&mut only.words);
    // "a boy, with a ball"
    if let Some((phrase, _)) = forward(&only.words, 0)
        && only.words.get(phrase.end).is_some_and(|next| next.key == ",")
        && only.words.get(phrase.end + 1).is_some_and(|next| next.key == "with")
    {
        only.words.remove(phrase.end);
    }
}

/// Whether this is a whole sentence, to which nothing can be put in front with a comma: "The bowl is on the floor".
pub(crate) fn is_clause(words: &[Word]) -> bool {
    let finite = |word: &Word| word.is(AUX) || word.is(VERB) && word.key.ends_with('s');
    words.iter().position(finite).is_some_and(|at| {
        let noun = at > 0 && words[at].is(VERB) && words[at - 1].is(OPENS | ADJ | PREP | PUNCT);
        !noun && !words[..at].iter().any(|word| word.is(REL))
    })
}

fn be(word: &Word) -> bool {
    matches!(word.key.as_str(), "is" | "are" | "was" | "were")
}

/// Whether what follows a form of "be" stands without it as well: "sitting", "partially hidden", "on the floor".
fn stands(words: &[Word], at: usize) -> bool {
    let adverbs = words[at..].iter().take_while(|word| word.is(ADV) && !word.is(ADJ)).count();
    words.get(at + adverbs).is_some_and(|next| next.is(ING | ED | STATE | PREP) || next.key == "being" || cut(next))
}

/// "A dog is running and a cat is asleep" as "a dog running and a cat asleep".
fn participles(words: &mut Vec<Word>) {
    let begins = words.first().is_some_and(|word| !word.is(PRON | PREP | CONJ | REL | ING | ADV | AUX));
    let Some(first) = words.iter().position(|word| word.is(AUX)) else { return finite(words) };
    let simple = |word: &Word| !word.is(REL | ING | VERB | PUNCT | PRON) && !word.key.contains('"');
    if !begins || !words[..first].iter().all(simple) {
        return;
    }
    let turns = |word: &Word| word.is(REL) || matches!(word.key.as_str(), "while" | "but" | "as" | "because");
    let verbs: Vec<usize> = (first..words.len())
        .filter(|&at| words[at].is(AUX) && words[at].key != "being" || finite_at(words, at))
        .collect();
    let she = |word: &Word| matches!(word.key.as_str(), "she" | "he" | "they");
    let fits = |&at: &usize| {
        let named = at == 0 || !words[at - 1].is(PRON) || she(&words[at - 1]);
        named && be(&words[at]) && stands(words, at + 1)
    };
    if verbs.iter().all(fits) && !words.iter().any(turns) {
        for at in verbs.into_iter().rev() {
            // "and she is brushing" becomes "and brushing".
            let pronoun = at > 0 && she(&words[at - 1]);
            let start = at - usize::from(pronoun);
            words.drain(start..=at);
            // "with a white belly and is lying" becomes "with a white belly, lying".
            let first = start > 0
                && words[start - 1].key == "and"
                && !words[..start].iter().any(|word| word.is(AUX | ING | ED));
            let with = words[..start].iter().any(|word| word.key == "with");
            if first && with && words[start].is(ING) {
                words[start - 1] = Word::new(",", false);
            }
        }
    }
}

/// Whether a verb in the present stands here, and no noun in the plural such as "drinks".
fn finite_at(words: &[Word], at: usize) -> bool {
    let verb = words[at].is(VERB) && words[at].key.ends_with('s') && !words[at].is(PREP);
    let noun = at == 0 || words[at - 1].is(OPENS | ADJ | PREP | PUNCT | CONJ);
    verb && !noun && words.get(at + 1).is_some_and(|next| next.is(OPENS))
}

/// "<concept> as a runner with a number crosses the line" as "... crossing the line".
fn finite(words: &mut [Word]) {
    let Some(at) = (0..words.len()).find(|&at| finite_at(words, at)) else { return };
    let far = words.first().is_some_and(|word| word.is(CONCEPT)) && at > 1;
    let plain = |word: &Word| !word.is(REL | ING | PRON) && word.key != ",";
    if far && words[..at].iter().all(plain) && !words[at + 1..].iter().any(|word| word.is(VERB | CONJ)) {
        words[at] = Word::new(&lexicon::participle(&words[at].key), true);
    }
}

/// ", the neck is cut off" as ", the neck cut off"; ", she is wearing a hat" as ", wearing a hat".
fn absolutes(words: &mut Vec<Word>) {
    let comma = words.iter().position(|word| word.key == ",").unwrap_or(words.len());
    let begins = words.first().is_some_and(|word| !word.is(PRON | PREP | CONJ | REL | ING | ADV | AUX));
    let whole = words[..comma].iter().any(|word| word.is(AUX | REL))
        || (0..comma).any(|at| words[at].is(VERB) && words[at].key.ends_with('s'));
    if !begins || whole {
        return;
    }
    let alone = words[..comma].iter().filter(|word| word.is(PERSON | PERSONS | CONCEPT)).count() == 1;
    let mut at = comma;
    while at < words.len() {
        if words[at].key == "," {
            let start = at + 1;
            let she = words.get(start).is_some_and(|word| matches!(word.key.as_str(), "she" | "he"));
            let doing = words.get(start + 1).is_some_and(be) && words.get(start + 2).is_some_and(|next| next.is(ING));
            if she && doing && alone {
                words.drain(start..start + 2);
            } else if let Some(verb) = subject_end(words, start)
                && be(&words[verb])
                && words.get(verb + 1).is_some_and(|next| next.is(ING | ED | STATE | ADJ | VERB) || cut(next))
            {
                words.remove(verb);
            }
        }
        at += 1;
    }
}

/// What is said of a thing behind it, and is neither a listed state nor ends like one.
fn cut(word: &Word) -> bool {
    matches!(
        word.key.as_str(),
        "cut" | "seen" | "shown" | "visible" | "hidden" | "broken" | "torn" | "bent" | "spread" | "shut"
    )
}

/// Where the verb stands whose subject begins at `from`: "the neck", "one of them".
fn subject_end(words: &[Word], from: usize) -> Option<usize> {
    let of = |at: usize| words.get(at).is_some_and(|word| word.key == "of");
    let end = if words.get(from)?.key == "one" && of(from + 1) && words.get(from + 2)?.is(PRON) {
        from + 3
    } else {
        forward(words, from).filter(|(phrase, _)| words[phrase.start].is(OPENS))?.0.end
    };
    (end < words.len()).then_some(end)
}
