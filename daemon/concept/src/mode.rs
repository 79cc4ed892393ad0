//! What follows from what a concept is of.

use protocol::Mode;

/// The prompt of a picture that has none.
pub(crate) fn bare_prompt(mode: Mode) -> &'static str {
    match mode {
        Mode::Face | Mode::Object => "a photo of <concept>",
        Mode::Style => "a picture in the style of <concept>",
    }
}

/// A prompt that names the concept, from one that may not.
pub(crate) fn with_concept(mode: Mode, prompt: &str) -> String {
    match (prompt.contains("<concept>"), mode) {
        (true, _) => prompt.to_owned(),
        (false, Mode::Style) => format!("{prompt}, in the style of <concept>"),
        (false, _) => format!("<concept>, {prompt}"),
    }
}

/// Prompts of the pictures that are drawn along the way.
pub(crate) fn sample_prompts(mode: Mode) -> &'static [&'static str] {
    match mode {
        Mode::Face => &[
            "a photo of <concept> as an astronaut",
            "an oil painting of <concept>",
            "a photo of <concept> on a beach at sunset",
            "a pencil sketch of <concept>",
        ],
        Mode::Object => &[
            "a photo of <concept> on a beach",
            "a photo of <concept> on a red background",
            "a photo of <concept> in the snow",
            "a painting of <concept>",
        ],
        Mode::Style => &[
            "a castle in the style of <concept>",
            "a cat in the style of <concept>",
            "a portrait of a woman in the style of <concept>",
            "a city street in the style of <concept>",
        ],
    }
}

/// Updates that this kind of concept wants from `pictures` pictures: Eden's 300 for a face or an object; a style has
/// more to learn the more pictures show it.
pub(crate) fn steps(mode: Mode, pictures: usize) -> u64 {
    match mode {
        Mode::Face | Mode::Object => 300,
        Mode::Style => (300 + 10 * pictures as u64).min(1500),
    }
}
