//! Spaces, commas, articles, and what hangs in the air when something was taken out.

use crate::{
    lexicon::{self, ADV, AUX, CONCEPT, CONJ, DET, GENITIVE, POSS, PREP, PRON, PUNCT, REL, STATE},
    words::{Draft, Word},
};

/// Makes a draft fit to be read.
pub(crate) fn tidy(draft: &mut Draft) {
    for sentence in &mut draft.sentences {
        settle(&mut sentence.words);
        articles(&mut sentence.words);
        lying(&mut sentence.words);
        genitive(&mut sentence.words);
        if let Some(first) = sentence.words.first_mut() {
            first.spaced = false;
        }
    }
    let empty = |word: &Word| word.is(PUNCT | CONJ | PRON | AUX | DET);
    draft.sentences.retain(|sentence| sentence.words.iter().any(|word| !empty(word)));
}

/// Takes out words until none hangs in the air.
fn settle(words: &mut Vec<Word>) {
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    for word in words.drain(..) {
        while kept.last().is_some_and(|last| hangs(last, &word)) {
            kept.pop();
        }
        let mark = word.key == "," || word.key == ";";
        let leads = kept.is_empty() && (mark || matches!(word.key.as_str(), "and" | "or" | "of" | "."));
        let doubles = mark && kept.last().is_some_and(|last| last.key == "," || last.key == ";");
        // "<concept> and is wearing": what stood between the two verbs is gone.
        let orphan =
            word.is(AUX) && kept.len() >= 2 && kept[kept.len() - 1].is(CONJ) && kept[kept.len() - 2].is(PRON | CONCEPT);
        if orphan {
            kept.pop();
        }
        if !(leads || doubles) {
            kept.push(word);
        }
    }
    let mut opened = false;
    while let Some(last) = kept.last() {
        let hard = last.is(CONJ | REL)
            || matches!(
                last.key.as_str(),
                "of" | "with" | "at" | "to" | "from" | "into" | "onto" | "," | ";" | ":" | "wearing" | "-"
            );
        let article = matches!(last.key.as_str(), "a" | "an" | "the") || last.is(POSS) && last.key != "her";
        if !(hard || article || last.is(AUX) && kept.len() <= 2 || opened && last.is(PREP)) {
            break;
        }
        opened = article;
        kept.pop();
    }
    *words = kept;
}

/// Whether `last` has lost what it needs, now that `next` follows.
fn hangs(last: &Word, next: &Word) -> bool {
    let closes = next.key == "," || next.key == ";" || next.is(CONJ);
    let article = matches!(last.key.as_str(), "a" | "an");
    if article || last.key == "the" {
        return closes || article && next.is(PREP) && next.key != "like";
    }
    if matches!(last.key.as_str(), "with" | "of" | "wearing") {
        return closes && next.key != "&" || next.is(PREP) && matches!(next.key.as_str(), "with" | "of" | "in" | "on");
    }
    last.is(CONJ) && last.key != "&" && next.key == ","
}

/// "KOJII'S" becomes "<concept>'s".
fn genitive(words: &mut [Word]) {
    for at in 1..words.len() {
        if words[at].is(GENITIVE) && words[at - 1].is(CONCEPT) && words[at].text.ends_with('S') {
            words[at] = Word::new("'s", false);
        }
    }
}

/// "a orange" becomes "an orange".
fn articles(words: &mut [Word]) {
    for at in 1..words.len() {
        let vowel =
            if words[at].spaced && !words[at].is(CONCEPT | PUNCT) { lexicon::vowel(&words[at].text) } else { None };
        let fits = match (words[at - 1].key.as_str(), vowel) {
            ("a", Some(true)) => "an",
            ("an", Some(false)) => "a",
            _ => continue,
        };
        let capital = words[at - 1].text.starts_with('A');
        let fits = if capital { crate::words::capital(fits) } else { fits.to_owned() };
        words[at - 1] = Word::new(&fits, words[at - 1].spaced);
    }
}

/// "laying on a couch" becomes "lying on a couch"; eggs are laid.
fn lying(words: &mut [Word]) {
    for at in 0..words.len() {
        let lies = match words[at].key.as_str() {
            "laying" => "lying",
            "lays" => "lies",
            _ => continue,
        };
        if words.get(at + 1).is_none_or(|next| next.is(PREP | PUNCT | CONJ | ADV | STATE)) {
            words[at] = Word::new(lies, words[at].spaced);
        }
    }
}
