//! Prompts: text in any encoding, and the concept in it.

use crate::names::{Mention, Names};
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
/// boundaries, in the plural too.
pub fn bind_concept(prompt: &str, name: &str) -> String {
    let mentions = Names::new([(name, true)], true).find(prompt, &[]);
    let mut bound = prompt.to_owned();
    for Mention { range, .. } in mentions.into_iter().rev() {
        bound.replace_range(range, "<concept>");
    }
    bound
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
            ("two kojiis, <kojii>s", "kojii", "two <concept>, <concept>"),
            ("kojiist", "kojii", "kojiist"),
            ("this thi", "thi", "this <concept>"),
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
