//! WD14 taggers (SmilingWolf's `wd-*-tagger` v2 and v3): booru tags with probabilities.
//!
//! Contract: one input `[b, side, side, 3]`, floats, BGR, 0 to 255; one output `[b, tags]`, probabilities (the sigmoid is
//! inside); `selected_tags.csv` names them in order. Ratings are one of four, the others stand on their own.

mod area;
mod labels;
mod prepare;
mod words;

use std::path::Path;

use image::RgbImage;

pub use labels::tags_beside;
pub use prepare::Manner;
pub use words::escape;

use crate::captioner::{Caption, Captioner, Tag, TagKind};
use crate::error::{Error, Result};
use crate::runtime::Device;
use crate::session::{Kind, Session, Tensor};
use labels::Label;

/// From which probability on a tag is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// Above this probability.
    Above(f32),
    /// From this probability on.
    From(f32),
    /// Above the middle of the widest gap between neighbours (MCut, Largeron et al. 2012), but not below this probability.
    WidestGap(f32),
}

/// How a tagger prepares pictures and chooses tags.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Whose way is followed.
    pub manner: Manner,
    /// For what is to be seen.
    pub general: Threshold,
    /// For characters known by name.
    pub character: Threshold,
}

impl Options {
    /// The thresholds that are usual in a manner: above 0.35 and 0.85; with kohya's scripts from 0.35 on for both.
    pub fn of(manner: Manner) -> Self {
        match manner {
            Manner::Space | Manner::Comfy => {
                Self { manner, general: Threshold::Above(0.35), character: Threshold::Above(0.85) }
            }
            Manner::Kohya => Self { manner, general: Threshold::From(0.35), character: Threshold::From(0.35) },
        }
    }

    /// The author's page with its "MCut" on: every picture has its own thresholds.
    pub fn widest_gap() -> Self {
        let (general, character) = (Threshold::WidestGap(0.0), Threshold::WidestGap(0.15));
        Self { manner: Manner::Space, general, character }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::of(Manner::Space)
    }
}

/// What a tagger saw in one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The probability of every tag, in the order of the list.
    pub probabilities: Vec<f32>,
    /// The most probable rating, if the list has ratings.
    pub rating: Option<Tag>,
    /// What is to be seen, the most probable first.
    pub general: Vec<Tag>,
    /// Characters known by name, the most probable first.
    pub character: Vec<Tag>,
    /// The chosen tags in the order of the list.
    pub in_order: Vec<Tag>,
}

/// A tagger, opened.
#[derive(Debug)]
pub struct Wd14 {
    session: Session,
    input: String,
    output: String,
    side: u32,
    labels: Vec<Label>,
    options: Options,
}

/// The side of pictures where the model doesn't say it: all v2 and v3 taggers have it.
const SIDE: usize = 448;
/// No tagger takes larger pictures.
const MAX_SIDE: usize = 2048;

impl Wd14 {
    /// Opens a tagger and its list of tags ([`tags_beside`] says where it lies by default).
    ///
    /// # Errors
    /// When one of the files is missing or damaged, is of another kind, or they don't belong together.
    pub fn open(model: &Path, tags: &Path, device: Device) -> Result<Self> {
        let labels = labels::read(tags)?;
        let session = Session::open(model, device)?;
        let other = |what: String| Error::model(model, format!("it is no WD14 tagger ({what})"));
        let ([input], [output]) = (session.inputs(), session.outputs()) else {
            return Err(other("one has one input and one output".to_owned()));
        };
        let [_, height, width, Some(3)] = input.dims[..] else {
            return Err(other(format!("its input is {:?} instead of [batch, side, side, 3]", input.dims)));
        };
        let side = height.or(width).unwrap_or(SIDE);
        if width.is_some_and(|width| width != side) || !(1..=MAX_SIDE).contains(&side) {
            return Err(other(format!("its pictures are {height:?} x {width:?}")));
        }
        if !matches!(input.kind, Kind::F32 | Kind::F16) || !matches!(output.kind, Kind::F32 | Kind::F16) {
            return Err(other("its input and output must be floats".to_owned()));
        }
        if let Some(Some(count)) = output.dims.last().filter(|count| **count != Some(labels.len())) {
            let what = format!(
                "it names {} tags, and {} has {count}; use the list that came with it",
                labels.len(),
                model.display()
            );
            return Err(Error::model(tags, what));
        }
        let (input, output) = (input.name.clone(), output.name.clone());
        Ok(Self { session, input, output, side: side as u32, labels, options: Options::default() })
    }

    /// The same tagger with other options.
    pub fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The side of the squares that the model sees, in pixels.
    pub fn side(&self) -> u32 {
        self.side
    }

    /// The tags of an upright picture.
    ///
    /// # Errors
    /// When the model fails or gives no probabilities.
    pub fn see(&mut self, picture: &RgbImage) -> Result<Seen> {
        let square = self.options.manner.prepare(picture, self.side);
        let probabilities = self.probabilities(&square)?;
        Ok(choose(&self.labels, probabilities, &self.options))
    }

    fn probabilities(&mut self, square: &RgbImage) -> Result<Vec<f32>> {
        let side = self.side as usize;
        let mut values = Vec::with_capacity(side * side * 3);
        for pixel in square.pixels() {
            values.extend(pixel.0.iter().rev().map(|value| f32::from(*value)));
        }
        let mut outputs = self.session.run(&[(&self.input, Tensor::f32(&[1, side, side, 3], values))])?;
        let output = outputs.remove(&self.output);
        let probabilities = output.as_ref().and_then(Tensor::floats).unwrap_or_default();
        if probabilities.len() != self.labels.len() {
            let what = format!("it gave {} values for {} tags", probabilities.len(), self.labels.len());
            return Err(Error::model(self.session.path(), what));
        }
        if !probabilities.iter().all(|value| (0.0..=1.0).contains(value)) {
            return Err(Error::model(self.session.path(), "it gave values that are no probabilities"));
        }
        Ok(probabilities.to_vec())
    }
}

impl Captioner for Wd14 {
    /// Characters first, then what is to be seen; in kohya's manner all in the order of the list. `None` when the model is
    /// sure of nothing.
    fn caption(&mut self, picture: &RgbImage) -> Result<Option<Caption>> {
        let seen = self.see(picture)?;
        let manner = self.options.manner;
        let chosen: Vec<&Tag> = match manner {
            Manner::Space | Manner::Comfy => seen.character.iter().chain(&seen.general).collect(),
            Manner::Kohya => seen.in_order.iter().collect(),
        };
        if chosen.is_empty() {
            return Ok(None);
        }
        let words: Vec<String> = chosen.iter().map(|tag| manner.words(&tag.name)).collect();
        let tags = seen.rating.iter().chain(chosen).cloned().collect();
        Ok(Some(Caption { text: words.join(", "), tags }))
    }
}

fn choose(labels: &[Label], probabilities: Vec<f32>, options: &Options) -> Seen {
    let of = |kind: TagKind| -> Vec<(usize, Tag)> {
        let pairs = labels.iter().zip(&probabilities).enumerate().filter(|(_, (label, _))| label.kind == Some(kind));
        let tag = |label: &Label, score: &f32| Tag { name: label.name.clone(), score: *score, kind };
        let mut tags: Vec<(usize, Tag)> = pairs.map(|(index, (label, score))| (index, tag(label, score))).collect();
        tags.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
        tags
    };
    let rating = of(TagKind::Rating).into_iter().next().map(|(_, tag)| tag);
    let general = passing(of(TagKind::General), options.general);
    let character = passing(of(TagKind::Character), options.character);
    let mut in_order: Vec<&(usize, Tag)> = general.iter().chain(&character).collect();
    in_order.sort_by_key(|(index, _)| *index);
    let in_order = in_order.into_iter().map(|(_, tag)| tag.clone()).collect();
    let tags = |pairs: Vec<(usize, Tag)>| pairs.into_iter().map(|(_, tag)| tag).collect();
    Seen { probabilities, rating, general: tags(general), character: tags(character), in_order }
}

/// Of tags in falling order, those that pass.
fn passing(mut tags: Vec<(usize, Tag)>, threshold: Threshold) -> Vec<(usize, Tag)> {
    match threshold {
        Threshold::From(least) => tags.retain(|(_, tag)| tag.score >= least),
        Threshold::Above(least) => tags.retain(|(_, tag)| tag.score > least),
        Threshold::WidestGap(least) => {
            let scores: Vec<f32> = tags.iter().map(|(_, tag)| tag.score).collect();
            let least = widest_gap(&scores).map_or(least, |middle| middle.max(least));
            tags.retain(|(_, tag)| tag.score > least);
        }
    }
    tags
}

/// The middle of the widest gap between neighbours, the first of equals; `None` for fewer than two.
fn widest_gap(scores: &[f32]) -> Option<f32> {
    let mut widest: Option<(f32, f32)> = None;
    for pair in scores.windows(2) {
        let (gap, middle) = (pair[0] - pair[1], (pair[0] + pair[1]) / 2.0);
        if widest.is_none_or(|(width, _)| gap > width) {
            widest = Some((gap, middle));
        }
    }
    widest.map(|(_, middle)| middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, kind: TagKind) -> Label {
        Label { name: name.to_owned(), kind: Some(kind) }
    }

    fn names(tags: &[Tag]) -> Vec<&str> {
        tags.iter().map(|tag| tag.name.as_str()).collect()
    }

    fn seen(options: &Options) -> Seen {
        let (rating, general, character) = (TagKind::Rating, TagKind::General, TagKind::Character);
        let mut labels = vec![label("safe", rating), label("a", general), label("b", general), label("c", general)];
        labels.extend([Label { name: "artist".to_owned(), kind: None }, label("x", character), label("y", character)]);
        choose(&labels, vec![0.2, 0.35, 0.9, 0.1, 0.99, 0.1, 0.35], options)
    }

    #[test]
    fn a_threshold_itself_passes_with_kohya_only() {
        let space = seen(&Options::of(Manner::Space));
        assert_eq!((names(&space.general), names(&space.character)), (vec!["b"], vec![]));
        let kohya = seen(&Options::of(Manner::Kohya));
        assert_eq!((names(&kohya.general), names(&kohya.character)), (vec!["b", "a"], vec!["y"]));
        assert_eq!(names(&kohya.in_order), ["a", "b", "y"]);
        assert_eq!(kohya.rating.map(|tag| tag.name).as_deref(), Some("safe"));
    }

    #[test]
    fn the_widest_gap_parts_tags_and_has_a_floor_for_characters() {
        assert_eq!(widest_gap(&[0.9, 0.8, 0.3, 0.2]), Some(0.55));
        assert_eq!(widest_gap(&[0.9]), None);
        let tags = seen(&Options::widest_gap());
        assert_eq!((names(&tags.general), names(&tags.character)), (vec!["b"], vec!["y"]));
        let low = Options { character: Threshold::WidestGap(0.4), ..Options::widest_gap() };
        assert!(seen(&low).character.is_empty());
    }
}
