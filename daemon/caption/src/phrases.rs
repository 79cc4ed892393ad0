//! Noun phrases and lists of them: "a small orange cat", "long hair, blue eyes and a hat on her head".

use crate::{
    lexicon::{
        ADJ, ADV, AUX, CONCEPT, CONJ, DET, ED, FEATURE, GENITIVE, HAIR, ING, LETTERING, OPENS, PERSON, PERSONS, PLACE,
        POSS, PREP, PRON, PUNCT, REL, STATE, STOP, VERB,
    },
    words::Word,
};
use std::ops::Range;

/// Words of a noun phrase, and things in a list, at most; nobody writes more, and each place of a caption is looked at.
const LONGEST: usize = 40;

/// Where the noun phrase ends that begins at `from`, and where its head is.
pub(crate) fn forward(words: &[Word], from: usize) -> Option<(Range<usize>, usize)> {
    let mut at = from;
    while words.get(at).is_some_and(|word| word.is(OPENS)) {
        at += 1;
    }
    let first = at;
    let opened = first > from;
    // "wrinkled skin", but not "dressed in black"
    let made =
        words.get(at).is_some_and(|word| word.is(ED)) && words.get(at + 1).is_some_and(|next| next.is(FEATURE | PLACE));
    if !opened && !made && words.get(at).is_some_and(|word| word.is(ING | ED | VERB) && !word.is(STATE)) {
        return None;
    }
    let mut head = None;
    while let Some(word) = words.get(at).filter(|_| at < from + LONGEST) {
        if word.is(CONCEPT) {
            return Some((from..at + 1, at));
        }
        let describes = |at: usize| words.get(at).is_some_and(|word| word.is(ADJ));
        if at > first && matches!(word.key.as_str(), "," | "and") && describes(at - 1) && describes(at + 1) {
            // "long, wavy hair", "a black and white cat", but not "in black and green trees".
            at += 1;
            continue;
        }
        let behind_noun = head == at.checked_sub(1) && head.is_some() && !words[at - 1].is(ADJ);
        let follows = word.is(VERB | ING | ED | STATE) || word.is(ADV) && !word.is(ADJ);
        if word.is(STOP) || behind_noun && follows || head.is_some() && word.is(OPENS) {
            break;
        }
        // "the back of"
        let side = opened && at == first && words.get(at + 1).is_some_and(|next| next.key == "of");
        if !word.is(ADV) || word.is(ADJ) || side {
            head = Some(at);
        }
        at += 1;
    }
    // A trailing adverb, comma or "and" is no part of it.
    head.map(|head| (from..head + 1, head))
}

/// Where the noun phrase begins whose head is at `head`.
pub(crate) fn backward(words: &[Word], head: usize) -> usize {
    let mut start = head;
    while start > 0 && start + LONGEST > head {
        let before = start - 1;
        let word = &words[before];
        let listed = matches!(word.key.as_str(), "," | "and") && before > 0 && {
            words[before - 1].is(ADJ) && words[start].is(ADJ)
        };
        if word.is(DET | POSS) {
            return before;
        } else if word.is(OPENS) || describes(words, before) {
            start = before;
        } else if listed {
            start = before - 1;
        } else {
            break;
        }
    }
    start
}

/// Whether the word at `at` says more of the noun behind it.
fn describes(words: &[Word], at: usize) -> bool {
    let word = &words[at];
    if word.is(STOP | CONCEPT) {
        return false;
    }
    let opened = at == 0 || words[at - 1].is(OPENS | ADJ | ADV) || words[at - 1].key == ",";
    if word.is(VERB | ING | ED) && !word.is(ADJ) { opened && !word.is(VERB) } else { true }
}

/// A thing in a list, and what is said of it.
#[derive(Debug)]
pub(crate) struct Item {
    /// The noun phrase.
    pub phrase: Range<usize>,
    /// The noun.
    pub head: usize,
    /// To where everything is about it alone: "red hair in a bun" of "red hair in a bun on a beach".
    pub own: usize,
    /// To where it goes at most.
    pub end: usize,
}

/// The item that begins at `from`.
pub(crate) fn item(words: &[Word], from: usize) -> Option<Item> {
    let (phrase, head) = forward(words, from)?;
    let mut own = phrase.end;
    let mut end = phrase.end;
    let feature = words[head].is(FEATURE);
    let mut bound = false;
    if words[head].is(LETTERING) {
        end = quoted(words, end);
        own = end;
    }
    while let Some(word) = words.get(end) {
        let next = if word.is(REL) {
            bound = true;
            clause(words, end)
        } else if feature && word.is(HAIR) || matches!(word.key.as_str(), "written" | "printed" | "located" | "closed")
        {
            bound = true;
            end + 1
        } else if word.is(ADV) && bound || matches!(word.key.as_str(), "open" | "shut" | "wide" | "up" | "down") {
            end + 1
        } else if word.is(PREP) {
            if words[head].is(LETTERING) && words.get(end + 1).is_some_and(|next| next.is(PRON)) {
                end += 2;
                continue;
            }
            let Some((object, noun)) = forward(words, end + 1) else { break };
            let belongs = bound || feature && word.key == "of" || feature && words[noun].is(PLACE | FEATURE);
            if word.key == "with" && !belongs {
                break;
            }
            if belongs && own == end {
                own = object.end;
            }
            end = object.end;
            continue;
        } else {
            break;
        };
        if own == end {
            own = next;
        }
        end = next;
    }
    Some(Item { phrase, head, own, end })
}

/// The end of what letters say: `"SALE"`, `reading "SALE"`.
fn quoted(words: &[Word], from: usize) -> usize {
    let says = |word: &Word| matches!(word.key.as_str(), "reading" | "saying" | "reads" | "says");
    let start = from + usize::from(words.get(from).is_some_and(says));
    let quote = |word: &Word| matches!(word.key.as_str(), "\"" | "'" | "\u{201c}" | "\u{201d}");
    if !words.get(start).is_some_and(quote) {
        return if start > from { words.len() } else { from };
    }
    words[start + 1..].iter().position(quote).map_or(words.len(), |length| start + length + 2)
}

/// The end of a clause that begins with "that" or "who".
fn clause(words: &[Word], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(word) = words.get(at) {
        let over = word.is(CONJ) && !words.get(at + 1).is_some_and(|next| next.is(ADJ | ADV));
        if word.key == "," || over || at > from + 2 && word.is(ING) && !word.is(HAIR) {
            break;
        }
        at += 1;
    }
    at
}

/// The list that begins at `from`; whether it has an "and".
pub(crate) fn list(words: &[Word], from: usize) -> (Vec<Item>, bool) {
    let mut items: Vec<Item> = Vec::new();
    let mut at = from;
    let mut joined = false;
    while let Some(next) = item(words, at).filter(|_| items.len() < LONGEST) {
        if words[next.head].is(PERSON | PERSONS | CONCEPT) && !words[next.head].is(FEATURE) {
            break;
        }
        at = next.end;
        items.push(next);
        let Some(separator) = separator(words, at) else { break };
        let last = words[at..separator].iter().any(|word| word.is(CONJ));
        if joined && !last {
            break;
        }
        joined |= last;
        at = separator;
        let opens = words.get(at).is_some_and(|word| !word.is(PREP | AUX | PRON | VERB | PUNCT | CONJ | REL));
        if !opens {
            break;
        }
    }
    (items, joined)
}

/// Behind the comma, the "and" or both that stand at `at`.
pub(crate) fn separator(words: &[Word], at: usize) -> Option<usize> {
    let key = |at: usize| words.get(at).map(|word| word.key.as_str());
    match (key(at), key(at + 1)) {
        (Some(","), Some("and" | "or" | "&")) => Some(at + 2),
        (Some("," | "and" | "&"), _) => Some(at + 1),
        _ => None,
    }
}

/// Takes things out of a list behind a governor such as "with". `cut` says to where an item is to go.
/// Gives what stands in place of `governor.start..` the end of the list, and that end; none if nothing is cut.
pub(crate) fn without(
    words: &[Word],
    governor: Range<usize>,
    cut: &dyn Fn(&[Word], &Item) -> Option<usize>,
) -> Option<(Vec<Word>, usize)> {
    let (items, joined) = list(words, governor.end);
    let cuts: Vec<Option<usize>> = items.iter().map(|item| cut(words, item)).collect();
    if cuts.iter().all(Option::is_none) {
        return None;
    }
    let end = items.last()?.end;
    // "Her eyes" of "her eyes are closed" is no list.
    if governor.is_empty() && words.get(end).is_some_and(|next| next.is(AUX | VERB | GENITIVE)) {
        return None;
    }
    let kept = cuts.iter().filter(|cut| cut.is_none()).count();
    let mut built: Vec<Word> = Vec::new();
    let mut seen = 0;
    for (item, cut) in items.iter().zip(&cuts) {
        if cut.is_none() {
            seen += 1;
            let last = seen == kept;
            if built.is_empty() {
                built.extend_from_slice(&words[governor.clone()]);
            } else if last && joined {
                built.push(Word::new("and", true));
            } else {
                built.push(Word::new(",", false));
            }
        }
        built.extend_from_slice(&words[cut.unwrap_or(item.phrase.start)..item.end]);
    }
    Some((built, end))
}

/// Takes things out of every list of a sentence: those behind governors, and those between commas. `governs` says how
/// many words a governor at a place has. Says whether anything went.
pub(crate) fn sift(
    words: &mut Vec<Word>,
    governs: &dyn Fn(&[Word], usize) -> Option<usize>,
    cut: &dyn Fn(&[Word], &Item) -> Option<usize>,
) -> bool {
    let mut changed = false;
    let mut at = 0;
    while at < words.len() {
        let free = at == 0 || words[at - 1].key == ",";
        let governor = governs(words, at).or(free.then_some(0));
        if let Some(length) = governor
            && let Some((built, end)) = without(words, at..at + length, cut)
        {
            at += built.len().min(1);
            let from = at - built.len().min(1);
            words.splice(from..end, built);
            changed = true;
        } else {
            at += 1;
        }
    }
    changed
}
