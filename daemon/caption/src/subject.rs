//! Who or what the concept is in a caption, and the sentences that speak of it further on.

use crate::{
    lexicon::{self, ADV, AUX, CONCEPT, CONJ, ED, FEMALE, GENITIVE, ING, MALE, PERSON, PREP, PUNCT, STATE, VERB},
    words::{Draft, Sentence, Word},
};

/// What became the concept.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Subject, object, possessive.
    pub pronouns: [&'static str; 3],
    /// Nouns that mean it, with "the" before them.
    pub nouns: Vec<String>,
    /// No other like it is in the caption, so that pronouns are clear.
    pub alone: bool,
    /// Others are, but of the other sex: "the man" is clear beside a woman.
    pub clear: bool,
    person: bool,
}

impl Subject {
    /// Of a person, by the word for her.
    pub fn person(noun: &Word, alone: bool) -> Self {
        let pronouns = match (noun.is(FEMALE), noun.is(MALE)) {
            (true, false) => ["she", "her", "her"],
            (false, true) => ["he", "him", "his"],
            _ => ["they", "them", "their"],
        };
        Self { pronouns, nouns: vec![noun.key.clone()], alone, clear: alone, person: true }
    }

    /// Of a thing.
    pub fn thing(nouns: Vec<String>, alone: bool) -> Self {
        let plural =
            |noun: &String| noun.ends_with('s') && !["ss", "us", "is", "lens"].iter().any(|end| noun.ends_with(end));
        let pronouns = if nouns.first().is_some_and(plural) { ["they", "them", "their"] } else { ["it", "it", "its"] };
        Self { pronouns, nouns, alone, clear: alone, person: false }
    }

    /// Whether it is a person.
    pub fn is_person(&self) -> bool {
        self.person
    }

    /// Whether "the" and this noun mean it.
    fn is(&self, noun: &Word) -> bool {
        let [she, ..] = self.pronouns;
        let sex = match she {
            "she" => FEMALE,
            "he" => MALE,
            _ => 0,
        };
        let person = self.person && noun.is(PERSON) && (noun.is(sex) || !noun.is(FEMALE | MALE) && self.alone);
        self.nouns.contains(&noun.key) || person || matches!(noun.key.as_str(), "subject" | "figure") && self.person
    }

    /// How many words at `at` mean it: "the young woman".
    fn length(&self, words: &[Word], at: usize) -> Option<usize> {
        if words.get(at)?.key != "the" {
            return None;
        }
        let (phrase, head) = crate::phrases::forward(words, at)?;
        self.is(&words[head]).then_some(phrase.end - at)
    }
}

/// Splits "her hair is long and she is smiling" in two.
pub(crate) fn split(draft: &mut Draft, subject: &Subject) {
    let mut sentences = Vec::with_capacity(draft.sentences.len());
    for mut sentence in draft.sentences.drain(..) {
        let mut from = 1;
        while let Some(at) = (from..sentence.words.len()).find(|&at| clause(&sentence.words, at, subject)) {
            let mut rest = sentence.words.split_off(at);
            rest.remove(0);
            sentences.push(std::mem::replace(&mut sentence, Sentence { words: rest, end: '.' }));
            from = 1;
        }
        sentences.push(sentence);
    }
    draft.sentences = sentences;
}

fn clause(words: &[Word], at: usize, subject: &Subject) -> bool {
    let [she, _, her] = subject.pronouns;
    let key = |at: usize| words.get(at).map(|word| word.key.as_str());
    let verb = |at: usize| words.get(at).is_some_and(|word| word.is(AUX | VERB));
    let feature =
        key(at + 1) == Some(her) && crate::phrases::forward(words, at + 1).is_some_and(|(phrase, _)| verb(phrase.end));
    // "A man and his son are fishing" is one clause.
    let feature = feature && words[..at].iter().any(|word| word.is(AUX | VERB | ING | ED));
    let there = key(at + 1) == Some("there") && verb(at + 2);
    matches!(words[at].key.as_str(), "and" | "but" | "while")
        && (there || key(at + 1) == Some(she) && verb(at + 2) || feature)
}

/// Those of whom "its" is said.
const SMALL: &[&str] = &["baby", "infant", "toddler", "child"];

/// Says "she" where the caption says "the woman" again.
pub(crate) fn name(draft: &mut Draft, subject: &Subject) {
    for sentence in &mut draft.sentences {
        let from = sentence.concept().map_or(0, |concept| concept + 1);
        let mut behind = sentence.words.split_off(from);
        pronouns(&mut behind, subject);
        if subject.is_person() && subject.alone && subject.nouns.iter().any(|noun| SMALL.contains(&noun.as_str())) {
            for word in behind.iter_mut().filter(|word| word.key == "its") {
                *word = Word::new("their", word.spaced);
            }
        }
        sentence.words.extend(behind);
    }
}

/// Joins what is said of the concept to the sentence that names it.
pub(crate) fn join(draft: &mut Draft, subject: &Subject) {
    let Some(place) = draft.sentences.iter().position(|sentence| sentence.concept().is_some()) else { return };
    let mut pieces: Vec<Vec<Word>> = Vec::new();
    let first = &draft.sentences[place].words;
    let leads = subject.alone && leads(first);
    let mut at = place + 1;
    while at < draft.sentences.len() {
        let words = &draft.sentences[at].words;
        let [she, ..] = subject.pronouns;
        let speaks = leads && words.first().is_some_and(|word| word.key == she);
        match if speaks { predicates(&words[1..]) } else { None }.or_else(|| leads.then(|| absolute(words, subject))?) {
            Some(said) => {
                pieces.extend(said);
                draft.sentences.remove(at);
            }
            None => at += 1,
        }
    }
    let words = &mut draft.sentences[place].words;
    if let Some(concept) = words.iter().position(|word| word.is(CONCEPT)) {
        let mut behind = words.split_off(concept + 1);
        let needless = concept == 0
            && behind.first().is_some_and(|word| word.key == ",")
            && behind.get(1).is_some_and(|word| word.is(ING) || word.key == "with")
            && !crate::looks::is_paired(&behind[1..]);
        if needless {
            behind.remove(0);
        }
        if subject.alone || behind.first().is_some_and(|word| word.is(AUX)) {
            participle(&mut behind);
        }
        words.extend(behind);
    }
    for piece in pieces {
        if !words.last().is_some_and(|word| word.is(CONCEPT)) {
            words.push(Word::new(",", false));
        }
        words.extend(piece);
    }
}

/// "Her eyes are closed" as "her eyes closed".
fn absolute(words: &[Word], subject: &Subject) -> Option<Vec<Vec<Word>>> {
    let [.., her] = subject.pronouns;
    let (phrase, _) = crate::phrases::forward(words, 0).filter(|_| words[0].key == her)?;
    let be = words.get(phrase.end).is_some_and(|verb| matches!(verb.key.as_str(), "is" | "are"));
    let simple = !words[phrase.end..].iter().skip(1).any(|word| word.is(AUX | VERB) && !word.is(ED));
    let rest = words.get(phrase.end + 1..).filter(|rest| be && simple && !rest.is_empty())?;
    let her = Word::new(her, true);
    Some(vec![[&[her], &words[1..phrase.end], rest].concat()])
}

/// Whether the concept is what the sentence is about: nothing but a kind of picture before it.
fn leads(words: &[Word]) -> bool {
    words.iter().position(|word| word.is(CONCEPT)).is_some_and(|at| {
        let alone = words.get(at + 1).is_none_or(|next| !next.is(CONJ | GENITIVE));
        alone
            && words[..at]
                .iter()
                .all(|word| !word.is(ING | VERB | AUX | PERSON) && (!word.is(PREP) || word.key == "of"))
    })
}

/// "is sitting" behind the concept becomes "sitting".
fn participle(behind: &mut Vec<Word>) {
    let Some(at) = behind.iter().position(|word| word.is(AUX | ING | CONJ | PUNCT | ED)) else { return };
    let relative = at > 0 && behind[at - 1].is(lexicon::REL);
    let start = at - usize::from(relative);
    let be = matches!(behind[at].key.as_str(), "is" | "are" | "was" | "were");
    let goes_on = behind
        .get(at + 1)
        .is_some_and(|next| next.is(ING | ED | STATE) || next.key == "being" || start == 0 && next.is(PREP));
    if be && goes_on && (start == 0 || behind[..start].iter().all(|word| !word.is(lexicon::REL))) {
        behind.drain(start..=at);
    } else if start == 0 && behind[at].key == "has" {
        behind.splice(..=at, [Word::new("with", true)]);
    }
}

/// "is wearing a hat and has a scarf" as "wearing a hat", "with a scarf"; none if that cannot be said so.
fn predicates(words: &[Word]) -> Option<Vec<Vec<Word>>> {
    let mut said = Vec::new();
    let mut from = 0;
    while from < words.len() {
        let starts = |at: usize| words.get(at).is_some_and(|word| word.is(AUX | VERB));
        let joint = (from + 1..words.len()).find(|&at| words[at].is(CONJ) && starts(at + 1) && !words[at + 1].is(ED));
        let end = joint.unwrap_or(words.len());
        let mut part = words[from..end].to_vec();
        if part.last().is_some_and(|word| word.key == ",") {
            part.pop();
        }
        said.push(predicate(&part)?);
        from = end + 1;
    }
    (!said.is_empty()).then_some(said)
}

fn predicate(words: &[Word]) -> Option<Vec<Word>> {
    let (verb, rest) = words.split_first()?;
    let adverbs = rest.iter().take_while(|word| word.is(ADV)).count();
    let next = rest.get(adverbs)?;
    match verb.key.as_str() {
        "is" | "are" | "was" | "were" => {
            let fits = next.is(ING | ED | STATE) || next.is(VERB) && !next.key.ends_with('s') || next.is(PREP);
            (fits || next.key == "dressed").then(|| rest.to_vec())
        }
        "has" | "have" | "had" => {
            let auxiliary = next.is(AUX) || next.is(ED) && adverbs == 0;
            (!auxiliary).then(|| [&[Word::new("with", true)], rest].concat())
        }
        key if verb.is(VERB) && key.ends_with('s') => {
            Some([&[Word::new(&lexicon::participle(key), true)], rest].concat())
        }
        "looks" => None,
        _ => None,
    }
}

/// "the woman" becomes "she", "her" or "her" by its place.
fn pronouns(words: &mut Vec<Word>, subject: &Subject) {
    if !subject.clear {
        return;
    }
    let [she, object, possessive] = subject.pronouns;
    let mut at = 0;
    while at < words.len() {
        let Some(length) = subject.length(words, at) else {
            at += 1;
            continue;
        };
        let next = words.get(at + length);
        let (word, more) = if next.is_some_and(|word| word.is(GENITIVE)) {
            (possessive, 1)
        } else if next.is_some_and(|word| word.is(AUX | VERB)) && !(at > 0 && words[at - 1].is(PREP)) {
            (she, 0)
        } else {
            (object, 0)
        };
        if word == "they" {
            let plural = match next.map(|word| word.key.as_str()) {
                Some("is") => Some("are"),
                Some("has") => Some("have"),
                Some("was") => Some("were"),
                _ => None,
            };
            if let Some(plural) = plural {
                words[at + length] = Word::new(plural, true);
            }
        }
        let spaced = words[at].spaced;
        words.splice(at..at + length + more, [Word::new(word, spaced)]);
        at += 1;
    }
}
