//! Families of base models: how their prompts are written.

use crate::Form;
use serde::{Deserialize, Serialize};

/// What a base model was trained to be asked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Photographs and pictures of all kinds, asked for in sentences: Stable Diffusion itself and its photographic
    /// descendants.
    Photo,
    /// Pony Diffusion: tags, and scores.
    Pony,
    /// Illustrious and NoobAI: Danbooru's tags.
    Illustrious,
    /// Nothing tells.
    #[default]
    Unknown,
}

impl Family {
    /// By the file's name and the title in its metadata.
    pub fn of(file_name: &str, title: Option<&str>) -> Self {
        const FAMILIES: &[(&str, Family)] = &[
            ("pony", Family::Pony),
            ("autismmix", Family::Pony),
            ("illustrious", Family::Illustrious),
            ("noobai", Family::Illustrious),
            ("noob ai", Family::Illustrious),
            ("waiilu", Family::Illustrious),
            ("wai nsfw", Family::Illustrious),
            ("animagine", Family::Illustrious),
            ("realis", Family::Photo),
            ("realvis", Family::Photo),
            ("photo", Family::Photo),
            ("juggernaut", Family::Photo),
            ("epicrealism", Family::Photo),
            ("sd xl base", Family::Photo),
            ("stable diffusion", Family::Photo),
            ("v1 5", Family::Photo),
        ];
        let told =
            [Some(file_name), title].into_iter().flatten().map(|text| text.to_lowercase().replace(['_', '-'], " "));
        for text in told {
            let short = |word: &str| matches!(word, "il" | "ilxl" | "ill");
            if let Some((_, family)) = FAMILIES.iter().find(|(sign, _)| text.contains(sign)) {
                return *family;
            } else if text.split(|c: char| !c.is_alphanumeric()).any(short) {
                return Self::Illustrious;
            }
        }
        Self::Unknown
    }

    /// How its prompts are written.
    pub fn form(self) -> Form {
        match self {
            Self::Photo | Self::Unknown => Form::Prose,
            Self::Pony | Self::Illustrious => Form::Tags,
        }
    }

    /// What its users put in front of every prompt. For previews: in training captions it would be bound to the
    /// concept.
    pub fn quality(self) -> &'static str {
        match self {
            Self::Photo | Self::Unknown => "",
            Self::Pony => "score_9, score_8_up, score_7_up",
            Self::Illustrious => "masterpiece, best quality",
        }
    }

    /// What its users keep out of previews.
    pub fn negative(self) -> &'static str {
        match self {
            Self::Photo | Self::Unknown => "blurry, deformed, watermark, text",
            Self::Pony => "score_4, score_5, score_6, watermark, signature, text",
            Self::Illustrious => "worst quality, low quality, bad anatomy, watermark, signature, text",
        }
    }

    /// A prompt for a preview, with the family's quality tags in front.
    pub fn preview(self, prompt: &str) -> String {
        match self.quality() {
            "" => prompt.to_owned(),
            quality => format!("{quality}, {prompt}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_names_and_titles() {
        for (file, title, family) in [
            ("ponyDiffusionV6XL.safetensors", None, Family::Pony),
            ("Illustrious-XL-v1.0.safetensors", None, Family::Illustrious),
            ("NoobAI-XL-Vpred.safetensors", None, Family::Illustrious),
            ("waiIL_v140.safetensors", Some("WAI-NSFW-illustrious"), Family::Illustrious),
            ("my_merge_IL.safetensors", None, Family::Illustrious),
            ("sd_xl_base_1.0.safetensors", None, Family::Photo),
            ("RealVisXL_V5.safetensors", None, Family::Photo),
            ("v1-5-pruned-emaonly.safetensors", None, Family::Photo),
            ("illness.safetensors", None, Family::Unknown),
            ("merge.safetensors", Some("A pony merge"), Family::Pony),
        ] {
            assert_eq!(Family::of(file, title), family, "{file}");
        }
    }

    #[test]
    fn quality_is_for_previews() {
        assert_eq!(Family::Photo.preview("a photo of <concept>"), "a photo of <concept>");
        assert_eq!(Family::Illustrious.preview("<concept>"), "masterpiece, best quality, <concept>");
        assert_eq!(Family::Pony.form(), Form::Tags);
    }
}
