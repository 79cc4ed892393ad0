//! CLIP's tokenizer with its vocabulary built in (from OpenAI's CLIP, MIT licence), and the new tokens of a concept.
//!
//! The pipeline is that of transformers' CLIPTokenizer: NFC, runs of white space to one space, lower case character by
//! character, split by a pattern, byte-level BPE.

use crate::{Error, Result};
use flate2::read::GzDecoder;
use std::io::Read;
use tokenizers::{
    NormalizerWrapper, PreTokenizerWrapper, Tokenizer as Pipeline,
    models::bpe::BPE,
    normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence as PreTokenizers,
        split::{Split, SplitPattern},
    },
    tokenizer::normalizer::SplitDelimiterBehavior,
};

/// Rows of a CLIP token table; new tokens have ids from here on.
pub const VOCABULARY: usize = 49408;
/// Positions of a prompt, begin and end included.
pub const LENGTH: usize = 77;
/// Parts of 75 tokens that a prompt may have; what is beyond is cut off. (kohya's trainer learns from three, too.)
pub const CHUNKS: usize = 3;
/// Begin of text.
pub const BEGIN: u32 = 49406;
/// End of text; also what CLIP-L is padded with.
pub const END: u32 = 49407;

const VOCABULARY_FILE: &[u8] = include_bytes!("../assets/bpe_simple_vocab_16e6.txt.gz");
const PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+";

/// Turns prompts into token ids.
pub struct Tokenizer {
    pipeline: Pipeline,
    /// Strings that are one token each: the two marks and a concept's new tokens.
    special: Vec<(String, u32)>,
}

/// The ids of one prompt for each text encoder: one or more parts of 77, each with its own marks. The encoders see each
/// part by itself, and the UNet all of them in a row, as hosts do with long prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIds {
    /// For CLIP-L: padded with the end mark.
    pub l: Vec<u32>,
    /// For OpenCLIP-G: padded with zero.
    pub g: Vec<u32>,
    /// Whether words beyond the last part were cut off.
    pub truncated: bool,
}

impl TokenIds {
    /// Number of parts.
    pub fn chunks(&self) -> usize {
        self.l.len() / LENGTH
    }

    /// One part of at most 75 tokens is added.
    fn push(&mut self, words: &[u32]) {
        for (ids, pad) in [(&mut self.l, END), (&mut self.g, 0)] {
            let length = ids.len() + LENGTH;
            ids.push(BEGIN);
            ids.extend_from_slice(words);
            ids.push(END);
            ids.resize(length, pad);
        }
    }

    /// With empty parts behind it, so that there are `chunks`.
    #[must_use]
    pub fn padded(mut self, chunks: usize) -> Self {
        while self.chunks() < chunks {
            self.push(&[]);
        }
        self
    }
}

impl Tokenizer {
    /// A tokenizer that knows `new_tokens` (such as `<s0>`) as the ids from [`VOCABULARY`] on.
    ///
    /// # Errors
    /// If the built-in vocabulary cannot be read.
    pub fn new(new_tokens: &[String]) -> Result<Self> {
        let pipeline = pipeline().map_err(|error| Error::Invalid(format!("bug: the built-in vocabulary: {error}")))?;
        let mut special = vec![("<|startoftext|>".to_owned(), BEGIN), ("<|endoftext|>".to_owned(), END)];
        special.extend(new_tokens.iter().zip(VOCABULARY as u32..).map(|(token, id)| (token.clone(), id)));
        Ok(Self { pipeline, special })
    }

    /// The ids of `prompt` without begin and end marks.
    ///
    /// # Errors
    /// If the pipeline fails, which no text should make it do.
    pub fn words(&self, prompt: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        let mut rest = prompt;
        while !rest.is_empty() {
            // The earliest special string, the longest of those that start there.
            let found =
                self.special.iter().filter_map(|(token, id)| rest.find(token.as_str()).map(|at| (at, token, *id)));
            let found = found.min_by_key(|(at, token, _)| (*at, usize::MAX - token.len()));
            let (text, special) = match &found {
                Some((at, token, id)) => (&rest[..*at], Some((*id, at + token.len()))),
                None => (rest, None),
            };
            if !text.is_empty() {
                let encoded = self.pipeline.encode_fast(text, false);
                ids.extend_from_slice(
                    encoded.map_err(|e| Error::Invalid(format!("cannot tokenize `{text}`: {e}")))?.get_ids(),
                );
            }
            let Some((id, end)) = special else { break };
            ids.push(id);
            rest = &rest[end..];
        }
        Ok(ids)
    }

    /// The padded ids of `prompt`.
    ///
    /// # Errors
    /// As [`Self::words`].
    pub fn encode(&self, prompt: &str) -> Result<TokenIds> {
        let words = self.words(prompt)?;
        let mut ids = TokenIds { l: Vec::new(), g: Vec::new(), truncated: false };
        let mut rest = words.as_slice();
        while !rest.is_empty() && ids.chunks() < CHUNKS {
            let (part, behind) = rest.split_at(self.cut(rest));
            ids.push(part);
            rest = behind;
        }
        ids.truncated = !rest.is_empty();
        Ok(ids.padded(1))
    }

    /// The ids of `prompt` in one part, cut off behind 75 tokens: what transformers' tokenizer gives with `truncation`.
    ///
    /// # Errors
    /// As [`Self::words`].
    pub fn encode_cut(&self, prompt: &str) -> Result<TokenIds> {
        let words = self.words(prompt)?;
        let kept = words.len().min(LENGTH - 2);
        let mut ids = TokenIds { l: Vec::new(), g: Vec::new(), truncated: kept < words.len() };
        ids.push(&words[..kept]);
        Ok(ids)
    }

    /// How many of `words` go into one part: words stay whole, and so do the new tokens of a concept.
    fn cut(&self, words: &[u32]) -> usize {
        const MOST: usize = LENGTH - 2;
        if words.len() <= MOST {
            return words.len();
        }
        let new = |id: u32| id as usize >= VOCABULARY;
        let ends_word = |at: usize| match (words[at - 1], words[at]) {
            (before, behind) if new(before) => !new(behind),
            (before, _) => self.pipeline.id_to_token(before).is_none_or(|token| token.ends_with("</w>")),
        };
        // A word longer than a part has to be cut somewhere.
        (1..=MOST).rev().find(|&at| ends_word(at)).unwrap_or(MOST)
    }
}

/// Replaces every `placeholder` in `prompt`, in any case, by `replacement`.
pub fn replace_placeholder(prompt: &str, placeholder: &str, replacement: &str) -> String {
    let fold = |text: &str| text.chars().map(|c| c.to_ascii_lowercase()).collect::<String>();
    let (folded, wanted) = (fold(prompt), fold(placeholder));
    let (mut out, mut from) = (String::with_capacity(prompt.len()), 0);
    if wanted.is_empty() {
        return prompt.to_owned();
    }
    while let Some(at) = folded[from..].find(&wanted) {
        out += &prompt[from..from + at];
        out += replacement;
        from += at + wanted.len();
    }
    out + &prompt[from..]
}

/// The piece of text that stands for one byte in the vocabulary: printable bytes for themselves, the others from U+0100.
fn byte_symbols() -> Vec<char> {
    let printable: Vec<u8> = (b'!'..=b'~').chain(0xa1..=0xac).chain(0xae..=0xff).collect();
    let others = (0..=255).filter(|b| !printable.contains(b)).zip(256u32..);
    let others: Vec<char> = others.filter_map(|(_, code)| char::from_u32(code)).collect();
    printable.iter().map(|&b| char::from(b)).chain(others).collect()
}

fn pipeline() -> tokenizers::Result<Pipeline> {
    let mut text = String::new();
    GzDecoder::new(VOCABULARY_FILE).read_to_string(&mut text)?;
    let merge_count = VOCABULARY - 2 - 2 * 256;
    let merges: Vec<(String, String)> = text
        .lines()
        .skip(1)
        .take(merge_count)
        .filter_map(|line| line.split_once(' '))
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
        .collect();
    let symbols = byte_symbols();
    let single = symbols.iter().map(char::to_string);
    let ends = symbols.iter().map(|c| format!("{c}</w>"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let marks = ["<|startoftext|>", "<|endoftext|>"].map(str::to_owned);
    let vocabulary = single.chain(ends).chain(merged).chain(marks).zip(0u32..);
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary.collect::<tokenizers::models::bpe::Vocab>(), merges)
        .end_of_word_suffix("</w>".into())
        .unk_token("<|endoftext|>".into())
        .build()?;
    let mut pipeline = Pipeline::new(bpe);
    let _ = pipeline.with_normalizer(Some(Normalizers::new(vec![
        NormalizerWrapper::NFC(NFC),
        NormalizerWrapper::Replace(Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?),
        NormalizerWrapper::Lowercase(Lowercase),
    ])));
    let _ = pipeline.with_pre_tokenizer(Some(PreTokenizers::new(vec![
        PreTokenizerWrapper::Split(Split::new(
            SplitPattern::Regex(PATTERN.into()),
            SplitDelimiterBehavior::Removed,
            true,
        )?),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
    ])));
    Ok(pipeline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_become_padded_ids() {
        let tokenizer = Tokenizer::new(&["<s0>".into(), "<s1>".into()]).expect("the vocabulary");
        let ids = tokenizer.encode("a cat, <s0><s1>!").expect("ids");
        assert_eq!(ids.l[..8], [BEGIN, 320, 2368, 267, 49408, 49409, 256, END]);
        assert_eq!((ids.l[76], ids.g[76], ids.truncated), (END, 0, false));
        assert_eq!(tokenizer.encode("").expect("ids").l[..3], [BEGIN, END, END]);
    }

    #[test]
    fn long_prompts_go_on_in_further_parts_and_keep_words_and_concepts_whole() {
        let tokenizer = Tokenizer::new(&["<s0>".into(), "<s1>".into()]).expect("the vocabulary");
        let encode = |text: &str| tokenizer.encode(text).expect("ids");
        assert_eq!(encode(&"cat ".repeat(75)).chunks(), 1);
        let long = encode(&format!("{}<s0><s1> sat", "cat ".repeat(74)));
        assert_eq!((long.chunks(), long.truncated), (2, false));
        assert_eq!(long.l[73..77], [2368, 2368, END, END], "the concept would not have been whole");
        let sat = tokenizer.words("sat").expect("ids")[0];
        assert_eq!(long.l[77..82], [BEGIN, 49408, 49409, sat, END]);
        assert_eq!(long.g[82..84], [0, 0]);
        // `photographer` is a word, `catcatcatcat...` several tokens of one.
        let word = encode(&format!("{}unphotographable", "cat ".repeat(74)));
        assert_eq!((word.chunks(), word.l[74], word.l[75]), (2, 2368, END));
        let cut = encode(&"cat ".repeat(226));
        assert_eq!((cut.chunks(), cut.truncated), (3, true));
        let padded = encode("a").padded(2);
        assert_eq!((padded.chunks(), &padded.l[77..80]), (2, &[BEGIN, END, END][..]));
    }

    #[test]
    fn placeholders_are_found_in_any_case() {
        let replaced = replace_placeholder("A <Concept>, ünd <CONCEPT>", "<concept>", "<s0>");
        assert_eq!(replaced, "A <s0>, ünd <s0>");
        assert_eq!(replace_placeholder("nothing", "", "x"), "nothing");
    }
}
