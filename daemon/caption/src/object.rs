//! Object mode: the noun phrase of the thing becomes the concept, and what the thing always looks like goes unsaid.

use crate::{
    clean::{governor, says},
    lexicon::{
        ADJ, ADV, CONCEPT, DET, ED, FEATURE, GENITIVE, ING, MAKE, MEDIUM, NUM, PART, PERSON, PERSONS, POSS, PREP,
        PUNCT, STATE, STOP, VERB, VESSEL,
    },
    looks::{adjectives, close, tells_only},
    person::{self, in_style, several, singular},
    phrases::{backward, forward, sift},
    subject::Subject,
    words::{Draft, PLACEHOLDER, Word, number},
};

/// Words for the same kind of thing.
const KINDS: &[&[&str]] = &[
    &["cat", "kitten", "kitty", "feline", "tabby"],
    &[
        "dog",
        "puppy",
        "pup",
        "canine",
        "hound",
        "terrier",
        "retriever",
        "poodle",
        "bulldog",
        "corgi",
        "dachshund",
        "husky",
    ],
    &["car", "sedan", "coupe", "vehicle", "automobile", "convertible", "suv", "motor vehicle"],
    &["bike", "bicycle"],
    &["motorcycle", "motorbike"],
    &["bird", "parrot", "parakeet"],
    &["rabbit", "bunny"],
    &["shoe", "sneaker", "boot", "trainer"],
    &["teddy bear", "teddy", "stuffed bear", "stuffed animal", "plush toy", "bear"],
    &["cup", "mug"],
    &["bag", "handbag", "purse", "backpack"],
    &["sofa", "couch"],
];

/// What the thing may be called.
fn called(class_noun: &str) -> Vec<String> {
    let class = class_noun.trim().to_lowercase();
    let one = singular(&class);
    let kind = KINDS.iter().find(|kind| kind[0] == class || kind[0] == one || kind[1..].contains(&class.as_str()));
    let mut nouns = vec![class];
    nouns.extend(kind.into_iter().flat_map(|kind| kind.iter()).map(|&noun| noun.to_owned()));
    nouns.dedup();
    nouns
}

/// The noun phrase of the class, or the caption's first, becomes the concept.
pub(crate) fn bind(draft: &mut Draft, class_noun: Option<&str>) -> Option<Subject> {
    let class = class_noun.map(str::trim).filter(|noun| !noun.is_empty());
    for noun in class.map(called).unwrap_or_default() {
        for place in 0..draft.sentences.len() {
            let words = &mut draft.sentences[place].words;
            if let Some((at, plural)) = (0..words.len()).find_map(|at| stands(words, at, &noun)) {
                let subject = take(words, at, plural && !noun.ends_with('s'));
                return Some(also(subject, class));
            }
        }
    }
    let words = &mut draft.sentences.first_mut()?.words;
    let Some(at) = first(words) else {
        return if class.is_some() { None } else { person::bind(draft) };
    };
    if words[at].is(PERSON | PERSONS) {
        // A figure or a character is told like a person; what is known to be a thing is none.
        return if class.is_some() { None } else { person::bind(draft) };
    }
    let plural = words[at].is(PERSONS)
        || words[backward(words, at)..at].iter().any(|word| number(word).is_some_and(|count| count > 1));
    Some(also(take(words, at, plural), class))
}

fn also(mut subject: Subject, class: Option<&str>) -> Subject {
    subject.nouns.extend(class.map(called).unwrap_or_default());
    subject
}

/// The last word of the class noun, if it stands at `at` and is no part of a compound; whether it is in the plural.
fn stands(words: &[Word], at: usize, noun: &str) -> Option<(usize, bool)> {
    let parts: Vec<&str> = noun.split_whitespace().collect();
    let (last, before) = parts.split_last()?;
    let end = at + before.len();
    let head = words.get(end)?;
    let plural = head.key != *last && singular(&head.key) == *last && head.key.len() > 2;
    let same = words[at..end].iter().zip(before).all(|(word, part)| word.key == *part);
    let alone =
        words.get(end + 1).is_none_or(|next| next.is(STOP | VERB | ING | ED | STATE | ADV) || next.is(PUNCT | CONCEPT));
    (same && alone && (head.key == *last || plural)).then_some((end, plural))
}

/// The head of the caption's first noun phrase, behind "a close-up of" and "the front of".
fn first(words: &[Word]) -> Option<usize> {
    const SIDES: &[&str] = &["front", "back", "side", "rear", "interior", "top", "view", "inside", "lot"];
    let mut from = 0;
    loop {
        let (phrase, head) = forward(words, from)?;
        let of = words.get(phrase.end).is_some_and(|next| next.key == "of");
        if of && (words[head].is(MEDIUM) || SIDES.contains(&words[head].key.as_str()) || partitive(&words[head])) {
            from = phrase.end + 1;
        } else if words[head].is(MEDIUM)
            && words.get(phrase.end).is_some_and(|next| next.is(VERB | ED) || next.key == "for")
            && let Some(of) =
                words.iter().skip(phrase.end).take(5).position(|word| matches!(word.key.as_str(), "of" | "for"))
        {
            // "a photo taken from behind of a woman"
            from = phrase.end + of + 1;
        } else {
            return Some(head);
        }
    }
}

fn partitive(word: &Word) -> bool {
    matches!(
        word.key.as_str(),
        "pair" | "bunch" | "set" | "pack" | "piece" | "stack" | "pile" | "slice" | "couple" | "group"
    )
}

/// Puts the concept for the noun phrase whose head is at `head`.
fn take(words: &mut Vec<Word>, head: usize, plural: bool) -> Subject {
    let noun = words[head].key.clone();
    let mut start = backward(words, head);
    let counted = words[start..head].iter().any(|word| word.is(NUM) && word.key != "one");
    if plural && counted {
        several(words, head);
        return Subject::thing(vec![singular(&noun)], false);
    }
    if start >= 2 && words[start - 1].key == "of" && partitive(&words[start - 2]) {
        start = backward(words, start - 2);
    }
    // The dog of "the man's dog" has a name of its own.
    if start >= 2 && words[start - 1].is(GENITIVE) {
        start = backward(words, start - 2);
    }
    let mut end = head + 1;
    if words.get(end).is_some_and(|next| next.key == "of") {
        if words[head].is(VESSEL) && !matches!(noun.as_str(), "bottle" | "can") {
            let flat = matches!(noun.as_str(), "plate" | "tray" | "dish" | "pan" | "vase" | "basket");
            let holds = if flat { crate::words::words("with") } else { crate::words::words("filled with") };
            if flat
                && let Some((phrase, _)) = forward(words, end + 1)
                && words.get(phrase.end).is_some_and(|next| next.key == "with")
            {
                words[phrase.end] = Word::new("and", true);
            }
            words.splice(end..=end, holds);
        } else if let Some((phrase, _)) = forward(words, end + 1) {
            end = phrase.end;
        }
    }
    let genitive = words.get(end).is_some_and(|next| next.is(GENITIVE));
    let mut put = vec![Word::new(PLACEHOLDER, words[start].spaced)];
    let acts = |word: &&Word| {
        word.is(STATE)
            || [
                "sleeping", "sitting", "standing", "running", "jumping", "playing", "walking", "lying", "laying",
                "flying", "swimming", "resting", "eating", "yawning", "smiling",
            ]
            .contains(&word.key.as_str())
    };
    if !genitive {
        put.extend(in_style(&words[start..head]));
        put.extend(words[start..head].iter().filter(acts).map(|word| Word::new(&word.text, true)));
    }
    words.splice(start..end, put);
    let other = |word: &Word| word.key == noun || singular(&word.key) == noun;
    let alone = !(0..words.len()).any(|at| other(&words[at]) && words[backward(words, at)].key != "the");
    Subject::thing(vec![noun], alone)
}

/// Takes out ", an orange cat" behind the concept; whether it was there.
fn apposition(words: &mut Vec<Word>, nouns: &[String]) -> bool {
    let Some(at) = words.iter().position(|word| word.is(CONCEPT)) else { return false };
    let Some((phrase, head)) = forward(words, at + 2).filter(|_| words[at + 1].key == ",") else { return false };
    let article = matches!(words[phrase.start].key.as_str(), "a" | "an" | "the");
    let behind = words.get(phrase.end).is_none_or(|next| next.key == "," || next.is(PREP | ING));
    let told = article && behind && nouns.contains(&words[head].key);
    if told {
        words.drain(at + 1..phrase.end);
    }
    told
}

/// Colours, materials, fur, handles.
pub(crate) fn make(draft: &mut Draft, class_noun: Option<&str>) {
    let nouns = class_noun.map(called).unwrap_or_default();
    for sentence in &mut draft.sentences {
        let told = apposition(&mut sentence.words, &nouns);
        let owner = |words: &[Word], at: usize| at > 0 && words[at - 1].is(CONCEPT) || words[0].key == "it";
        let governs = |words: &[Word], at: usize| {
            governor(words, at, &["with", "has", "have", "having"]).filter(|_| owner(words, at))
        };
        let cut = sift(&mut sentence.words, &governs, &|words, item| {
            (words[item.head].is(PART | FEATURE) && !words[item.phrase.start].is(POSS)).then_some(item.own)
        });
        adjectives(&mut sentence.words, MAKE);
        if told || cut {
            close(&mut sentence.words);
        }
        let words = &mut sentence.words;
        if let Some(at) = words.iter().position(|word| word.is(CONCEPT)).map(|at| at + 1) {
            if says(words, at, "made of") || says(words, at, "made from") {
                let mut end = forward(words, at + 2).map_or(at + 2, |(phrase, _)| phrase.end);
                if words.get(end).is_some_and(|next| next.key == "and")
                    && let Some((phrase, _)) = forward(words, end + 1)
                {
                    end = phrase.end;
                }
                words.drain(at..end);
            }
            let relative = words.get(at).is_some_and(|word| matches!(word.key.as_str(), "that" | "which"))
                && words.get(at + 1).is_some_and(|word| word.key == "is");
            let run = words.iter().skip(at + 2).take_while(|word| word.is(MAKE | ADV) || word.key == "and").count();
            if relative
                && run > 0
                && words[at + 2..at + 2 + run].iter().any(|word| word.is(MAKE))
                && !words.get(at + 2 + run).is_some_and(|next| next.is(ADJ))
            {
                words.drain(at..at + 2 + run);
            }
        }
    }
    draft.sentences.retain(|sentence| {
        let own = sentence.words.first().is_some_and(|word| word.key == "its" || word.key == "it" || word.is(DET));
        !(own && tells_only(&sentence.words, PART, MAKE))
    });
}

/// Whether a tag is nothing but the class noun and how the thing looks: `cat`, `orange cat`.
pub(crate) fn names(tag: &[Word], class_noun: &str) -> bool {
    called(class_noun).iter().any(|noun| {
        let length = noun.split_whitespace().count();
        let Some(at) = tag.len().checked_sub(length) else { return false };
        stands(tag, at, noun).is_some() && tag[..at].iter().all(|word| word.is(MAKE | NUM))
    })
}
