//! From a raw caption to a caption for training.

use crate::{
    Crafted, Form, Mode, Options, bare, clean,
    diff::{self, Kind},
    fragment, language,
    lexicon::{ING, OPENS, PREP, STATE, is_ordinary},
    looks, loops, mention, object, person, style,
    subject::{self, Subject},
    tags, tidy,
    words::{Draft, PLACEHOLDER, Sentence, Word, words},
};

/// Bytes of a caption that are looked at; no encoder reads as many.
pub(crate) const LONGEST: usize = 16 << 10;
/// A crafted caption is crafted again until nothing changes; each time it gets shorter.
const ROUNDS: usize = 8;

/// Makes a training caption of what anyone wrote. Crafting its own outcome changes nothing.
///
/// `name` is the concept's; where the caption names it already (in any case, in angle brackets or not), it stays
/// exactly there, but for "two kojiis" of a known class: "<concept> and another kitten". A caption that is not English
/// keeps its words, and the concept is put in front. What is behind the first 16 KiB is not read.
pub fn craft(raw: &str, name: &str, mode: Mode, form: Form, options: &Options) -> Crafted {
    let mut end = raw.len().min(LONGEST);
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    let once = |text: &str| match form {
        Form::Prose => prose(text, name, mode, options),
        Form::Tags => tags::craft(text, name, mode, options),
    };
    let mut crafted = once(&raw[..end]);
    for _ in 0..ROUNDS {
        let again = once(&crafted.text);
        if again.text == crafted.text {
            break;
        }
        crafted.text = again.text;
        crafted.changes.extend(again.changes);
    }
    crafted
}

/// A draft and what was done to it.
pub(crate) struct Work {
    pub draft: Draft,
    pub changes: Vec<crate::Change>,
}

impl Work {
    /// Does something to the draft, and notes what it did.
    fn step<T>(&mut self, kind: Kind, act: impl FnOnce(&mut Draft) -> T) -> T {
        let before = self.draft.clone();
        let done = act(&mut self.draft);
        if before != self.draft {
            self.changes.extend(diff::between(kind, &flat(&before), &flat(&self.draft)));
        }
        done
    }
}

/// The words, with the marks that end sentences.
fn flat(draft: &Draft) -> Vec<Word> {
    let several = draft.sentences.len() > 1;
    let mut flat = Vec::new();
    for sentence in &draft.sentences {
        flat.extend(sentence.words.iter().cloned());
        if several || sentence.end != '.' {
            flat.push(Word::new(&sentence.end.to_string(), false));
        }
    }
    flat
}

fn prose(raw: &str, name: &str, mode: Mode, options: &Options) -> Crafted {
    let bound = mention::bind(raw, name, options.class_noun.as_deref());
    let mut work = Work { draft: Draft::read(&bound), changes: Vec::new() };
    if bound != raw {
        work.changes = diff::between(Kind::Named, &flat(&Draft::read(raw)), &flat(&work.draft));
    }
    if language::is_foreign(&bound) {
        return foreign(&bound, mode, work);
    }
    if let Some(noun) = options.class_noun.as_deref().filter(|_| mode != Mode::Style) {
        work.step(Kind::Named, |draft| mention::count(draft, noun));
    }
    let named = work.draft.concepts() > 0;
    work.step(Kind::Repeat, loops::cut);
    work.step(Kind::Lettering, clean::lettering);
    work.step(Kind::Filler, clean::fillers);
    work.step(Kind::Preamble, |draft| clean::preambles(draft, mode));
    work.step(Kind::Quality, clean::quality);
    if mode == Mode::Style {
        work.step(Kind::Style, style::strip);
    }
    let subject: Option<Subject> = match mode {
        _ if named => None,
        Mode::Face => work.step(Kind::Bound, person::bind),
        Mode::Object => work.step(Kind::Bound, |draft| object::bind(draft, options.class_noun.as_deref())),
        Mode::Style => None,
    };
    if let Some(subject) = &subject {
        work.step(Kind::Tidied, |draft| subject::split(draft, subject));
        // "The cat has green eyes" is known to be about the concept once it says "it".
        work.step(Kind::Joined, |draft| subject::name(draft, subject));
    }
    if !options.keep_identity {
        let told = || options.class_noun.is_none() && looks::is_told(&work.draft);
        match mode {
            // Green eyes of a cat that is not the concept are said.
            Mode::Face if subject.is_some() || looks::is_meant(&work.draft) => work.step(Kind::Identity, looks::looks),
            Mode::Face => {}
            Mode::Object if subject.as_ref().map_or_else(told, Subject::is_person) => {
                work.step(Kind::Identity, looks::looks)
            }
            Mode::Object => work.step(Kind::Identity, |draft| object::make(draft, options.class_noun.as_deref())),
            Mode::Style => {}
        }
    }
    work.step(Kind::Dropout, |draft| clean::dropout(draft, &options.dropout));
    work.step(Kind::Tidied, tidy::tidy);
    if let Some(subject) = &subject {
        work.step(Kind::Joined, |draft| subject::join(draft, subject));
    }
    work.step(Kind::Repeat, loops::cut);
    work.step(Kind::Tidied, tidy::tidy);
    work.step(Kind::Joined, fragment::make);
    if work.draft.concepts() == 0 {
        work.step(Kind::Added, |draft| add(draft, mode));
    }
    finish(work, mode)
}

/// Puts the concept where nothing stood for it.
fn add(draft: &mut Draft, mode: Mode) {
    if mode == Mode::Style {
        return style::say(draft);
    }
    let Some(first) = draft.sentences.first_mut() else { return };
    if fragment::is_clause(&first.words) {
        let concept = Sentence { words: words(PLACEHOLDER), end: '.' };
        return draft.sentences.insert(0, concept);
    }
    let begins = |classes: u64| first.words.first().is_some_and(|word| word.is(classes));
    let verb = begins(ING | PREP | STATE);
    let small = begins(OPENS) || verb || first.words.first().is_some_and(|word| is_ordinary(&word.key));
    if let Some(word) = first.words.first_mut() {
        word.spaced = true;
        if small {
            *word = Word::new(&word.text.to_lowercase(), true);
        }
    }
    let mut front = words(PLACEHOLDER);
    if !verb {
        front.push(Word::new(",", false));
    }
    first.words.splice(..0, front);
}

/// Another language's caption, its words untouched.
fn foreign(bound: &str, mode: Mode, mut work: Work) -> Crafted {
    let mut crafted = bound.split_whitespace().collect::<Vec<_>>().join(" ");
    if !crafted.contains(PLACEHOLDER) {
        let before = crafted;
        // As English ones, a single sentence is written as a fragment.
        let text = language::small(&before);
        let open = text.trim_end_matches(['.', ',', ' ', '\u{3002}']);
        let first = [". ", "! ", "? ", "\u{3002}"].iter().filter_map(|end| open.find(end)).min();
        crafted = match (mode, first) {
            (Mode::Style, Some(at)) => format!("{}, in the style of {PLACEHOLDER}{}", &text[..at], &text[at..]),
            (Mode::Style, None) => format!("{open}, in the style of {PLACEHOLDER}"),
            (Mode::Face | Mode::Object, _) => {
                format!("{PLACEHOLDER}, {}", if first.is_some() { text.as_str() } else { open })
            }
        };
        work.changes.extend(diff::between(Kind::Added, &words(&before), &words(&crafted)));
    }
    Crafted { text: crafted, changes: work.changes }
}

/// The text; the bare prompt if nothing but the concept is left.
fn finish(mut work: Work, mode: Mode) -> Crafted {
    let text = work.draft.render();
    let keys: Vec<&str> = work.draft.sentences.iter().flat_map(|sentence| sentence.keys()).collect();
    let empty = match mode {
        Mode::Style => matches!(
            keys.as_slice(),
            [] | ["<concept>"] | ["in", "the", "style", "of", "<concept>"] | ["style", "of", "<concept>"]
        ),
        Mode::Face | Mode::Object => matches!(keys.as_slice(), [] | ["<concept>"]),
    };
    if !empty {
        return Crafted { text, changes: work.changes };
    }
    let bare = bare(mode, Form::Prose);
    work.changes.extend(diff::between(Kind::Bare, &flat(&work.draft), &words(bare)));
    Crafted { text: bare.to_owned(), changes: work.changes }
}
