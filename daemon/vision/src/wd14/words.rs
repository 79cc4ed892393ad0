//! Tags as words of a caption.

use super::Manner;

/// Tags that are faces; their underscores are eyes and mouths.
const KAOMOJI: [&str; 19] = [
    "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3", "6_9", ">_o", "@_@", "^_^",
    "o_o", "u_u", "x_x", "|_|", "||_||",
];

impl Manner {
    /// A tag as it stands in a caption: with spaces for underscores, except in faces. (kohya takes tags of up to three
    /// characters for faces, and no others.)
    pub fn words(self, tag: &str) -> String {
        let face = match self {
            Self::Space | Self::Comfy => KAOMOJI.contains(&tag),
            Self::Kohya => tag.chars().count() <= 3,
        };
        if face { tag.to_owned() } else { tag.replace('_', " ") }
    }
}

/// Words whose brackets are meant as such, for prompts in which brackets weigh.
pub fn escape(words: &str) -> String {
    words.replace('(', "\\(").replace(')', "\\)")
}
