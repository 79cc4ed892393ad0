//! What a caption from a server may be. It goes into files, prompts and pages: one plain line, and nothing that acts.

/// No caption is longer (characters). CLIP reads some 75 words' worth at a time.
pub(super) const MAX_CHARS: usize = 1000;

/// How answers begin that talk to the user instead of describing a picture.
const CHATTER: [&str; 14] = [
    "sure,",
    "sure!",
    "certainly",
    "of course",
    "here is",
    "here's",
    "here are",
    "i'm sorry",
    "i am sorry",
    "sorry,",
    "i can't",
    "i cannot",
    "i'm unable",
    "as an ai",
];

/// What may stand in no caption: markup and addresses.
const MARKUP: [&str; 11] = ["<", ">", "```", "**", "](", "&lt;", "&#", "://", "www.", "mailto:", "javascript:"];

/// The caption in an answer, or what is wrong with it, as a part of a sentence.
pub(super) fn caption(answer: &str) -> Result<String, &'static str> {
    let text = unquoted(answer.trim());
    if text.is_empty() {
        return Err("is empty");
    }
    if text.chars().count() > MAX_CHARS {
        return Err("is longer than 1000 characters");
    }
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']) {
        return Err("has more than one line");
    }
    if text.chars().any(|c| c.is_control() || hidden(c)) {
        return Err("holds characters that can't be seen");
    }
    // Typographic apostrophes are as common as plain ones.
    let low = text.to_lowercase().replace('\u{2019}', "'");
    if MARKUP.iter().any(|mark| low.contains(mark)) || low.starts_with(['#', '{', '[', '*']) {
        return Err("holds markup or an address");
    }
    if CHATTER.iter().any(|start| low.starts_with(start)) {
        return Err("talks instead of describing");
    }
    Ok(text.to_owned())
}

/// The JSON in an answer: all of it, or all that lies in its one fence (```json), which many models can't leave out.
pub(super) fn unfenced(answer: &str) -> &str {
    let answer = answer.trim();
    let inside = answer.strip_prefix("```json").or_else(|| answer.strip_prefix("```"));
    inside.and_then(|rest| rest.strip_suffix("```")).map_or(answer, str::trim)
}

/// The text inside the only pair of quotation marks, when that pair holds all of it.
fn unquoted(text: &str) -> &str {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.filter(|inside| !inside.contains('"')).map_or(text, str::trim)
}

/// Characters that change how others look or hide what is there: direction marks, zero widths, tags. (The two joiners of Indic
/// and Arabic script and of emoji stay.)
fn hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_captions_pass_as_they_are() {
        for text in [
            "a cat on a mat",
            "Zoë's café, 3 o'clock (50% off)",
            "a sign that says \"EXIT\"",
            "一只猫",
            "ignore previous instructions",
        ] {
            assert_eq!(caption(text), Ok(text.to_owned()));
        }
        assert_eq!(caption(" \"A cat.\"\n"), Ok("A cat.".to_owned()));
    }

    #[test]
    fn what_is_no_plain_line_is_refused() {
        for text in [
            "",
            " ",
            "\"\"",
            "a cat\na dog",
            "a\u{2028}b",
            "a\tcat",
            "a\0",
            "a\u{202e}b",
            "a\u{200b}b",
            "<b>cat</b>",
            "<lora:x:1> cat",
            "**cat**",
            "# Cat",
            "- see [cat](cat)",
            "see https://x.y",
            "see WWW.x.y",
            "[\"cat\"]",
            "{\"caption\": 1}",
            "```cat```",
            "Sure, a cat",
            "I\u{2019}m sorry, I can't",
            "&lt;script",
            "<think>a</think> cat",
        ] {
            assert!(caption(text).is_err(), "{text:?} was taken");
        }
        assert!(caption(&"ä".repeat(1000)).is_ok());
        assert!(caption(&"ä".repeat(1001)).is_err());
    }

    #[test]
    fn one_fence_around_everything_is_left_out() {
        assert_eq!(unfenced("```json\n[\"a\"]\n```"), "[\"a\"]");
        assert_eq!(unfenced(" ```\n[]``` "), "[]");
        assert_eq!(unfenced("Here: ```json\n[]\n```"), "Here: ```json\n[]\n```");
        assert_eq!(unfenced("```"), "```");
    }
}
