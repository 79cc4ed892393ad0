//! A set of pictures, what was written about them and what was decided.

use super::{Document, Store};
use crate::Result;
use protocol::{
    CaptionOrigin, CaptionView, Captions, DatasetReport, Described, PictureChoice, PictureView, SharedPhrase, Survey,
};
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A set of pictures; its files lie in the home folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// What it is found by.
    pub id: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
    /// What was found, prompts as they lie beside the pictures.
    pub survey: Survey,
    /// Prompts in place of those, by users.
    pub captions: BTreeMap<String, Option<String>>,
    /// What captioners wrote, for pictures that nobody else wrote anything for.
    #[serde(default)]
    pub described: BTreeMap<String, Described>,
    /// What nearly all captions said when they were last described.
    #[serde(default)]
    pub shared: Vec<SharedPhrase>,
    /// What was wrong with the pictures when they were last examined.
    #[serde(default)]
    pub report: Option<DatasetReport>,
    /// What a user decided about pictures.
    #[serde(default)]
    pub choices: BTreeMap<String, PictureChoice>,
}

impl DatasetRecord {
    /// With nothing but what was found.
    pub fn new(id: String, survey: Survey) -> Self {
        Self {
            id,
            bytes: 0,
            created_at_ms: 0,
            survey,
            captions: BTreeMap::new(),
            described: BTreeMap::new(),
            shared: Vec::new(),
            report: None,
            choices: BTreeMap::new(),
        }
    }

    /// Takes over what was written and decided about pictures of another data set, for those that show the same: names and
    /// which of several copies counts may be others here.
    pub fn take_over(&mut self, mut before: Self) {
        let names: BTreeMap<&str, &str> =
            before.survey.pictures.iter().map(|picture| (picture.sha256.as_str(), picture.name.as_str())).collect();
        for picture in &self.survey.pictures {
            let Some(&name) = names.get(picture.sha256.as_str()) else { continue };
            self.captions.extend(before.captions.remove(name).map(|text| (picture.name.clone(), text)));
            self.described.extend(before.described.remove(name).map(|one| (picture.name.clone(), one)));
            self.choices.extend(before.choices.remove(name).map(|choice| (picture.name.clone(), choice)));
        }
        self.shared = before.shared;
    }

    /// The survey with the prompts in effect and what was decided.
    pub fn effective(&self) -> Survey {
        let mut survey = self.survey.clone();
        let overriding = self.overriding();
        for picture in &mut survey.pictures {
            if let Some(caption) = overriding.get(&picture.name) {
                picture.caption.clone_from(caption);
            }
            if let Some(choice) = self.choices.get(&picture.name) {
                (picture.used, picture.focus) = (choice.used, choice.focus);
            }
        }
        survey
    }

    /// The pictures that are learnt, as [`Self::effective`] has them.
    pub fn used(&self) -> Vec<PictureView> {
        self.effective().pictures.into_iter().filter(|picture| picture.used).collect()
    }

    /// Pictures that a user left out.
    pub fn left_out(&self) -> BTreeSet<String> {
        self.choices.iter().filter(|(_, choice)| !choice.used).map(|(name, _)| name.clone()).collect()
    }

    /// Where a user wants the crops: boxes of the largest square around each chosen middle, as shares of the sides, which a
    /// square crop fits exactly.
    pub fn focuses(&self) -> BTreeMap<String, [f32; 4]> {
        let boxed = |picture: &PictureView| {
            let [x, y] = self.choices.get(&picture.name)?.focus?;
            let side = picture.width.min(picture.height) as f32;
            let along = |middle: f32, length: u32| {
                let half = side / length.max(1) as f32 / 2.0;
                let middle = middle.clamp(half, 1.0 - half);
                (middle - half, middle + half)
            };
            let ((left, right), (top, bottom)) = (along(x, picture.width), along(y, picture.height));
            Some((picture.name.clone(), [left, top, right, bottom]))
        };
        self.survey.pictures.iter().filter_map(boxed).collect()
    }

    /// Prompts in place of those beside the pictures: a user's before a captioner's.
    pub fn overriding(&self) -> BTreeMap<String, Option<String>> {
        let bare = self.survey.pictures.iter().filter(|picture| picture.caption.is_none());
        let described = bare
            .filter_map(|picture| Some((picture.name.clone(), Some(self.described.get(&picture.name)?.text.clone()))));
        described.chain(self.captions.clone()).collect()
    }

    /// Every prompt with who wrote it.
    pub fn sources(&self) -> Vec<CaptionView> {
        let of = |picture: &PictureView| {
            let described = self.described.get(&picture.name).cloned();
            let (text, origin) = match (self.captions.get(&picture.name), &picture.caption, &described) {
                (Some(edited), ..) => (edited.clone(), CaptionOrigin::Edited),
                (None, Some(beside), _) => (Some(beside.clone()), CaptionOrigin::Beside),
                (None, None, Some(described)) => (Some(described.text.clone()), CaptionOrigin::Model),
                (None, None, None) => (None, CaptionOrigin::Nobody),
            };
            CaptionView { picture: picture.name.clone(), text, origin, described }
        };
        self.survey.pictures.iter().map(of).collect()
    }

    /// The prompts in effect.
    pub fn captions(&self) -> Captions {
        let pictures = self.effective().pictures.into_iter();
        Captions { captions: pictures.map(|picture| (picture.name, picture.caption)).collect() }
    }
}

impl Document for DatasetRecord {
    const TABLE: &'static str = "datasets";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Store {
    /// Removes a data set and says whether it was there; the name of a training that still needs it keeps it.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn remove_dataset(&self, id: &str) -> Result<std::result::Result<bool, String>> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        let needs = "SELECT json_extract(body, '$.request.name') FROM jobs \
                     WHERE id IN (SELECT id FROM queue) AND json_extract(body, '$.request.dataset') = ?1 LIMIT 1";
        if let Some(name) = transaction.query_row(needs, [id], |row| row.get(0)).optional()? {
            return Ok(Err(name));
        }
        let removed = transaction.execute("DELETE FROM datasets WHERE id = ?1", [id])? > 0;
        transaction.commit()?;
        Ok(Ok(removed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(choices: &[(&str, PictureChoice)]) -> DatasetRecord {
        let picture = |name: &str, width, height| PictureView {
            name: name.into(),
            width,
            height,
            caption: None,
            mask: false,
            repeats: 1,
            sha256: format!("{width}"),
            used: true,
            focus: None,
        };
        let pictures = vec![picture("wide.png", 400, 200), picture("tall.png", 100, 300)];
        let survey = Survey { pictures, skipped: Vec::new(), notes: Vec::new() };
        let choices = choices.iter().map(|(name, choice)| ((*name).to_owned(), *choice)).collect();
        DatasetRecord { choices, ..DatasetRecord::new("dataset-1".into(), survey) }
    }

    #[test]
    fn what_was_decided_follows_what_a_picture_shows() {
        let left_out = PictureChoice { used: false, focus: None };
        let mut before = record(&[("wide.png", left_out)]);
        before.captions.insert("wide.png".into(), Some("mine".into()));
        let mut now = record(&[]);
        for (place, name) in ["a/other.png", "wide.png"].into_iter().enumerate() {
            now.survey.pictures[place].name = name.into();
        }
        now.take_over(before);
        assert_eq!(now.captions.into_iter().collect::<Vec<_>>(), [("a/other.png".to_owned(), Some("mine".to_owned()))]);
        assert_eq!(now.choices.into_iter().collect::<Vec<_>>(), [("a/other.png".to_owned(), left_out)]);
    }

    #[test]
    fn a_crop_is_where_the_user_wants_it_and_inside() {
        let at = |focus| PictureChoice { used: true, focus };
        let focuses = record(&[("wide.png", at(Some([0.625, 0.1]))), ("tall.png", at(Some([0.5, 1.0])))]).focuses();
        assert_eq!(focuses["wide.png"], [0.375, 0.0, 0.875, 1.0]);
        let [left, top, right, bottom] = focuses["tall.png"];
        assert_eq!((left, right, bottom), (0.0, 1.0, 1.0));
        assert!((top - 2.0 / 3.0).abs() < 1e-6);
        assert!(record(&[("wide.png", at(None))]).focuses().is_empty());
    }

    #[test]
    fn what_is_left_out_stays_listed_and_is_not_used() {
        let record = record(&[("wide.png", PictureChoice { used: false, focus: None })]);
        assert_eq!(record.left_out().into_iter().collect::<Vec<_>>(), ["wide.png"]);
        assert_eq!(record.used().iter().map(|picture| picture.name.as_str()).collect::<Vec<_>>(), ["tall.png"]);
        assert_eq!(record.effective().pictures.len(), 2);
    }
}
