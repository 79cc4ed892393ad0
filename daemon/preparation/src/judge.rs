//! Whoever compares drawn pictures with those that were learnt, and with their prompts.

use crate::{
    Result,
    eyes::{Lens, detector, folder, main},
};
use candle_core::Device;
use dataset::Options;
use image::RgbImage;
use models::{Form, Purpose, Store, Want};
use protocol::{Mode, TrainTask};
use vision::{
    faces::{FaceDetector, FaceEmbedder, cosine},
    likeness::{ClipScorer, Dinov2, Embedder},
};

/// Pictures that a concept is compared with, at most.
const COMPARED: usize = 32;

/// Looks at drawn pictures.
pub struct Judge {
    faces: Option<(Box<dyn FaceDetector>, FaceEmbedder)>,
    pictures: Option<Box<dyn Embedder>>,
    prompts: Option<ClipScorer>,
    /// The mean of what was learnt from, of length 1.
    concept: Vec<f32>,
    mode: Mode,
    class_word: Option<String>,
}

impl Judge {
    /// Opens what is installed for it, and looks at the pictures of a training; `None` if nothing is.
    ///
    /// # Errors
    /// If a model or a picture cannot be read.
    pub fn of(task: &TrainTask) -> Result<Option<Self>> {
        let store = Store::open(&task.eyes.models);
        let resolve = |purpose| store.resolve(Want::Purpose(purpose));
        let mut lens = Lens::new(&task.eyes);
        let (mut faces, mut pictures, mut prompts) = (None, None, None);
        if task.mode == Mode::Face
            && let (Some(finder), Some(embedder)) = (resolve(Purpose::Faces)?, resolve(Purpose::FaceLikeness)?)
        {
            let path = main(&embedder)?;
            let embedder = lens.open(|device| FaceEmbedder::open(path, device))?;
            faces = Some((detector(&finder, &mut lens)?, embedder));
        }
        if let Some(model) = store.resolve(Want::Form(Form::Clip))? {
            prompts = Some(ClipScorer::open(folder(&model)?, &Device::Cpu)?);
        }
        if let Some(model) = store.resolve(Want::Form(Form::DinoV2))? {
            pictures = Some(Box::new(Dinov2::open(folder(&model)?, &Device::Cpu)?) as Box<dyn Embedder>);
        }
        if faces.is_none() && pictures.is_none() && prompts.is_none() {
            return Ok(None);
        }
        let class_word = task.parameters.class_word.clone();
        let mut judge = Self { faces, pictures, prompts, concept: Vec::new(), mode: task.mode, class_word };
        judge.concept = judge.look_at_concept(task)?;
        Ok(Some(judge))
    }

    fn look_at_concept(&mut self, task: &TrainTask) -> Result<Vec<f32>> {
        let (mut sum, mut seen) = (Vec::new(), 0);
        dataset::scan::<crate::Error>(
            &task.pictures,
            &Options::new(0, dataset::Crop::Center),
            &task.captions,
            &mut |photo| {
                if seen < COMPARED
                    && let Some(numbers) = self.numbers(&photo.image)
                {
                    sum.resize(numbers.len(), 0.0);
                    sum.iter_mut().zip(&numbers).for_each(|(sum, number)| *sum += number);
                    seen += 1;
                }
                Ok(())
            },
        )?;
        let length = sum.iter().map(|x: &f32| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            sum.iter_mut().for_each(|x| *x /= length);
        }
        Ok(sum)
    }

    /// What a picture is compared by: its largest face in face mode, else all of it.
    fn numbers(&mut self, picture: &RgbImage) -> Option<Vec<f32>> {
        if let Some((detector, embedder)) = &mut self.faces {
            let faces = detector.faces(picture).ok()?;
            let face = faces.iter().max_by(|a, b| (a.width * a.height).total_cmp(&(b.width * b.height)))?;
            return embedder.embed(picture, face).ok();
        }
        match (&mut self.pictures, &mut self.prompts) {
            (Some(embedder), _) => embedder.embed(picture).ok(),
            (None, Some(scorer)) => scorer.image(picture).ok(),
            (None, None) => None,
        }
    }

    /// How much a picture shows the concept: the cosine between it and the mean of what was learnt from.
    pub fn likeness(&mut self, picture: &RgbImage) -> Option<f64> {
        let numbers = self.numbers(picture)?;
        (numbers.len() == self.concept.len()).then(|| f64::from(cosine(&numbers, &self.concept)))
    }

    /// How much a picture shows what its prompt says: CLIP's cosine, the concept called by what it is, since CLIP does not
    /// know its name.
    pub fn obedience(&mut self, picture: &RgbImage, prompt: &str) -> Option<f64> {
        let stand_in = match (self.mode, &self.class_word) {
            (_, Some(word)) => format!("a {word}"),
            (Mode::Face, None) => "a person".into(),
            (Mode::Object, None) => "an object".into(),
            (Mode::Style, None) => String::new(),
        };
        let prompt = match self.mode {
            Mode::Style => prompt.replace("in the style of <concept>", ""),
            _ => prompt.replace("<concept>", &stand_in),
        };
        let score = self.prompts.as_mut()?.score(picture, prompt.trim().trim_end_matches(',')).ok()?;
        Some(f64::from(score))
    }
}
