//! What kind of thing a concept is, and what follows from that.

use serde::{Deserialize, Serialize};

/// What the pictures have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One person's face: never mirrored, since faces are not symmetric.
    Face,
    /// One thing or creature.
    Object,
    /// A way of drawing.
    Style,
}

impl Mode {
    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::Object => "object",
            Self::Style => "style",
        }
    }

    /// The prompt of a picture that has none.
    pub fn bare_prompt(self) -> &'static str {
        match self {
            Self::Face | Self::Object => "a photo of <concept>",
            Self::Style => "a picture in the style of <concept>",
        }
    }

    /// A prompt that names the concept, from one that may not.
    pub fn with_concept(self, prompt: &str) -> String {
        match (prompt.contains("<concept>"), self) {
            (true, _) => prompt.to_owned(),
            (false, Self::Style) => format!("{prompt}, in the style of <concept>"),
            (false, _) => format!("<concept>, {prompt}"),
        }
    }

    /// Prompts of the pictures that are drawn along the way.
    pub fn sample_prompts(self) -> &'static [&'static str] {
        match self {
            Self::Face => &[
                "a photo of <concept> as an astronaut",
                "an oil painting of <concept>",
                "a photo of <concept> on a beach at sunset",
                "a pencil sketch of <concept>",
            ],
            Self::Object => &[
                "a photo of <concept> on a beach",
                "a photo of <concept> on a red background",
                "a photo of <concept> in the snow",
                "a painting of <concept>",
            ],
            Self::Style => &[
                "a castle in the style of <concept>",
                "a cat in the style of <concept>",
                "a portrait of a woman in the style of <concept>",
                "a city street in the style of <concept>",
            ],
        }
    }

    /// Updates that this kind of concept wants from `pictures` pictures: Eden's 300 for a face or an object; a style has
    /// more to learn the more pictures show it.
    pub fn steps(self, pictures: usize) -> u64 {
        match self {
            Self::Face | Self::Object => 300,
            Self::Style => (300 + 10 * pictures as u64).min(1500),
        }
    }
}
