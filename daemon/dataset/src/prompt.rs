//! Prompts: text in any encoding, and the concept in it.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The text of a prompt file, white space collapsed; `None` if it is empty.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<String>, String> {
    const LONGEST: usize = 64 << 10;
    if bytes.len() > LONGEST {
        return Err("this is too long for a prompt; it is not used".into());
    }
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, &bytes[length..]),
        None if std::str::from_utf8(bytes).is_ok() => (UTF_8, bytes),
        None => (WINDOWS_1252, bytes),
    };
    let text = encoding.decode_without_bom_handling(bytes).0;
    if text.contains('\0') {
        return Err("this is no text; it is not used".into());
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((!text.is_empty()).then_some(text))
}

/// Every way to write the concept becomes `<concept>`: `<concept>`, `<Name>` and the bare name, in any case, at word
/// boundaries.
pub fn bind_concept(prompt: &str, name: &str) -> String {
    let text: Vec<char> = prompt.chars().collect();
    let ways: Vec<Vec<char>> = ["<concept>".to_owned(), format!("<{name}>"), name.to_owned()]
        .iter()
        .filter(|_| !name.trim().is_empty())
        .map(|way| way.trim().chars().collect())
        .collect();
    let mut out = String::with_capacity(prompt.len());
    let mut at = 0;
    while at < text.len() {
        match ways.iter().find(|way| stands_at(&text, at, way)) {
            Some(way) => {
                out += "<concept>";
                at += way.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Whether `word` stands at `at`, no letter or digit of a longer word before or behind it.
fn stands_at(text: &[char], at: usize, word: &[char]) -> bool {
    let same = |(a, b): (&char, &char)| a == b || a.to_lowercase().eq(b.to_lowercase());
    let end = at + word.len();
    if end > text.len() || !text[at..end].iter().zip(word).all(same) {
        return false;
    }
    let inside = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let joins_before = inside(word.first()) && at > 0 && inside(text.get(at - 1));
    let joins_behind = inside(word.last()) && inside(text.get(end));
    !joins_before && !joins_behind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_concept_is_found_at_word_boundaries_in_any_case() {
        for (prompt, name, bound) in [
            ("a photo of Kojii on grass", "kojii", "a photo of <concept> on grass"),
            ("KOJII's hat, kojii.", "Kojii", "<concept>'s hat, <concept>."),
            ("<Kojii> and <CONCEPT>", "kojii", "<concept> and <concept>"),
            ("kojiis in Tokyo", "tok", "kojiis in Tokyo"),
            ("kojiis", "kojii", "kojiis"),
            ("the c++ logo", "c++", "the <concept> logo"),
            ("ÜNAL lacht", "ünal", "<concept> lacht"),
            ("my cat sits", "my cat", "<concept> sits"),
            ("a_kojii_b kojii_", "kojii", "a_kojii_b kojii_"),
            ("<concept>", "x", "<concept>"),
        ] {
            assert_eq!(bind_concept(prompt, name), bound);
        }
    }

    #[test]
    fn prompts_are_read_in_any_encoding() {
        let utf16 = |text: &str, little: bool| -> Vec<u8> {
            let unit = |u: u16| if little { u.to_le_bytes() } else { u.to_be_bytes() };
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
        };
        let wanted = Some("ein Hut für <concept>".to_owned());
        for bytes in [
            "ein  Hut\nfür <concept>\n".as_bytes().to_vec(),
            [b"\xef\xbb\xbf", "ein Hut für <concept>".as_bytes()].concat(),
            b"ein Hut f\xfcr <concept>".to_vec(),
            utf16("ein Hut für <concept>", true),
            utf16("ein Hut für <concept>", false),
        ] {
            assert_eq!(decode(&bytes), Ok(wanted.clone()));
        }
        assert_eq!(decode(b" \r\n "), Ok(None));
        assert!(decode(b"a\0b").is_err() && decode(&[b'a'; 70_000]).is_err());
    }
}
