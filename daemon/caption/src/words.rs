//! A caption as words and sentences.

use crate::lexicon::{self, CONCEPT, GENITIVE, MEDIUM, NUM, PRON, PUNCT};

/// Where the concept stands.
pub(crate) const PLACEHOLDER: &str = "<concept>";

/// A word or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    /// In lower case, with straight apostrophes.
    pub key: String,
    /// Whether white space is before it.
    pub spaced: bool,
    class: u64,
}

impl Word {
    pub fn new(text: &str, spaced: bool) -> Self {
        let key = text.to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
        let class = match key.as_str() {
            PLACEHOLDER => CONCEPT,
            "'s" => GENITIVE,
            _ if !text.chars().any(dataset::is_word) && key != "&" => PUNCT,
            key => lexicon::class(key),
        };
        Self { text: text.to_owned(), key, spaced, class }
    }

    /// The same with a space before it.
    pub fn apart(self) -> Self {
        Self { spaced: true, ..self }
    }

    /// Whether it is of one of these classes.
    pub fn is(&self, classes: u64) -> bool {
        self.class & classes != 0
    }
}

/// Words with spaces before all.
pub(crate) fn words(text: &str) -> Vec<Word> {
    text.split(' ').map(|word| Word::new(word, true)).collect()
}

/// A sentence, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    pub words: Vec<Word>,
    /// What ends it: `.`, `!` or `?`.
    pub end: char,
}

impl Sentence {
    /// Where the concept is.
    pub fn concept(&self) -> Option<usize> {
        self.words.iter().position(|word| word.is(CONCEPT))
    }

    /// Its keys, without marks.
    pub fn keys(&self) -> Vec<&str> {
        self.words.iter().filter(|word| !word.is(PUNCT)).map(|word| word.key.as_str()).collect()
    }
}

/// A caption in work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub sentences: Vec<Sentence>,
}

impl Draft {
    /// Reads a text in which the concept is [`PLACEHOLDER`] already.
    pub fn read(text: &str) -> Self {
        let mut draft = Self::default();
        let mut sentence: Vec<Word> = Vec::new();
        let mut at = 0;
        let mut spaced = false;
        while let Some(c) = text[at..].chars().next() {
            if c.is_whitespace() || c.is_control() {
                spaced = true;
                at += c.len_utf8();
                continue;
            }
            let rest = &text[at..];
            let length = token(rest, c);
            at += length;
            if matches!(c, '.' | '!' | '?' | '\u{3002}') && ends(&text[at..], sentence.last()) {
                let run = text[at..].chars().take_while(|c| matches!(c, '.' | '!' | '?')).count();
                let end = rest[..length + run].chars().find(|&c| c != '.').unwrap_or('.');
                at += run;
                // The full stop of "p.m." at the end is the word's too.
                if let [.., before, last] = sentence.as_mut_slice()
                    && end == '.'
                    && !last.spaced
                    && before.text.ends_with('.')
                    && !last.is(PUNCT)
                {
                    *last = Word::new(&format!("{}.", last.text), false);
                }
                draft.sentences.push(Sentence { words: std::mem::take(&mut sentence), end });
            } else if c == '.' && !spaced && sentence.last().is_some_and(|last| !last.is(PUNCT | CONCEPT)) {
                if let Some(last) = sentence.last_mut() {
                    *last = Word::new(&format!("{}.", last.text), last.spaced);
                }
            } else {
                sentence.push(Word::new(&rest[..length], spaced));
            }
            spaced = false;
        }
        draft.sentences.push(Sentence { words: sentence, end: '.' });
        draft.sentences.retain(|sentence| !sentence.words.is_empty());
        draft
    }

    /// The text: a single sentence as a fragment, as prompts are written; several with capitals and full stops.
    pub fn render(&self) -> String {
        if let [only] = self.sentences.as_slice() {
            let mut text = join(&only.words);
            if let Some(first) = only.words.first()
                && (lexicon::is_ordinary(&first.key) || only.words.get(1).is_some_and(|next| next.is(MEDIUM)))
                && (!first.is(PRON) || first.key != "i")
                && first.text.chars().skip(1).all(|c| !c.is_uppercase())
            {
                text.replace_range(..first.text.len(), &first.text.to_lowercase());
            }
            if only.end != '.' {
                text.push(only.end);
            }
            return text;
        }
        let sentences = self.sentences.iter().map(|sentence| {
            let mut text = capital(&join(&sentence.words));
            if !(sentence.end == '.' && text.ends_with('.')) {
                text.push(sentence.end);
            }
            text
        });
        sentences.collect::<Vec<_>>().join(" ")
    }

    /// All words in order.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.sentences.iter().flat_map(|sentence| &sentence.words)
    }

    /// How often the concept is in it.
    pub fn concepts(&self) -> usize {
        self.words().filter(|word| word.is(CONCEPT)).count()
    }
}

/// Whether a full stop here, with `rest` behind it, ends a sentence.
fn ends(rest: &str, last: Option<&Word>) -> bool {
    const SHORT: &[&str] = &["mr", "mrs", "ms", "dr", "st", "jr", "sr", "vs", "no"];
    let behind = rest.trim_start_matches(['.', '!', '?']);
    let next = behind.chars().next();
    let open = next.is_none_or(|c| c.is_whitespace() || c.is_uppercase());
    let short = last.is_some_and(|last| {
        SHORT.contains(&last.key.as_str())
            || last.text.chars().count() == 1 && last.text.chars().all(char::is_uppercase)
    });
    open && (!short || behind.trim().is_empty())
}

/// Bytes of the token at the beginning of `rest`, which begins with `c`.
fn token(rest: &str, c: char) -> usize {
    if rest.starts_with(PLACEHOLDER) {
        return PLACEHOLDER.len();
    }
    let apostrophe = |c: char| matches!(c, '\'' | '\u{2019}');
    let genitive = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(apostrophe)
            && matches!(chars.next(), Some('s' | 'S'))
            && !chars.next().is_some_and(dataset::is_word)
    };
    if genitive(rest) {
        return c.len_utf8() + 1;
    }
    if !dataset::is_word(c) {
        return c.len_utf8();
    }
    let mut end = 0;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        let next = rest[at + c.len_utf8()..].chars().next();
        let inner = (c == '-' || apostrophe(c)) && next.is_some_and(dataset::is_word) && !genitive(&rest[at..]);
        let decimal =
            matches!(c, '.' | ',' | ':') && before.is_ascii_digit() && next.is_some_and(|next| next.is_ascii_digit());
        if at > 0 && !dataset::is_word(c) && !inner && !decimal {
            break;
        }
        end = at + c.len_utf8();
        before = c;
    }
    end
}

/// Words as text.
pub(crate) fn join(words: &[Word]) -> String {
    let mut text = String::new();
    for word in words {
        let tight = matches!(word.text.as_str(), "," | "." | ";" | ":" | "!" | "?" | ")" | "]");
        if word.spaced && !text.is_empty() && !tight {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    text
}

/// With a capital at the beginning, unless that is the concept.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A number as people write it in a sentence.
pub(crate) fn number(word: &Word) -> Option<usize> {
    const SMALL: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    if !word.is(NUM) {
        return None;
    }
    let listed = SMALL.iter().position(|&small| small == word.key).map(|place| place + 1);
    listed.or_else(|| word.key.parse().ok().filter(|&count: &usize| count < 1000))
}

/// The other way round.
pub(crate) fn spelt(count: usize) -> String {
    const SMALL: &[&str] = &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    SMALL.get(count).map_or_else(|| count.to_string(), |&small| small.to_owned())
}
