//! Florence-2 (Xiao et al. 2023, arXiv 2311.06242): a picture and a task in, a caption out.
//!
//! It runs the four ONNX models of the onnx-community exports: `vision_encoder` (768 x 768 pixels to 577 vectors),
//! `embed_tokens`, `encoder_model` (image vectors, then those of the prompt) and `decoder_model_merged` (with its cache).

mod config;
mod decoder;
mod parts;
mod prepare;
mod search;
#[cfg(test)]
mod stages;
mod text;

use std::path::Path;

use image::RgbImage;

use crate::captioner::{Caption, Captioner};
use crate::error::{Error, Result};
use crate::runtime::Device;
use crate::session::Tensor;
use config::Generation;
use decoder::Decoder;
use parts::Parts;
pub use search::{EarlyStopping, Rules};
use text::Text;

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Task {
    /// `<CAPTION>`: one short sentence.
    Caption,
    /// `<DETAILED_CAPTION>`: two or three sentences. The default, since the longer ones often pass 75 tokens.
    #[default]
    Detailed,
    /// `<MORE_DETAILED_CAPTION>`: a paragraph.
    MoreDetailed,
}

impl Task {
    /// All tasks with the names that the model's authors gave them.
    pub const ALL: [(&'static str, Self); 3] = [
        ("<CAPTION>", Self::Caption),
        ("<DETAILED_CAPTION>", Self::Detailed),
        ("<MORE_DETAILED_CAPTION>", Self::MoreDetailed),
    ];

    /// The task of a name, with or without its angle brackets.
    pub fn named(name: &str) -> Option<Self> {
        let bare = |name: &str| name.trim_matches(['<', '>']).to_ascii_uppercase();
        Self::ALL.into_iter().find(|(known, _)| bare(known) == bare(name)).map(|(_, task)| task)
    }

    /// The question that the model was trained to answer.
    fn prompt(self) -> &'static str {
        match self {
            Self::Caption => "What does the image describe?",
            Self::Detailed => "Describe in detail what is shown in the image.",
            Self::MoreDetailed => "Describe with a paragraph what is shown in the image.",
        }
    }
}

/// How a caption is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What is asked.
    pub task: Task,
    /// How many captions are followed at once: 1 is greedy and fast, 3 is what the authors use.
    pub beams: usize,
    /// The most tokens that a caption may have; it ends there in mid-sentence.
    pub max_tokens: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { task: Task::default(), beams: 1, max_tokens: 256 }
    }
}

/// What the model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// All tokens from the start token to the end token.
    pub ids: Vec<i64>,
    /// The words, without special tokens.
    pub text: String,
    /// With beams: the mean log probability of the tokens, by which the best was chosen.
    pub score: Option<f32>,
}

/// The positions that the language model has.
const MAX_TOKENS: usize = 1023;
/// More beams help nobody.
const MAX_BEAMS: usize = 16;

/// A model, opened.
pub struct Florence2 {
    parts: Parts,
    text: Text,
    generation: Generation,
    options: Options,
    cancelled: Box<dyn Fn() -> bool + Send>,
}

impl std::fmt::Debug for Florence2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Florence2").field("parts", &self.parts).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Florence2 {
    /// Opens the export in `folder`: `tokenizer.json`, and the four models there or in its folder `onnx`.
    ///
    /// # Errors
    /// When a file is missing, damaged or of another kind.
    pub fn open(folder: &Path, device: Device) -> Result<Self> {
        let text = Text::open(&folder.join("tokenizer.json"))?;
        let generation = Generation::read(&folder.join("generation_config.json"))?;
        let parts = Parts::open(folder, device)?;
        Ok(Self { parts, text, generation, options: Options::default(), cancelled: Box::new(|| false) })
    }

    /// The same model with other options.
    pub fn with(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The same model, which stops between two tokens once `cancelled` says so.
    pub fn until(mut self, cancelled: impl Fn() -> bool + Send + 'static) -> Self {
        self.cancelled = Box::new(cancelled);
        self
    }

    /// The rules by which the model's authors choose tokens, for these options.
    pub fn rules(&self, options: &Options) -> Rules {
        self.generation.rules(options.beams.clamp(1, MAX_BEAMS), options.max_tokens.clamp(1, MAX_TOKENS))
    }

    /// The caption of an upright picture.
    ///
    /// # Errors
    /// When a part of the model fails, or the caller wants it to stop.
    pub fn describe(&mut self, picture: &RgbImage, options: &Options) -> Result<Description> {
        let rules = self.rules(options);
        self.describe_by(picture, options.task, &rules)
    }

    /// The caption of an upright picture by rules of one's own.
    ///
    /// # Errors
    /// As [`Self::describe`].
    pub fn describe_by(&mut self, picture: &RgbImage, task: Task, rules: &Rules) -> Result<Description> {
        let question = self.text.ids(task.prompt())?;
        let hidden = self.encode(picture, &question)?;
        let mut decoder = Decoder::new(&mut self.parts.decoder, &mut self.parts.embed, &hidden, rules.beams)?;
        let cancelled = &self.cancelled;
        let mut next = |parents: &[usize], tokens: &[i64]| {
            if cancelled() {
                return Err(Error::Cancelled);
            }
            decoder.next(parents, tokens)
        };
        let (ids, score) = search::search(rules, &mut next)?;
        let text = self.text.words(&ids)?;
        Ok(Description { ids, text, score })
    }

    /// What the encoder makes of a picture and a question, `[1, image tokens + question, width]`.
    fn encode(&mut self, picture: &RgbImage, question: &[i64]) -> Result<Tensor> {
        if (self.cancelled)() {
            return Err(Error::Cancelled);
        }
        let pixels = prepare::pixels(picture, self.parts.side);
        let image = self.parts.see(pixels)?;
        let words = self.parts.embed(question)?;
        self.parts.encode(image, words)
    }
}

impl Captioner for Florence2 {
    fn caption(&mut self, picture: &RgbImage) -> Result<Option<Caption>> {
        let options = self.options;
        let text = self.describe(picture, &options)?.text;
        Ok((!text.is_empty()).then(|| Caption { text, tags: Vec::new() }))
    }
}
