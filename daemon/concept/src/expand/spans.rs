//! The parts of a prompt that are no prose: what hosts and their extensions read themselves, and names of files.

use dataset::{Barred, is_word};
use protocol::PromptTarget;
use regex::Regex;
use std::{ops::Range, sync::LazyLock};

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Taken out before the prompt is read.
    Comment,
    /// `<lora:...>`, `<hypernet:...>` and whatever else is written so.
    Tag,
    /// `BREAK` or `AND`.
    Keyword,
    /// `__wildcard__`, `embedding:...` or the call of a concept.
    Reference,
    /// What is named like a file, or an address.
    File,
}

/// A part of a prompt.
#[derive(Clone, Debug)]
pub struct Span {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub range: Range<usize>,
}

impl Span {
    /// Where no name is looked for. A concept may be called like a file or a tag.
    pub fn barred(&self) -> Barred {
        Barred { range: self.range.clone(), whole: matches!(self.kind, Kind::Tag | Kind::File) }
    }
}

const KINDS: [(&str, Kind); 4] =
    [("tag", Kind::Tag), ("keyword", Kind::Keyword), ("reference", Kind::Reference), ("file", Kind::File)];

fn pattern() -> Regex {
    const TAG: &str = r"<[A-Za-z0-9_]+:[^>]+>";
    const KEYWORD: &str = r"\b(?:BREAK|AND)\b";
    const REFERENCE: &str = r"__[^\s,]+?__|(?i:embedding):\s*(?:<[^<>:]*>|[^\s,()\[\]{}|<>]+)";
    const ADDRESS: &str = r#"[A-Za-z]+://[^\s,;()\[\]{}<>|"]+|[\w.+-]+@[\w.-]+"#;
    const WITH_EXTENSION: &str = concat!(
        r#"[^\s,;()\[\]{}<>|"]*\w\.(?i:safetensors|ckpt|pth|pt|bin|gguf|png|jpg|jpeg|webp|gif|bmp"#,
        r"|txt|json|yaml|yml|tar|zip)\b"
    );
    const STEM: &str = r"[\w-]*(?i:_lora|_embeddings|-v[0-9]+)\b";
    let pattern = format!(
        "(?P<tag>{TAG})|(?P<keyword>{KEYWORD})|(?P<reference>{REFERENCE})|(?P<file>{ADDRESS}|{WITH_EXTENSION}|{STEM})"
    );
    Regex::new(&pattern).expect("bug: the pattern of spans")
}

static PATTERN: LazyLock<Regex> = LazyLock::new(pattern);
static A1111_COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"#[^\n]*").expect("bug: a comment"));
static COMFYUI_COMMENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"/\*[\s\S]*?\*/|//[^\n]*").expect("bug: a comment"));

/// The parts of `text` that are no prose, in order. `calls` are known as such.
pub fn spans(text: &str, host: PromptTarget, calls: &[String]) -> Vec<Span> {
    let comment = match host {
        PromptTarget::Comfyui => &*COMFYUI_COMMENT,
        PromptTarget::A1111 => &*A1111_COMMENT,
    };
    let mut spans = Vec::new();
    let mut from = 0;
    // Comments are taken out before anything else is read.
    for comment in comment.find_iter(text).map(|comment| comment.range()).chain(std::iter::once(text.len()..text.len()))
    {
        for captures in PATTERN.captures_iter(&text[from..comment.start]) {
            let found = KINDS.iter().find_map(|(name, kind)| Some((captures.name(name)?, *kind)));
            let Some((found, kind)) = found else { continue };
            let own = kind == Kind::File && calls.iter().any(|call| call.eq_ignore_ascii_case(found.as_str()));
            let kind = if own { Kind::Reference } else { kind };
            spans.push(Span { kind, range: from + found.start()..from + found.end() });
        }
        from = comment.end;
        if !comment.is_empty() {
            spans.push(Span { kind: Kind::Comment, range: comment });
        }
    }
    spans
}

/// Whether `call` stands in `text` already.
pub fn stands(text: &str, call: &str, spans: &[Span]) -> bool {
    let (lower, call) = (text.to_ascii_lowercase(), call.to_ascii_lowercase());
    let found = lower.match_indices(&call).filter(|_| !call.is_empty());
    let whole = |start: usize, end: usize| {
        let (before, after) = (lower[..start].chars().next_back(), lower[end..].chars().next());
        !before.is_some_and(|c| is_word(c) || c == '-') && !after.is_some_and(is_word)
    };
    let read = |at: usize| !spans.iter().any(|span| span.kind == Kind::Comment && span.range.contains(&at));
    found.into_iter().any(|(at, _)| whole(at, at + call.len()) && read(at))
}
