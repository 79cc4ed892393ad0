//! Captions of tags.

use crate::{
    Change, Crafted, Form, Mode, Options, bare,
    diff::Kind,
    lexicon::{ADV, CONJ, FEATURE, FRAME, LETTERING, LOOKS, MAKE, MEDIUM, PART, PERSON, PLAIN, QUALITY, STYLE},
    mention, object,
    words::{PLACEHOLDER, Word, words},
};
use std::collections::HashSet;

/// Faces in letters, whose underscores stay: those that WD14 taggers know.
const KAOMOJI: &[&str] = &[
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^",
    "o_o", "u_u", "x_x", "|_|", "||_||",
];

/// One tag.
struct Tag {
    text: String,
    /// Its words, without brackets, weights and escapes.
    words: Vec<Word>,
    key: String,
}

impl Tag {
    fn read(text: &str) -> Self {
        let key = bare_key(text);
        Self { text: text.to_owned(), words: words(&key), key }
    }

    fn all(&self, classes: u64) -> bool {
        self.words.iter().all(|word| word.is(classes))
    }

    fn ends(&self, classes: u64) -> bool {
        self.words.last().is_some_and(|word| word.is(classes))
    }
}

/// A tag in lower case without `(`, `[`, `{`, `:1.2` and `\`.
fn bare_key(text: &str) -> String {
    let plain = text.replace('\\', "").to_lowercase();
    if KAOMOJI.contains(&plain.as_str()) || plain.starts_with([':', ';', '=']) {
        return plain;
    }
    let open = |c: char| matches!(c, '(' | '[' | '{');
    let mut inner = plain.as_str();
    // Only brackets around the whole are a weight: `hat (red)` is a name.
    if inner.starts_with(open) {
        inner = inner.trim_start_matches(open).trim_end_matches([')', ']', '}']);
        if let Some((tag, weight)) = inner.rsplit_once(':')
            && weight.trim().parse::<f32>().is_ok()
        {
            inner = tag;
        }
    }
    inner.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tags of a text: what stands between commas and line breaks, but not within brackets.
fn split(text: &str) -> Vec<String> {
    let balanced = text.matches('(').count() == text.matches(')').count();
    let mut depth = 0usize;
    let mut tags = vec![String::new()];
    for c in text.chars() {
        match c {
            '(' if balanced => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match (c, tags.last_mut()) {
            (',' | '\n' | '\u{ff0c}', _) if depth == 0 => tags.push(String::new()),
            (_, Some(tag)) => tag.push(c),
            _ => {}
        }
    }
    tags.iter()
        .map(|tag| spaced(tag.split_whitespace().collect::<Vec<_>>().join(" ")))
        .filter(|tag| !tag.is_empty())
        .collect()
}

fn spaced(tag: String) -> String {
    let kaomoji = KAOMOJI.contains(&tag.replace('\\', "").to_lowercase().as_str());
    if kaomoji { tag } else { tag.replace('_', " ").trim().to_owned() }
}

/// The trigger first, then what is in the picture.
pub(crate) fn craft(raw: &str, name: &str, mode: Mode, options: &Options) -> Crafted {
    let class = options.class_noun.as_deref();
    let mut changes = Vec::new();
    let plain = split(raw).join(", ");
    let bound = mention::bind(&plain, name, class);
    let tags: Vec<Tag> = split(&bound).iter().map(|tag| Tag::read(tag)).collect();
    if bound != plain {
        let before = split(&plain);
        let named = before.iter().filter(|tag| !tags.iter().any(|bound| bound.text == **tag));
        changes.extend(named.map(|tag| Change {
            kind: Kind::Named,
            from: tag.clone(),
            to: mention::bind(tag, name, class),
        }));
    }
    let named = tags.iter().any(|tag| tag.text.contains(PLACEHOLDER));
    let people: usize = tags.iter().map(|tag| counts(&tag.key)).sum();
    // A figure without a class noun is told like a person.
    let figures = tags.iter().filter(|tag| counts(&tag.key) == 0 && tag.all(LOOKS | PERSON) && tag.ends(PERSON));
    let single = figures.count() + people == 1;
    let mode = if mode == Mode::Object && class.is_none() && single { Mode::Face } else { mode };
    let animals = tags.iter().any(|tag| tag.key == "no humans");
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for tag in tags {
        let concept = tag.text.contains(PLACEHOLDER);
        let kind = match () {
            () if concept => None,
            () if !tag.key.chars().any(|c| c.is_alphanumeric()) && !is_face(&tag.key) => Some(Kind::Tidied),
            () if !seen.insert(tag.key.clone()) => Some(Kind::Repeat),
            () => unwanted(&tag, mode, options, if animals && mode == Mode::Face { 2 } else { people }),
        };
        match kind {
            Some(kind) => changes.push(Change { kind, from: tag.text, to: String::new() }),
            None => kept.push(tag.text),
        }
    }
    if !named {
        let added = bare(mode, Form::Tags).to_owned();
        changes.push(Change { kind: Kind::Added, from: String::new(), to: added.clone() });
        kept.insert(if mode == Mode::Style { kept.len() } else { 0 }, added);
    }
    if let Some(quality) = options.quality_of.map(crate::Family::quality).filter(|quality| !quality.is_empty()) {
        kept.insert(0, quality.to_owned());
    }
    Crafted { text: kept.join(", "), changes }
}

/// A face in marks alone, such as `:)` or `^_^`.
fn is_face(key: &str) -> bool {
    KAOMOJI.contains(&key)
        || matches!(key, ":)" | ":(" | ";)" | ":<" | ":>" | ":|" | ":/" | "=)" | "!" | "!?" | "?" | "!!" | "...")
}

/// Why a tag is left out, if it is.
fn unwanted(tag: &Tag, mode: Mode, options: &Options, people: usize) -> Option<Kind> {
    const ALONE: &[&str] = &["solo", "solo focus", "male focus", "female focus"];
    let key = tag.key.as_str();
    if options.dropout.iter().any(|dropped| bare_key(&dropped.replace('_', " ")) == key) {
        return Some(Kind::Dropout);
    } else if is_meta(tag) {
        return Some(Kind::Quality);
    } else if tag.ends(LETTERING) || is_credit(key) {
        return Some(Kind::Lettering);
    }
    let person = counts(key) == 1 || tag.all(LOOKS | PERSON) && tag.ends(PERSON);
    match mode {
        // Of two persons one does not know whose hair is meant.
        Mode::Face if people > 1 => None,
        Mode::Face if ALONE.contains(&key) || person => Some(Kind::Bound),
        Mode::Face if !options.keep_identity && is_looks(tag) => Some(Kind::Identity),
        Mode::Face => None,
        Mode::Object => {
            let class = options.class_noun.as_deref();
            if class.is_some_and(|class| object::names(&tag.words, class)) {
                return Some(Kind::Bound);
            }
            let part = tag.ends(PART) && !key.contains("closed") && tag.words.len() > 1 && tag.words[0].is(MAKE);
            (!options.keep_identity && people == 0 && class.is_some() && part).then_some(Kind::Identity)
        }
        Mode::Style => is_style(tag).then_some(Kind::Style),
    }
}

/// How many people tags like `1girl`, `2boys`, `multiple girls` count.
fn counts(key: &str) -> usize {
    let kind = key.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('+');
    let several = key.strip_prefix("multiple ");
    let kinds = ["girl", "boy", "other", "girls", "boys", "others", "woman", "man"];
    if several.is_some_and(|kind| kinds.contains(&kind)) {
        return 2;
    }
    let figures = &key[..key.len() - kind.len()];
    if kinds.contains(&kind) { figures.trim_end_matches('+').parse().unwrap_or_default() } else { 0 }
}

fn is_looks(tag: &Tag) -> bool {
    const MORE: &[&str] = &["twintails", "ahoge", "sidelocks", "heterochromia", "breasts", "bun", "side up", "up"];
    const KEPT: &[&str] =
        &["closed", "covered", "rolling", "wide", "ornament", "averted", "narrowed", "shading", "half-closed"];
    let kept = tag.words.iter().any(|word| KEPT.contains(&word.key.as_str()));
    let more = tag.words.last().is_some_and(|word| MORE.contains(&word.key.as_str()))
        && (tag.words.last().is_some_and(|word| word.key != "up") || tag.key.contains("side up"));
    !kept
        && (tag.ends(FEATURE)
            || more
            || tag.all(LOOKS)
            || tag.key.ends_with("skinned female")
            || tag.key.ends_with("skinned male"))
}

/// Ratings, scores and what is said of the file.
fn is_meta(tag: &Tag) -> bool {
    const RATINGS: &[&str] = &["general", "sensitive", "questionable", "explicit", "safe", "nsfw", "sfw"];
    const FILE: &[&str] = &[
        "lowres",
        "jpeg artifacts",
        "bad id",
        "bad pixiv id",
        "commission",
        "commentary",
        "translated",
        "commentary request",
        "scan",
        "third-party edit",
        "image sample",
        "duplicate",
        "very aesthetic",
        "newest",
        "recent",
        "year 2023",
        "incredibly absurdres",
    ];
    let key = tag.key.as_str();
    let score =
        key.strip_prefix("score").is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    RATINGS.contains(&key)
        || FILE.contains(&key)
        || score
        || key.starts_with("rating")
        || tag.all(QUALITY | ADV | CONJ) && tag.words.iter().any(|word| word.is(QUALITY)) && !tag.all(ADV)
}

fn is_credit(key: &str) -> bool {
    matches!(
        key,
        "artist name"
            | "character name"
            | "copyright name"
            | "web address"
            | "dated"
            | "text focus"
            | "content rating"
            | "artist logo"
            | "error"
            | "qr code"
            | "page number"
    ) || key.ends_with(" username")
        || key.ends_with(" logo")
}

fn is_style(tag: &Tag) -> bool {
    let key = tag.key.as_str();
    let listed = matches!(
        key,
        "greyscale"
            | "grayscale"
            | "traditional media"
            | "anime coloring"
            | "sepia"
            | "black and white"
            | "spot color"
            | "limited palette"
            | "photo"
            | "photorealistic"
            | "no lineart"
            | "mixed media"
            | "official art"
            | "game cg"
            | "screencap"
            | "anime screencap"
            | "halftone"
            | "chromatic aberration"
            | "bokeh"
            | "film grain"
    );
    let named = key.starts_with("by ")
        || key.starts_with("artist:")
        || key.starts_with("in the style of")
        || key.ends_with("(style)")
        || key.ends_with("(medium)")
        || key.ends_with(" style")
        || key.ends_with("(artwork)")
        || key.ends_with(" media");
    listed
        || named
        || tag.all(STYLE | MEDIUM | PLAIN | ADV)
            && tag.words.iter().any(|word| word.is(STYLE))
            && !tag.words.iter().any(|word| word.is(FRAME))
}
