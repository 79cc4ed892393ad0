//! What a model is for, and in which form its files come.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Writes a sentence about a picture.
    Captioner,
    /// Lists what is in a picture as tags.
    Tagger,
    /// Finds faces.
    Faces,
    /// Says how alike two faces are.
    FaceLikeness,
    /// Separates the subject from its background.
    Mask,
    /// Finds what a text names.
    TextMask,
    /// Turns a picture into numbers that lie near each other for pictures that are alike.
    ImageEmbedding,
}

impl Purpose {
    /// Every purpose, in the order of listings.
    pub const ALL: [Self; 7] = [
        Self::Captioner,
        Self::Tagger,
        Self::Faces,
        Self::FaceLikeness,
        Self::Mask,
        Self::TextMask,
        Self::ImageEmbedding,
    ];

    /// The name in records and on command lines, such as `face-likeness`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Captioner => "captioner",
            Self::Tagger => "tagger",
            Self::Faces => "faces",
            Self::FaceLikeness => "face-likeness",
            Self::Mask => "mask",
            Self::TextMask => "text-mask",
            Self::ImageEmbedding => "image-embedding",
        }
    }

    /// The forms that serve this purpose, best first: what is asked for when several models are installed.
    pub fn forms(self) -> &'static [Form] {
        match self {
            Self::Captioner => &[Form::Florence2, Form::Blip],
            Self::Tagger => &[Form::Wd14],
            Self::Faces => &[Form::YuNet, Form::CenterFace],
            Self::FaceLikeness => &[Form::SFace],
            Self::Mask => &[Form::BiRefNet, Form::IsNet, Form::U2Net],
            Self::TextMask => &[Form::ClipSeg],
            Self::ImageEmbedding => &[Form::Clip, Form::DinoV2],
        }
    }
}

/// A family of models with one contract: the same files, inputs and outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Florence-2 as the four graphs of the onnx-community exports.
    Florence2,
    /// A WD14 tagger: one graph and its list of tags.
    Wd14,
    /// BLIP for captions, as safetensors.
    Blip,
    /// The YuNet face detector.
    YuNet,
    /// The CenterFace face detector.
    CenterFace,
    /// The SFace face embedder.
    SFace,
    /// U²-Net and U²-Net-p.
    U2Net,
    /// IS-Net for general use.
    IsNet,
    /// BiRefNet.
    BiRefNet,
    /// CLIPSeg with its tokenizer.
    ClipSeg,
    /// CLIP, as safetensors.
    Clip,
    /// DINOv2, as safetensors.
    DinoV2,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 12] = [
        Self::Florence2,
        Self::Wd14,
        Self::Blip,
        Self::YuNet,
        Self::CenterFace,
        Self::SFace,
        Self::U2Net,
        Self::IsNet,
        Self::BiRefNet,
        Self::ClipSeg,
        Self::Clip,
        Self::DinoV2,
    ];

    /// The name in records and on command lines, such as `wd14`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Florence2 => "florence2",
            Self::Wd14 => "wd14",
            Self::Blip => "blip",
            Self::YuNet => "yunet",
            Self::CenterFace => "centerface",
            Self::SFace => "sface",
            Self::U2Net => "u2net",
            Self::IsNet => "isnet",
            Self::BiRefNet => "birefnet",
            Self::ClipSeg => "clipseg",
            Self::Clip => "clip",
            Self::DinoV2 => "dinov2",
        }
    }

    /// What models of this form are for.
    pub fn purpose(self) -> Purpose {
        match self {
            Self::Florence2 | Self::Blip => Purpose::Captioner,
            Self::Wd14 => Purpose::Tagger,
            Self::YuNet | Self::CenterFace => Purpose::Faces,
            Self::SFace => Purpose::FaceLikeness,
            Self::U2Net | Self::IsNet | Self::BiRefNet => Purpose::Mask,
            Self::ClipSeg => Purpose::TextMask,
            Self::Clip | Self::DinoV2 => Purpose::ImageEmbedding,
        }
    }

    /// The files that make up a model of this form, by the names they have in the usual repositories. A form of one file calls
    /// it `model.onnx`, whatever its name on the disk.
    pub fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Florence2 => &[
                "onnx/vision_encoder.onnx",
                "onnx/embed_tokens.onnx",
                "onnx/encoder_model.onnx",
                "onnx/decoder_model_merged.onnx",
                "tokenizer.json",
            ],
            Self::Wd14 => &["model.onnx", "selected_tags.csv"],
            Self::Blip | Self::Clip => &["model.safetensors", "config.json", "tokenizer.json"],
            Self::DinoV2 => &["model.safetensors", "config.json"],
            Self::ClipSeg => &["onnx/model.onnx", "tokenizer.json"],
            Self::YuNet | Self::CenterFace | Self::SFace | Self::U2Net | Self::IsNet | Self::BiRefNet => {
                &["model.onnx"]
            }
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Purpose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == text).ok_or_else(|| {
            format!("`{text}` is no purpose of a model; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|form| form.name() == text).ok_or_else(|| {
            format!("`{text}` is no form of a model; there are {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_serves_its_purpose_and_keeps_its_name() {
        for form in Form::ALL {
            assert!(form.purpose().forms().contains(&form), "{form} is not offered for {}", form.purpose());
            assert_eq!(form.name().parse::<Form>(), Ok(form));
            let json = serde_json::to_string(&form).expect("serialises");
            assert_eq!(json, format!("\"{form}\""));
            assert!(!form.parts().is_empty());
        }
        for purpose in Purpose::ALL {
            assert_eq!(purpose.name().parse::<Purpose>(), Ok(purpose));
            assert_eq!(serde_json::to_string(&purpose).expect("serialises"), format!("\"{purpose}\""));
            assert!(purpose.forms().iter().all(|form| form.purpose() == purpose));
        }
        assert!("gpt".parse::<Form>().is_err_and(|message| message.contains("florence2")));
    }
}
