//! Face mode: the words for a person become the concept.

use crate::{
    lexicon::{
        ADJ, ADV, CONCEPT, CONJ, ED, FEMALE, FRAME, GENITIVE, ING, LOOKS, MALE, MEDIUM, MOOD, NUM, PERSON, PERSONS,
        POSS, PUNCT, ROLE, STATE, STOP, STYLE, VERB,
    },
    phrases::{backward, forward},
    subject::Subject,
    words::{Draft, PLACEHOLDER, Word, number, spelt},
};

/// The first person of the caption becomes the concept.
pub(crate) fn bind(draft: &mut Draft) -> Option<Subject> {
    for sentence in &mut draft.sentences {
        listed(&mut sentence.words);
    }
    let people: Vec<(usize, usize)> = (0..draft.sentences.len())
        .flat_map(|place| (0..draft.sentences[place].words.len()).map(move |at| (place, at)))
        .filter(|&(place, at)| is_person(&draft.sentences[place].words, at, PERSON | PERSONS))
        .collect();
    let single = people.iter().copied().find(|&(place, at)| draft.sentences[place].words[at].is(PERSON));
    let first = people.first().copied();
    match (single, first) {
        (Some((place, at)), Some(first)) if (place == first.0 || place == 0) && !leads(draft, first, (place, at)) => {
            let noun = draft.sentences[place].words[at].clone();
            let alone = !people.iter().any(|&other| other != (place, at) && is_other(draft, other));
            let bound = (place, at);
            let sex = |word: &Word| (word.is(FEMALE), word.is(MALE));
            let clear = sex(&noun).0 != sex(&noun).1
                && people.iter().all(|&(place, other)| {
                    let word = &draft.sentences[place].words[other];
                    word.key == noun.key && !is_other(draft, (place, other))
                        || (place, other) == bound
                        || sex(word) == (sex(&noun).1, sex(&noun).0)
                });
            replace(&mut draft.sentences[place].words, at);
            let mut subject = Subject::person(&noun, alone);
            subject.clear |= clear;
            Some(subject)
        }
        (_, Some((place, at))) => {
            let noun = draft.sentences[place].words[at].clone();
            several(&mut draft.sentences[place].words, at);
            Some(Subject::person(&noun, false))
        }
        _ => pronoun(draft),
    }
}

/// "two people, a man and a woman" becomes "a man and a woman".
fn listed(words: &mut Vec<Word>) {
    let Some(at) = (0..words.len()).find(|&at| words[at].is(PERSONS)) else { return };
    let one = |from: usize| forward(words, from).filter(|&(_, head)| words[head].is(PERSON));
    let and = |at: usize| words.get(at).is_some_and(|word| word.key == "and");
    let told = words.get(at + 1).is_some_and(|next| matches!(next.key.as_str(), "," | ":"))
        && one(at + 2).is_some_and(|(phrase, _)| and(phrase.end) && one(phrase.end + 1).is_some());
    let start = backward(words, at);
    if told && words[start..at].iter().any(|word| word.is(NUM)) {
        words.drain(start..=at + 1);
    }
}

/// Whether counted people come first of those that are named together: "three men and a little girl".
fn leads(draft: &Draft, first: (usize, usize), single: (usize, usize)) -> bool {
    let (words, at) = (&draft.sentences[first.0].words, first.1);
    let counted = words[at].key == "couple" || words[backward(words, at)..at].iter().any(|word| word.is(NUM));
    let together = words.get(at + 1).is_some_and(|next| next.key == "and" || next.key == ",")
        && forward(words, at + 2).is_some_and(|(_, head)| (first.0, head) == single);
    words[at].is(PERSONS) && counted && together
}

/// A person that is not in "woman's" compound with something else: "man cave", "baby carriage".
fn is_person(words: &[Word], at: usize, classes: u64) -> bool {
    const THINGS: &[&str] = &[
        "statue",
        "figurine",
        "doll",
        "mannequin",
        "cave",
        "stroller",
        "carriage",
        "group",
        "team",
        "band",
        "chair",
        "bath",
    ];
    let next = words.get(at + 1).map(|word| word.key.as_str());
    let noun = words[at].is(classes) && !next.is_some_and(|next| THINGS.contains(&next));
    // "a pirate ship", "a baby elephant", "a model of a house", "a child's drawing"
    let thing = |next: &Word| !next.is(STOP | VERB | ING | ED | ADV | STATE | PERSON | PERSONS | NUM | CONCEPT);
    let part = (words[at].is(ROLE) || words[at].key == "baby") && words.get(at + 1).is_some_and(thing);
    let made = words[at].key == "model" && next == Some("of")
        || next == Some("'s") && words.get(at + 2).is_some_and(|next| next.is(MEDIUM) && !next.is(FRAME));
    // The mother of an elephant is none.
    let animal = words[backward(words, at)].key == "its";
    if animal || part || made || noun && is_quoted(words, at) {
        return false;
    }
    // "female tennis player": the head is yet to come.
    let goes_on = words[at].is(ADJ) && words.get(at + 1).is_some_and(|next| !next.is(STOP | ING | ED | ADV | STATE));
    let compound = words.get(at + 1).is_some_and(|next| next.is(PERSON));
    noun && !goes_on && !compound
}

/// Whether this stands between quotation marks: letters in the picture.
fn is_quoted(words: &[Word], at: usize) -> bool {
    let marks = words[..at].iter().filter(|word| matches!(word.key.as_str(), "\"" | "\u{201c}" | "\u{201d}"));
    marks.count() % 2 == 1
}

/// Whether this is somebody else: not "the woman" again.
fn is_other(draft: &Draft, (place, at): (usize, usize)) -> bool {
    let words = &draft.sentences[place].words;
    let start = backward(words, at);
    let definite = words[start].key == "the";
    !definite
}

/// "a smiling young woman" becomes "<concept> smiling"; a role is told: "<concept> as a nurse".
fn replace(words: &mut Vec<Word>, head: usize) {
    let start = backward(words, head);
    let genitive = words.get(head + 1).is_some_and(|next| next.is(GENITIVE));
    let coordinated = words.get(head + 1).is_some_and(|next| next.key == "and") && {
        words.get(head + 2).is_some_and(|next| next.is(PERSON))
    };
    // "a bride and her father": two are told by what they are to each other.
    let related = words.get(head + 1).is_some_and(|next| next.key == "and")
        && forward(words, head + 2).is_some_and(|(_, other)| words[other].is(PERSON));
    let mut put = vec![Word::new(PLACEHOLDER, words[start].spaced)];
    if !genitive {
        put.extend(in_style(&words[start..head]));
        put.extend(behind(&words[start..head], &words[head], coordinated || related));
    }
    let goes_on = words.get(head + 1).is_some_and(|next| next.is(ING | ED)) && !words[head].is(ROLE);
    if goes_on && !put.last().is_some_and(|word| word.is(CONCEPT)) {
        put.push(Word::new(",", false));
    }
    if coordinated {
        let other = words[head + 2].text.clone();
        let article = if crate::lexicon::vowel(&other) == Some(true) { "an" } else { "a" };
        words.insert(head + 2, Word::new(article, true));
    }
    words.splice(start..=head, put);
}

/// "in anime style" of "an anime girl": what a picture of the concept would not be otherwise.
pub(crate) fn in_style(before: &[Word]) -> Vec<Word> {
    const KINDS: &[&str] = &["pixel", "3d", "cgi", "lowpoly", "low-poly", "stylized", "cel-shaded", "hand-drawn"];
    let kind =
        |word: &&Word| (word.is(STYLE) && word.is(MEDIUM) && word.key != "print") || KINDS.contains(&word.key.as_str());
    let mut put: Vec<Word> = before.iter().filter(kind).cloned().map(Word::apart).collect();
    if !put.is_empty() {
        put.insert(0, Word::new("in", true));
        put.push(Word::new("style", true));
    }
    put
}

/// What is said of a person before the noun, as it is said behind a name.
fn behind(before: &[Word], noun: &Word, coordinated: bool) -> Vec<Word> {
    let mut put: Vec<Word> = Vec::new();
    let doing = before.iter().filter(|word| (word.is(ING | ED | STATE)) && !word.is(LOOKS | MOOD));
    for word in doing {
        if !put.is_empty() {
            put.push(Word::new("and", true));
        }
        put.push(Word::new(&word.text, true));
    }
    if let Some(mood) = before.iter().find(|word| word.is(MOOD)) {
        put.extend([Word::new("looking", true), Word::new(&mood.text, true)]);
    }
    if noun.is(ROLE) && !coordinated {
        let known = |word: &&Word| {
            !word.is(LOOKS | MOOD | ING | ED | STATE | NUM | PUNCT | ADV | CONJ | POSS | PERSON)
                && !word.is(crate::lexicon::DET)
        };
        put.extend([Word::new("as", true), Word::new("a", true)]);
        put.extend(before.iter().filter(known).cloned().map(|word| word.apart()));
        put.push(Word::new(&noun.text, true));
    }
    put
}

/// "two women" becomes "<concept> and another woman"; "a group of people" comes behind the concept.
pub(crate) fn several(words: &mut Vec<Word>, head: usize) {
    let start = backward(words, head);
    let spaced = words[start].spaced;
    if start == 0 {
        // What began the caption does so no more.
        for word in words[..=head].iter_mut().filter(|word| crate::lexicon::is_ordinary(&word.key)) {
            *word = Word::new(&word.text.to_lowercase(), word.spaced);
        }
    }
    let noun = words[head].text.clone();
    let group = start >= 2 && words[start - 1].key == "of" && {
        matches!(words[start - 2].key.as_str(), "group" | "couple" | "crowd" | "pair" | "bunch" | "team")
    };
    let looks: Vec<Word> = words[start..head].iter().filter(|word| !word.is(NUM)).cloned().map(Word::apart).collect();
    let count = words[start..head].iter().find(|word| word.is(NUM)).cloned();
    let mut put = vec![Word::new(PLACEHOLDER, spaced)];
    let pair = count.as_ref().and_then(number) == Some(2)
        || group && matches!(words[start - 2].key.as_str(), "couple" | "pair")
        || words[head].key == "couple"
        || looks.iter().any(|word| word.key == "twin");
    let from = if group { backward(words, start - 2) } else { start };
    // "<concept>, another kitten and a puppy" is a list with one "and".
    let goes_on = words.get(head + 1).is_some_and(|next| next.key == "and") && forward(words, head + 2).is_some();
    let joint = if goes_on { Word::new(",", false) } else { Word::new("and", true) };
    if pair {
        put.extend([joint, Word::new("another", true)]);
        put.extend(looks.iter().filter(|word| !word.is(crate::lexicon::DET)).cloned());
        put.push(Word::new(&singular(&noun), true));
    } else if group {
        put.push(Word::new("with", true));
        put.extend(words[from..=head].iter().cloned().map(|word| word.apart()));
    } else {
        put.push(joint);
        match count.as_ref().and_then(|count| number(count).map(|number| number - 1)) {
            Some(others) => put.push(Word::new(&spelt(others), true)),
            None => put.extend(count.map(|count| count.apart())),
        }
        if !matches!(noun.to_lowercase().as_str(), "family" | "crowd") {
            put.push(Word::new("other", true));
        }
        put.extend(looks.iter().filter(|word| !word.is(crate::lexicon::DET)).cloned());
        put.push(Word::new(&noun, true));
    }
    words.splice(from..=head, put);
}

/// The singular of a noun.
pub(crate) fn singular(noun: &str) -> String {
    match noun.to_lowercase().as_str() {
        "people" | "persons" | "couple" => "person".into(),
        "women" => "woman".into(),
        "men" => "man".into(),
        "children" => "child".into(),
        "ladies" => "lady".into(),
        "babies" => "baby".into(),
        "gentlemen" => "gentleman".into(),
        key if key.ends_with("ies") => format!("{}y", &noun[..noun.len() - 3]),
        key if ["ses", "xes", "ches", "shes"].iter().any(|end| key.ends_with(end)) => noun[..noun.len() - 2].into(),
        _ => noun.strip_suffix('s').unwrap_or(noun).to_owned(),
    }
}

/// The plural of a noun.
pub(crate) fn plural(noun: &str) -> String {
    let key = noun.to_lowercase();
    match key.as_str() {
        "person" => "people".into(),
        "child" => "children".into(),
        "man" | "woman" => noun.replace("man", "men"),
        _ if key.ends_with('s') => noun.to_owned(),
        _ if ["x", "ch", "sh"].iter().any(|end| key.ends_with(end)) => format!("{noun}es"),
        _ => match noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
            Some(stem) => format!("{stem}ies"),
            None => format!("{noun}s"),
        },
    }
}

/// A caption that begins with "she is" or "me and".
fn pronoun(draft: &mut Draft) -> Option<Subject> {
    let words = &mut draft.sentences.first_mut()?.words;
    let noun = match words.first()?.key.as_str() {
        "she" => "woman",
        "he" => "man",
        "me" => {
            if let Some(my) = words.iter_mut().find(|word| word.key == "my") {
                *my = Word::new("their", true);
            }
            "person"
        }
        _ => return None,
    };
    words[0] = Word::new(PLACEHOLDER, false);
    Some(Subject::person(&Word::new(noun, true), true))
}
