//! How a data set wants to be trained: by its name, by the `concept.toml` in it, else by the watch.

use super::listing::{SETTINGS, mode_folder};
use crate::{Error, Result};
use protocol::{Mode, Parameters, Prediction, TrainRequest, WatchRequest};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What `concept.toml` may say; all of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    name: Option<String>,
    mode: Option<Mode>,
    base: Option<String>,
    prediction: Option<Prediction>,
    install: Option<Vec<String>>,
    priority: Option<i64>,
    parameters: Parameters,
}

/// How a data set is trained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// What the concept is called.
    pub name: String,
    /// What the pictures have in common.
    pub mode: Mode,
    base: String,
    prediction: Option<Prediction>,
    parameters: Parameters,
    /// What comes after this changes no picture, so that it is no reason to train again.
    #[serde(skip)]
    install: Vec<String>,
    #[serde(skip)]
    priority: i64,
}

impl Wanted {
    /// Decides for the data set called `set`, with the text of its `concept.toml`, if it has one.
    ///
    /// # Errors
    /// What is wrong, in words for people.
    pub fn of(set: &str, archive: bool, toml: Option<&str>, watch: &WatchRequest) -> std::result::Result<Self, String> {
        let settings: Settings = match toml {
            None => Settings::default(),
            Some(text) => toml::from_str(text).map_err(|error| format!("{SETTINGS}: {}", error.to_string().trim()))?,
        };
        let (mode, name) = by_name(set, archive);
        let wanted = Self {
            name: settings.name.unwrap_or(name),
            mode: settings.mode.or(mode).unwrap_or(watch.mode),
            base: settings.base.unwrap_or_else(|| watch.base.clone()),
            prediction: settings.prediction,
            parameters: settings.parameters.over(watch.parameters.clone()),
            install: settings.install.unwrap_or_else(|| watch.install.clone()),
            priority: settings.priority.unwrap_or_default(),
        };
        if !(-1000..=1000).contains(&wanted.priority) {
            return Err(format!("{SETTINGS}: priority: choose a number from -1000 to 1000"));
        }
        concept::safe_name(&wanted.name).map_err(|error| error.to_string())?;
        Ok(wanted)
    }

    /// Changes with everything that a training depends on, beside the pictures.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn digest(&self) -> Result<String> {
        Ok(concept::hex(&Sha256::digest(serde_json::to_vec(self).map_err(Error::bug)?)))
    }

    /// Asks for the training of a data set.
    pub fn request(self, dataset: String) -> TrainRequest {
        TrainRequest {
            dataset,
            name: self.name,
            mode: Some(self.mode),
            base: self.base,
            vae: None,
            prediction: self.prediction,
            parameters: self.parameters,
            continue_from: None,
            recipe_from: None,
            priority: self.priority,
            install: self.install,
            courtesy: None,
        }
    }
}

/// Mode and name: `face_xander`, `style-ink`, `object xyz`, `style/ink`, `face/ann.zip`.
fn by_name(set: &str, archive: bool) -> (Option<Mode>, String) {
    let (folder, own) = set.rsplit_once('/').map_or((None, set), |(folder, own)| (Some(folder), own));
    let own = if archive { without_ending(own) } else { own };
    if let Some(mode) = folder.and_then(mode_folder) {
        return (Some(mode), own.to_owned());
    }
    let parts = own.split_once(['_', '-', ' ']).map(|(first, rest)| (mode_folder(first), rest.trim()));
    match parts {
        Some((Some(mode), rest)) if !rest.is_empty() => (Some(mode), rest.to_owned()),
        _ => (None, own.to_owned()),
    }
}

/// An archive's name without `.zip`, `.tar` or `.tar.gz`.
pub fn without_ending(name: &str) -> &str {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match stem.len().checked_sub(4).and_then(|end| stem.split_at_checked(end)) {
        Some((start, ending)) if ending.eq_ignore_ascii_case(".tar") && !start.is_empty() => start,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Steps;

    fn watch() -> WatchRequest {
        let request = serde_json::json!({
            "folder": "/w", "mode": "object", "base": "xl", "install": ["all"],
            "parameters": { "steps": 300, "lora_rank": 8 },
        });
        serde_json::from_value(request).expect("a request")
    }

    #[test]
    fn names_say_mode_and_name() {
        for (set, archive, mode, name) in [
            ("face_xander", false, Mode::Face, "xander"),
            ("style-ink", false, Mode::Style, "ink"),
            ("object xyz", false, Mode::Object, "xyz"),
            ("Face_Xander Berkeley", false, Mode::Face, "Xander Berkeley"),
            ("style/ink", false, Mode::Style, "ink"),
            ("style/face_ann", false, Mode::Style, "face_ann"),
            ("face/ann.tar.gz", true, Mode::Face, "ann"),
            ("style_ink.v2.zip", true, Mode::Style, "ink.v2"),
            ("faces_of_ann", false, Mode::Object, "faces_of_ann"),
            ("style_", false, Mode::Object, "style_"),
            ("fox.tar", false, Mode::Object, "fox.tar"),
            ("été", false, Mode::Object, "été"),
            ("é.zip", true, Mode::Object, "é"),
        ] {
            let wanted = Wanted::of(set, archive, None, &watch()).expect(set);
            assert_eq!((wanted.mode, wanted.name.as_str()), (mode, name), "{set}");
        }
    }

    #[test]
    fn settings_in_the_folder_count_before_its_name_and_the_watch() {
        let toml = "name = \"Ann\"\nmode = \"style\"\nbase = \"other\"\ninstall = []\n[parameters]\nsteps = 7\n";
        let request = Wanted::of("face_x", false, Some(toml), &watch()).expect("wanted").request("d".into());
        assert_eq!((request.name.as_str(), request.mode, request.base.as_str()), ("Ann", Some(Mode::Style), "other"));
        let parameters = request.parameters;
        assert_eq!((parameters.steps, parameters.lora_rank), (Some(Steps::Count(7)), Some(8)));
        assert!(request.install.is_empty());
        let plain = Wanted::of("face_x", false, Some("\u{feff}"), &watch());
        assert_eq!(plain.expect("a mark of Notepad's is nothing").name, "x");
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, part) in [
            ("colour = 1", "colour"),
            ("mode = \"faec\"", "faec"),
            ("[parameters]\nlora_rnak = 1", "lora_rnak"),
            ("[parameters]\nsteps = \"many\"", "give a number of updates"),
            ("priority = 1001", "-1000 to 1000"),
            ("name = \"../x\"", "path"),
            ("name = ", "line 1"),
        ] {
            let error = Wanted::of("fox", false, Some(toml), &watch()).expect_err(toml);
            assert!(error.contains(part), "{toml}: {error}");
        }
    }

    #[test]
    fn only_what_changes_the_result_is_a_reason_to_train_again() {
        let digest =
            |toml: &str| Wanted::of("fox", false, Some(toml), &watch()).expect(toml).digest().expect("a digest");
        let before = digest("");
        assert_eq!(before, digest("# a remark\ninstall = []\npriority = 3\n[parameters]\nsteps = 300"));
        for toml in ["mode = \"face\"", "name = \"Fox 2\"", "base = \"y\"", "[parameters]\nsteps = 301"] {
            assert_ne!(before, digest(toml), "{toml}");
        }
    }
}
