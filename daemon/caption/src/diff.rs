//! What was changed in a caption, and why.

use crate::words::{Word, join};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The writer named the concept.
    Named,
    /// Words that say what the concept is became the concept.
    Bound,
    /// The concept was put where no words were.
    Added,
    /// "The image shows", "a photo of".
    Preamble,
    /// What the concept looks like.
    Identity,
    /// How a picture is made, in style mode.
    Style,
    /// Watermarks, signatures and text.
    Lettering,
    /// Praise and ratings.
    Quality,
    /// The same words again.
    Repeat,
    /// Remarks on the picture instead of what is in it.
    Filler,
    /// Words that the user wants left out.
    Dropout,
    /// A sentence on the concept joined to the first one, or a pronoun.
    Joined,
    /// Spaces, commas, capitals, articles.
    Tidied,
    /// Nothing was left to say.
    Bare,
}

impl Kind {
    /// In plain words.
    pub fn why(self) -> &'static str {
        match self {
            Self::Named => "this names the concept",
            Self::Bound => "these words say what the concept is, so the concept takes their place",
            Self::Added => "the caption did not name the concept",
            Self::Preamble => "this would be in every caption and says nothing about the picture",
            Self::Identity => "this is how the concept looks: unsaid, it becomes part of the concept",
            Self::Style => "this says how the picture is made: unsaid, it becomes part of the style",
            Self::Lettering => "writing on a picture is not worth learning",
            Self::Quality => "praise is for prompts, not for training captions",
            Self::Repeat => "this was said before",
            Self::Filler => "this is about the picture, not about what is in it",
            Self::Dropout => "this is on the list of words to leave out",
            Self::Joined => "this speaks of the concept, so it is said in one sentence or with a pronoun",
            Self::Tidied => "spaces, commas, capitals, articles",
            Self::Bare => "nothing else was left to say",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Why.
    pub kind: Kind,
    /// What was there; empty if something was only put in.
    pub from: String,
    /// What is there now; empty if something was only taken out.
    pub to: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, from, to } = self;
        match (from.is_empty(), to.is_empty()) {
            (true, _) => write!(f, "put in `{to}`: {}", kind.why()),
            (_, true) => write!(f, "left out `{from}`: {}", kind.why()),
            _ => write!(f, "`{from}` became `{to}`: {}", kind.why()),
        }
    }
}

/// Words compared at most on either side; more than that differ as one.
const MOST: usize = 200;

/// How one text became another, word by word, by their longest common subsequence.
pub(crate) fn between(kind: Kind, before: &[Word], after: &[Word]) -> Vec<Change> {
    let same = |(a, b): &(&Word, &Word)| a.text == b.text;
    let start = before.iter().zip(after).take_while(same).count();
    let (before, after) = (&before[start..], &after[start..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(same).count();
    let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
    let mut changes = Vec::new();
    let mut note = |from: &[Word], to: &[Word]| {
        if !(from.is_empty() && to.is_empty()) {
            changes.push(Change { kind, from: join(from), to: join(to) });
        }
    };
    if before.len() > MOST || after.len() > MOST {
        note(before, after);
        return changes;
    }
    let (rows, columns) = (before.len(), after.len());
    let mut common = vec![vec![0u16; columns + 1]; rows + 1];
    for i in (0..rows).rev() {
        for j in (0..columns).rev() {
            common[i][j] = if before[i].text == after[j].text {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut from, mut to) = (0, 0, 0, 0);
    while i < rows && j < columns {
        if before[i].text == after[j].text {
            note(&before[from..i], &after[to..j]);
            (i, j) = (i + 1, j + 1);
            (from, to) = (i, j);
        } else if common[i + 1][j] >= common[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    note(&before[from..], &after[to..]);
    changes
}
