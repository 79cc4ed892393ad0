//! What all captions share.

use crate::{
    Mode,
    lexicon::{
        ADV, AUX, CONCEPT, CONJ, DET, FEATURE, LOOKS, MAKE, MEDIUM, NUM, PART, PERSON, POSS, PREP, PRON, PUNCT, REL,
        STYLE,
    },
    words::{Draft, Word},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Fewer captions share words by chance.
const FEWEST: usize = 3;

/// What all captions say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// In at least nine of ten captions, the most frequent first.
    pub shared: Vec<Shared>,
}

/// A word or two that nearly every caption has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// In lower case.
    pub phrase: String,
    /// Captions that have it.
    pub count: usize,
    /// Captions in all.
    pub of: usize,
}

impl Shared {
    /// What this means for training. A thing that every caption names is learnt as that word: it stays out of the
    /// concept, and prompts must ask for it. A thing that is in every picture and in no caption becomes part of the
    /// concept.
    pub fn explain(&self) -> String {
        let Self { phrase, count, of } = self;
        let often = if count == of { "in every caption".into() } else { format!("in {count} of {of} captions") };
        format!(
            "`{phrase}` is {often}: it is learnt as these words, not as part of the concept. If it belongs to the \
             concept, leave it out of the captions; if it does not, add pictures without it, for what is in every \
             picture leaks into the concept"
        )
    }

    fn is(&self, classes: u64) -> bool {
        let mut words = self.phrase.split(' ').map(|word| Word::new(word, true));
        words.next_back().is_some_and(|last| last.is(classes)) && words.all(|word| !word.is(PREP | CONJ))
    }
}

impl Description {
    /// The shared words that say what the concept itself looks like: leaving them out of the captions makes them part
    /// of it.
    pub fn dropout_words(&self, mode: Mode) -> Vec<String> {
        let classes = match mode {
            Mode::Face => LOOKS | FEATURE | PERSON,
            Mode::Object => MAKE | PART,
            Mode::Style => STYLE | MEDIUM,
        };
        self.shared.iter().filter(|shared| shared.is(classes)).map(|shared| shared.phrase.clone()).collect()
    }
}

/// Words and pairs of words that at least nine of ten captions have, without the concept and small words. Of fewer than
/// three captions nothing is said.
pub fn description(captions: &[impl AsRef<str>]) -> Description {
    let of = captions.len();
    if of < FEWEST {
        return Description::default();
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for caption in captions {
        for phrase in phrases(caption.as_ref()) {
            *counts.entry(phrase).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count * 10 >= of * 9);
    let pairs: Vec<(String, usize)> = counts
        .iter()
        .filter(|(phrase, _)| phrase.contains(' '))
        .map(|(phrase, &count)| (phrase.clone(), count))
        .collect();
    // "shirt" goes without saying where "green shirt" is said as often.
    counts.retain(|phrase, count| {
        !pairs
            .iter()
            .any(|(pair, often)| pair != phrase && often >= count && pair.split(' ').any(|word| word == phrase))
    });
    let mut shared: Vec<Shared> = counts.into_iter().map(|(phrase, count)| Shared { phrase, count, of }).collect();
    shared.sort_by_key(|shared| std::cmp::Reverse(shared.count));
    Description { shared }
}

/// Every word of a caption, and every two that stand side by side, each once.
fn phrases(caption: &str) -> BTreeSet<String> {
    let small = |word: &Word| {
        word.is(DET | POSS | NUM | PREP | CONJ | REL | AUX | PRON | PUNCT | CONCEPT)
            || word.is(ADV) && !word.is(LOOKS | MAKE)
    };
    let mut found = BTreeSet::new();
    for sentence in &Draft::read(caption).sentences {
        for part in sentence.words.split(small) {
            found.extend(part.iter().map(|word| word.key.clone()));
            found.extend(part.windows(2).map(|pair| format!("{} {}", pair[0].key, pair[1].key)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_green_shirt_in_every_caption_is_found() {
        let captions: Vec<String> = ["in a park", "at a desk with his long hair", "on a beach", "in the snow"]
            .iter()
            .map(|place| format!("<concept> wearing a green shirt {place}, smiling"))
            .collect();
        let found = description(&captions);
        let phrases: Vec<&str> = found.shared.iter().map(|shared| shared.phrase.as_str()).collect();
        assert_eq!(phrases, ["green shirt", "smiling", "wearing"]);
        assert!(found.shared[0].explain().starts_with("`green shirt` is in every caption"));
        assert_eq!(description(&captions[..2]), Description::default());
    }

    #[test]
    fn words_for_the_concept_itself_may_be_dropped() {
        let captions =
            ["<concept>, long hair, hat", "<concept>, long hair, red hat", "<concept>, smile, long hair, hat"];
        let found = description(&captions);
        assert_eq!(found.dropout_words(Mode::Face), ["long hair"]);
        assert_eq!(found.dropout_words(Mode::Style), Vec::<String>::new());
    }

    #[test]
    fn nine_of_ten_are_enough() {
        let mut captions = vec!["a red mug"; 9];
        captions.push("snow");
        assert_eq!(description(&captions).shared[0], Shared { phrase: "red mug".into(), count: 9, of: 10 });
        captions.push("snow");
        assert_eq!(description(&captions).shared, []);
    }
}
