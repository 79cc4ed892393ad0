//! A prompt with calls in place of mentions, before a host's rules say what must stand around them.

use dataset::Mention;
use std::ops::Range;

/// A piece of a prompt that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Text.
    Char(char),
    /// A call of a concept, by its place.
    Call(usize),
}

/// A call that takes the place of a part of the text.
pub struct Edit {
    /// The part; empty for a call that is added.
    pub range: Range<usize>,
    /// What is written before the call.
    pub lead: String,
    /// Whom it calls.
    pub concept: usize,
}

/// The calls of a prompt, in order.
pub struct Draft {
    /// The calls.
    pub edits: Vec<Edit>,
}

impl Draft {
    /// A call for each mention.
    pub fn new(mentions: Vec<Mention>) -> Self {
        let edit = |Mention { range, name }| Edit { range, lead: String::new(), concept: name };
        Self { edits: mentions.into_iter().map(edit).collect() }
    }

    /// Whether a concept is called.
    pub fn mentions(&self, concept: usize) -> bool {
        self.edits.iter().any(|edit| edit.concept == concept)
    }

    /// Adds a call at a place of the text, behind what is called there already.
    pub fn append(&mut self, at: usize, lead: String, concept: usize) {
        // Never within a name.
        let at = self.edits.iter().find(|e| e.range.start <= at && at < e.range.end).map_or(at, |e| e.range.end);
        let behind = self.edits.partition_point(|edit| edit.range.start <= at);
        self.edits.insert(behind, Edit { range: at..at, lead, concept });
    }

    /// The whole prompt.
    pub fn units(&self, text: &str) -> Vec<Unit> {
        let mut units = Vec::with_capacity(text.len());
        let mut from = 0;
        for Edit { range, lead, concept } in &self.edits {
            units.extend(text[from..range.start].chars().chain(lead.chars()).map(Unit::Char));
            units.push(Unit::Call(*concept));
            from = range.end;
        }
        units.extend(text[from..].chars().map(Unit::Char));
        units
    }
}
