//! Names in texts: in any case, at the bounds of words, in the plural, with or without angle brackets.

use crate::letters::{Letter, letters, script};
use std::{collections::HashMap, ops::Range};

/// What stands for a concept that is not named.
const CONCEPT: &str = "<concept>";
/// A shorter name has no plural in `s`: `Thi` is not meant by `this`.
const SHORTEST_WITH_PLURAL: usize = 4;
/// Letters that a beginning of [`beginnings`] has at most: more than the longest name.
const LONGEST: usize = 200;

/// Names to look for.
pub struct Names {
    forms: Vec<Form>,
    /// The forms that begin with a letter, the best first.
    by_first: HashMap<char, Vec<usize>>,
    count: usize,
}

/// One way to write a name.
struct Form {
    letters: Vec<char>,
    /// Which name; none for `<concept>`.
    name: Option<usize>,
    plural: bool,
}

/// A name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where, with angle brackets and the plural's `s`.
    pub range: Range<usize>,
    /// Which name.
    pub name: usize,
}

/// A part of a text that is no prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// Where.
    pub range: Range<usize>,
    /// Whether a name may be the whole of it. A name that is longer may always hold it.
    pub whole: bool,
}

impl Barred {
    fn bars(&self, range: &Range<usize>) -> bool {
        let apart = self.range.end <= range.start || range.end <= self.range.start;
        let within = range.start <= self.range.start && self.range.end <= range.end;
        !(apart || within && (self.whole || *range != self.range))
    }
}

impl Names {
    /// Each name, and whether it counts without angle brackets; `concept` says whether `<concept>` counts. Of equal names
    /// the first is meant.
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, bool)>, concept: bool) -> Self {
        let mut forms = Vec::new();
        let mut count = 0;
        for (index, (name, bare)) in names.into_iter().enumerate() {
            count = index + 1;
            let name: Vec<char> = folded(name).chars().collect();
            if name.is_empty() {
                continue;
            }
            let bracketed = ['<'].iter().chain(&name).chain(&['>']).copied().collect();
            add(&mut forms, bracketed, Some(index));
            if bare {
                forms.extend(plural(&name).map(|letters| Form { letters, name: Some(index), plural: true }));
                forms.push(Form { letters: name, name: Some(index), plural: false });
            }
        }
        if concept && count > 0 {
            add(&mut forms, CONCEPT.chars().collect(), None);
        }
        let mut by_first: HashMap<char, Vec<usize>> = HashMap::new();
        for (index, form) in forms.iter().enumerate() {
            by_first.entry(form.letters[0]).or_default().push(index);
        }
        for places in by_first.values_mut() {
            // The longest, rather a name than a plural, rather a name than `<concept>`, rather an earlier one.
            places.sort_by_key(|&at| {
                let Form { letters, name, plural } = &forms[at];
                (usize::MAX - letters.len(), *plural, name.unwrap_or(usize::MAX))
            });
        }
        Self { forms, by_first, count }
    }

    /// Every mention, in order. `<concept>` means the first name that is not mentioned otherwise, else the first name.
    pub fn find(&self, text: &str, barred: &[Barred]) -> Vec<Mention> {
        let letters = letters(text);
        let mut found: Vec<(Range<usize>, Option<usize>)> = Vec::new();
        let mut at = 0;
        while at < letters.len() {
            let forms = self.by_first.get(&letters[at].folded).map_or(&[][..], Vec::as_slice);
            let fits = forms.iter().map(|&form| &self.forms[form]).find_map(|form| {
                let range = stands_at(&letters, at, &form.letters)?;
                (!barred.iter().any(|part| part.bars(&range))).then_some((range, form))
            });
            match fits {
                Some((range, form)) => {
                    found.push((range, form.name));
                    at += form.letters.len();
                }
                None => at += 1,
            }
        }
        let unnamed = (0..self.count).find(|name| found.iter().all(|(_, other)| *other != Some(*name)));
        let unnamed = unnamed.unwrap_or_default();
        found.into_iter().map(|(range, name)| Mention { range, name: name.unwrap_or(unnamed) }).collect()
    }
}

/// A form in angle brackets, and the same with an `s` behind it.
fn add(forms: &mut Vec<Form>, letters: Vec<char>, name: Option<usize>) {
    let several = letters.iter().chain(&['s']).copied().collect();
    forms.push(Form { letters: several, name, plural: true });
    forms.push(Form { letters, name, plural: false });
}

/// `xanders`, `foxes`, `teddies`.
fn plural(name: &[char]) -> Option<Vec<char>> {
    let &last = name.last()?;
    if script(last) != 1 || last == '_' {
        return None;
    }
    let before = name.len().checked_sub(2).map(|at| name[at]);
    let hisses = matches!(last, 's' | 'x' | 'z') || last == 'h' && matches!(before, Some('c' | 's'));
    let softens = last == 'y' && before.is_some_and(|c| c.is_alphabetic() && !"aeiou".contains(c));
    let (stem, ending) = match name {
        _ if hisses => (name, "es"),
        _ if name.len() < SHORTEST_WITH_PLURAL => return None,
        [stem @ .., _] if softens => (stem, "ies"),
        _ => (name, "s"),
    };
    Some(stem.iter().copied().chain(ending.chars()).collect())
}

/// Where `word` stands from the letter `at` on, part of no longer word.
fn stands_at(letters: &[Letter], at: usize, word: &[char]) -> Option<Range<usize>> {
    let here = letters.get(at..at + word.len())?;
    let (first, last) = (here.first()?, here.last()?);
    let same = here.iter().zip(word).all(|(letter, wanted)| letter.folded == *wanted);
    if !same || !first.first || !last.last {
        return None;
    }
    let joined = |a: &Letter, b: &Letter| a.script != 0 && a.script == b.script;
    let joins_before = at > 0 && joined(&letters[at - 1], first);
    let joins_behind = letters.get(at + word.len()).is_some_and(|next| joined(last, next));
    (!joins_before && !joins_behind).then_some(first.cluster.start..last.cluster.end)
}

/// A name as it is compared: names that differ only in case, in how accents are stored or in white space are one.
pub fn folded(name: &str) -> String {
    letters(name.trim()).iter().map(|letter| letter.folded).collect()
}

/// What a text says from each place on where a name may begin, as names are compared: every name that [`Names::find`] would
/// find is the beginning of one of these.
pub fn beginnings(text: &str) -> Vec<String> {
    let letters = letters(text);
    let mut found = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        let within = at > 0 && letter.script != 0 && letters[at - 1].script == letter.script;
        if !letter.first || within || letter.folded.is_whitespace() {
            continue;
        }
        let beginning: String = letters[at..].iter().take(LONGEST).map(|letter| letter.folded).collect();
        // `teddies` begins with no `teddy`.
        for (place, _) in beginning.match_indices("ies") {
            found.push(format!("{}y", &beginning[..place]));
        }
        found.push(beginning);
    }
    found
}

/// Whether a character is part of words.
pub fn is_word(c: char) -> bool {
    script(c) != 0
}
