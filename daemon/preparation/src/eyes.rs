//! Which installed models look at the pictures, and opening them.

use crate::{Error, Result};
use candle_core::Device as CandleDevice;
use caption::Form as Words;
use image::{GrayImage, RgbImage};
use models::{Form, Installed, Listed, Purpose, Store, Want};
use protocol::{EndpointTask, Eyes};
use std::path::Path;
use vision::{
    Captioner,
    blip::Blip,
    endpoint::{Endpoint, EndpointCaptioner},
    faces::{CenterFace, FaceDetector, Yunet},
    florence2::Florence2,
    likeness::{ClipImage, Dinov2, Embedder},
    masks::{Salience, Segmenter, TextSegmenter},
    runtime::{self, Device},
    wd14::Wd14,
};

/// What a captioner is called that is a server, not a model.
pub(crate) const ENDPOINT: &str = "endpoint";

/// What is to be looked for.
pub(crate) struct Wanted<'a> {
    /// Captions, by this captioner or by the best (`auto`).
    pub captioner: Option<&'a str>,
    /// Whether the best is a tagger.
    pub tags: bool,
    /// Faces.
    pub faces: bool,
    /// The subject.
    pub subject: bool,
    /// What the subject is, in a word.
    pub class_word: Option<&'a str>,
    /// How alike pictures are.
    pub embedding: bool,
}

/// Finds what a word names.
struct Named {
    eye: TextSegmenter,
    what: String,
}

impl Segmenter for Named {
    fn mask(&mut self, picture: &RgbImage) -> vision::Result<GrayImage> {
        self.eye.mask(picture, &self.what)
    }
}

/// Someone who describes pictures.
pub(crate) struct Describer {
    /// The captioner's id.
    pub by: String,
    /// Whether it writes sentences or tags.
    pub words: Words,
    /// Itself.
    pub eye: Box<dyn Captioner>,
    /// Pictures in a row that it could not describe.
    pub failures: u32,
}

impl Describer {
    fn new(by: impl Into<String>, words: Words, eye: Box<dyn Captioner>) -> Self {
        Self { by: by.into(), words, eye, failures: 0 }
    }
}

/// The models that are open.
#[derive(Default)]
pub(crate) struct Opened {
    /// The first describes; the next stands in where it cannot.
    pub describers: Vec<Describer>,
    pub faces: Option<Box<dyn FaceDetector>>,
    pub subject: Option<Box<dyn Segmenter>>,
    pub embedder: Option<Box<dyn Embedder>>,
    /// What could not be opened, and why.
    pub notes: Vec<String>,
}

impl Opened {
    /// Opens what is wanted and installed. What was not named and cannot be used is left out with a note.
    pub fn open(eyes: &Eyes, wanted: &Wanted, cancelled: impl Fn() -> bool + Send + Clone + 'static) -> Result<Self> {
        let store = Store::open(&eyes.models);
        let mut opened = Self::default();
        let mut lens = Lens::new(eyes);
        if let Some(captioner) = wanted.captioner {
            let auto = captioner == "auto";
            match opened.captioner(&store, &mut lens, (captioner, wanted.tags), cancelled) {
                Err(error) if auto => opened.notes.push(format!("nobody describes the pictures: {error}")),
                result => result?,
            }
        }
        let mut try_open =
            |purpose: Purpose, notes: &mut Vec<String>, open: &mut dyn FnMut(&Installed, &mut Lens) -> Result<()>| {
                let found = store.resolve(Want::Purpose(purpose)).map_err(Error::from);
                let result = found.and_then(|model| model.map_or(Ok(()), |model| open(&model, &mut lens)));
                if let Err(error) = result {
                    notes.push(format!("no {purpose} model can be used: {error}"));
                }
            };
        let Self { faces, subject, embedder, notes, .. } = &mut opened;
        if wanted.faces {
            try_open(Purpose::Faces, notes, &mut |model, lens| {
                *faces = Some(detector(model, lens)?);
                Ok(())
            });
        }
        if wanted.subject {
            try_open(Purpose::Mask, notes, &mut |model, lens| {
                let path = main(model)?;
                *subject = Some(Box::new(lens.open(|device| Salience::open(path, device))?));
                Ok(())
            });
        }
        if let (true, None, Some(what)) = (wanted.subject, &subject, wanted.class_word) {
            try_open(Purpose::TextMask, notes, &mut |model, lens| {
                let folder = folder(model)?;
                let eye = lens.open(|device| TextSegmenter::open(folder, device))?;
                *subject = Some(Box::new(Named { eye, what: what.to_owned() }));
                Ok(())
            });
        }
        if wanted.embedding {
            try_open(Purpose::ImageEmbedding, notes, &mut |model, _| {
                let folder = folder(model)?;
                *embedder = Some(match model.form {
                    Form::DinoV2 => Box::new(Dinov2::open(folder, &CandleDevice::Cpu)?),
                    _ => Box::new(ClipImage::open(folder, &CandleDevice::Cpu)?),
                });
                Ok(())
            });
        }
        opened.notes.append(&mut lens.notes);
        Ok(opened)
    }

    fn captioner(
        &mut self,
        store: &Store,
        lens: &mut Lens,
        (wanted, tags): (&str, bool),
        cancelled: impl Fn() -> bool + Send + 'static,
    ) -> Result<()> {
        let auto = wanted == "auto";
        // Who set up a server wants it asked; what is installed stands in for it.
        if let Some(endpoint) = lens.eyes.endpoint.as_ref().filter(|_| auto || wanted == ENDPOINT) {
            let eye = Box::new(EndpointCaptioner::new(connect(endpoint)?));
            self.describers.push(Describer::new(ENDPOINT, Words::Prose, eye));
        }
        let auto = auto || !self.describers.is_empty();
        let model = match auto {
            true => {
                let (first, second) = match tags {
                    true => (Purpose::Tagger, Purpose::Captioner),
                    false => (Purpose::Captioner, Purpose::Tagger),
                };
                match store.resolve(Want::Purpose(first))? {
                    Some(model) => Some(model),
                    None => store.resolve(Want::Purpose(second))?,
                }
            }
            false => store.resolve(Want::Id(wanted))?,
        };
        let Some(model) = model else {
            return if auto { Ok(()) } else { Err(no_such(store, lens.eyes, wanted)) };
        };
        let eye: Box<dyn Captioner> = match model.form {
            Form::Florence2 => {
                let folder = folder(&model)?;
                Box::new(lens.open(|device| Florence2::open(folder, device))?.until(cancelled))
            }
            Form::Blip => Box::new(Blip::open(folder(&model)?, &CandleDevice::Cpu)?),
            Form::Wd14 => {
                let tags = model.part("selected_tags.csv").unwrap_or(Path::new("selected_tags.csv"));
                let path = main(&model)?;
                Box::new(lens.open(|device| Wd14::open(path, tags, device))?)
            }
            _ => return Err(no_such(store, lens.eyes, wanted)),
        };
        let words = if model.form == Form::Wd14 { Words::Tags } else { Words::Prose };
        self.describers.push(Describer::new(model.id, words, eye));
        Ok(())
    }
}

/// A server as it is set up.
pub(crate) fn connect(task: &EndpointTask) -> Result<Endpoint> {
    let endpoint = Endpoint::new(&task.url, &task.model)?;
    Ok(match &task.key {
        Some(key) => endpoint.with_api_key(key)?,
        None => endpoint,
    })
}

/// A face detector.
pub(crate) fn detector(model: &Installed, lens: &mut Lens) -> Result<Box<dyn FaceDetector>> {
    let path = main(model)?;
    Ok(match model.form {
        Form::CenterFace => Box::new(lens.open(|device| CenterFace::open(path, device))?),
        _ => Box::new(lens.open(|device| Yunet::open(path, device))?),
    })
}

/// Whether nothing is installed that could look at a picture.
pub(crate) fn is_blind(eyes: &Eyes) -> bool {
    let none = Store::open(&eyes.models).list().is_ok_and(|models| models.is_empty());
    none && eyes.endpoint.is_none()
}

/// ONNX Runtime, loaded when the first model needs it.
pub(crate) struct Lens<'a> {
    eyes: &'a Eyes,
    device: Option<Device>,
    /// Why models do not run where they should.
    pub notes: Vec<String>,
}

impl<'a> Lens<'a> {
    /// Not loaded yet.
    pub fn new(eyes: &'a Eyes) -> Self {
        Self { eyes, device: None, notes: Vec::new() }
    }

    /// Opens a model on the card, if the library can use one; where that fails, on the processor, and says why.
    pub fn open<T>(&mut self, open: impl Fn(Device) -> vision::Result<T>) -> Result<T> {
        match open(self.device()?) {
            Err(error @ vision::Error::Provider { .. }) if self.device == Some(Device::Cuda) => {
                self.notes.push(format!("models run on the processor: {error}"));
                self.device = Some(Device::Cpu);
                Ok(open(Device::Cpu)?)
            }
            result => Ok(result?),
        }
    }

    /// Where models run: on the card if the library found can use one, as its files beside it say.
    fn device(&mut self) -> Result<Device> {
        if let Some(device) = self.device {
            return Ok(device);
        }
        let library = runtime::find(&self.eyes.onnxruntime);
        let library = library.ok_or_else(|| vision::Error::LibraryMissing { what: "it was not found".into() })?;
        runtime::open(&library)?;
        let beside = library.parent().and_then(|folder| folder.read_dir().ok()).into_iter().flatten();
        let names = beside.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let cuda = names.into_iter().any(|name| name.contains("providers_cuda"));
        Ok(*self.device.insert(if cuda { Device::Cuda } else { Device::Cpu }))
    }
}

pub(crate) fn main(model: &Installed) -> Result<&Path> {
    model.model().ok_or_else(|| incomplete(model))
}

pub(crate) fn folder(model: &Installed) -> Result<&Path> {
    model.path().ok_or_else(|| incomplete(model))
}

fn incomplete(model: &Installed) -> Error {
    let what = format!("files of {} are missing; remove it and add it again", model.id);
    vision::Error::Model { path: model.id.clone().into(), what }.into()
}

fn no_such(store: &Store, eyes: &Eyes, wanted: &str) -> Error {
    let describes = |model: &Installed| matches!(model.form.purpose(), Purpose::Captioner | Purpose::Tagger);
    let models = store.list().unwrap_or_default().into_iter().filter_map(|listed| match listed {
        Listed::Ready(model) => describes(&model).then_some(model.id),
        Listed::Broken { .. } => None,
    });
    let server = eyes.endpoint.iter().map(|_| ENDPOINT.to_owned());
    let installed: Vec<String> = models.chain(server).collect();
    let installed = if installed.is_empty() { "none".to_owned() } else { installed.join(", ") };
    Error::NoSuchCaptioner { wanted: wanted.to_owned(), installed }
}
