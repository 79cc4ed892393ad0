//! Whether a name is so unlike other words that it means its concept wherever it stands.

use crate::Result;
use diffusion::tokenizer::Tokenizer;
use flate2::read::GzDecoder;
use std::{collections::HashSet, io::Read, sync::LazyLock};

/// Where it is from: assets/README.md.
const WORDS: &[u8] = include_bytes!("../assets/words.txt.gz");
const SHORTEST: usize = 3;

static DICTIONARY: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut text = String::new();
    GzDecoder::new(WORDS).read_to_string(&mut text).expect("bug: the built-in word list");
    text.lines().map(str::to_owned).collect()
});

/// Whether one of the words of a name is three or more letters and digits, not all of them digits, no English word, and
/// more than one of CLIP's tokens: then nobody who writes it means anything else.
///
/// # Errors
/// If the built-in vocabulary cannot be read.
pub fn distinctive(name: &str) -> Result<bool> {
    let tokenizer = Tokenizer::new(&[])?;
    let name = dataset::folded(name);
    for word in name.split(|c| !dataset::is_word(c) || c == '_') {
        let rare = word.chars().count() >= SHORTEST
            && !word.chars().all(char::is_numeric)
            && !DICTIONARY.contains(word)
            && tokenizer.words(word)?.len() > 1;
        if rare {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_people_use_are_not_distinctive() {
        for (name, expected) in [
            ("kojii", true),
            ("Zorblax", true),
            ("Xander Kojii", true),
            ("the zorblax", true),
            ("R2D2x", true),
            ("サンダーさん", true),
            // A single token of CLIP's.
            ("rose", false),
            ("Rose", false),
            ("Anna Maria", false),
            // Words of the dictionary that are several tokens.
            ("Chiaroscuro", false),
            ("aardvarks", false),
            ("blue aardvark", false),
            // Too short, or a number.
            ("Xq", false),
            ("x-q", false),
            ("12345", false),
            ("!?", false),
        ] {
            assert_eq!(distinctive(name).expect(name), expected, "{name}");
        }
    }

    #[test]
    fn the_dictionary_holds_no_single_tokens() {
        let tokenizer = Tokenizer::new(&[]).expect("the vocabulary");
        let known = DICTIONARY.iter().filter(|word| tokenizer.words(word).expect("tokens").len() == 1).count();
        assert_eq!((known, DICTIONARY.len() > 30_000), (0, true));
    }
}
