//! One picture: what models see in it, what is wrong with it, what is said of it, which part counts.

use crate::{
    Error, Result,
    eyes::{Describer, Opened},
    mode_of, options,
};
use dataset::{Crop, Photo};
use diffusion::tokenizer::Tokenizer;
use examiner::{Examiner, FaceBox, PictureRecord, Preview, Seen};
use image::{GrayImage, RgbImage};
use protocol::{Described, MaskName, Mode, PrepareTask};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Pictures in a row after which a captioner is asked no more.
const FAILURES: u32 = 3;

/// What is kept of a picture.
pub(crate) struct Sight {
    pub name: String,
    pub record: PictureRecord,
    /// As it will be learnt, if anybody said anything.
    pub caption: Option<String>,
    pub described: Option<Described>,
    pub mask: Option<PathBuf>,
    pub focus: Option<[f32; 4]>,
    pub preview: Option<Preview>,
    pub notes: Vec<String>,
}

/// What every picture is looked at with.
pub(crate) struct Lookout<'a> {
    pub task: &'a PrepareTask,
    pub examiner: Examiner,
    pub tokenizer: Tokenizer,
    /// One picture at a time goes through models; ONNX Runtime has threads of its own.
    pub eyes: Mutex<Opened>,
    /// Where masks go.
    pub masks: Option<PathBuf>,
}

impl Lookout<'_> {
    /// Looks at a picture. `shown` says whether it has a place in the preview.
    ///
    /// # Errors
    /// If the disk refuses, or a model says that it was cancelled. What a model cannot do with one picture is a note.
    pub fn look(&self, mut photo: Photo, shown: bool) -> Result<Sight> {
        let mut notes = Vec::new();
        let mut note = |what: &str, error: vision::Error| match error {
            vision::Error::Cancelled => Err(Error::Stopped),
            error => {
                notes.push(format!("{}: {what}: {error}", photo.name));
                Ok(())
            }
        };
        let (mut faces, mut subject, mut embedding, mut described) = (None, None, None, None);
        {
            let mut eyes = self.eyes();
            let Opened { describers, faces: detector, subject: segmenter, embedder, .. } = &mut *eyes;
            if photo.caption.is_none() {
                for describer in describers.iter_mut() {
                    match self.describe(&photo.image, describer) {
                        Ok(said) => described = said,
                        Err(error) => note(&format!("{} could not describe it", describer.by), error)?,
                    }
                    if described.is_some() {
                        break;
                    }
                }
                // A server that is gone must not hold up every picture.
                describers.retain(|describer| describer.failures < FAILURES);
            }
            if let Some(detector) = detector {
                match detector.faces(&photo.image) {
                    Ok(found) => faces = Some(found.iter().map(face_box).collect::<Vec<_>>()),
                    Err(error) => note("faces could not be looked for", error)?,
                }
            }
            if let (None, Some(segmenter)) = (&photo.mask, segmenter) {
                match segmenter.mask(&photo.image) {
                    Ok(mask) => subject = Some(mask),
                    Err(error) => note("its subject could not be looked for", error)?,
                }
            }
            if let Some(embedder) = embedder {
                match embedder.embed(&photo.image) {
                    Ok(numbers) => embedding = Some(numbers),
                    Err(error) => note("it could not be compared with the others", error)?,
                }
            }
        }
        let caption = photo.caption.clone().or_else(|| described.as_ref().map(|said: &Described| said.text.clone()));
        let caption_tokens = caption.as_ref().map(|text| self.tokens(text)).transpose()?;
        let seen = Seen {
            faces: faces.as_deref(),
            mask: photo.mask.as_ref().or(subject.as_ref()),
            embedding: embedding.as_deref(),
            caption_tokens,
        };
        // What a captioner said counts as said.
        photo.caption.clone_from(&caption);
        let record = self.examiner.look(&photo, &seen);
        let mask = self.mask(&photo, faces.as_deref(), subject.as_ref(), &mut notes);
        let focus = self.focus(&photo, faces.as_deref(), &record);
        let preview = shown.then(|| self.preview(&photo, focus, photo.mask.as_ref().or(mask.as_ref())));
        let mask = mask.map(|mask| self.keep(&photo, &mask)).transpose()?.flatten();
        Ok(Sight { name: photo.name, record, caption, described, mask, focus, preview, notes })
    }

    pub fn eyes(&self) -> MutexGuard<'_, Opened> {
        // A model that panicked once may do so again; the next picture decides.
        self.eyes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, picture: &RgbImage, describer: &mut Describer) -> vision::Result<Option<Described>> {
        let Describer { by, words, eye, failures } = describer;
        let task = self.task;
        *failures += 1;
        let caption = eye.caption(picture)?;
        *failures = 0;
        Ok(caption.map(|caption| {
            let options = options(task.class_word.as_deref(), &task.leave_out);
            let crafted = caption::craft(&caption.text, &task.name, mode_of(task.mode), *words, &options);
            let changes = crafted.changes.iter().map(ToString::to_string).collect();
            Described { text: crafted.text, raw: caption.text, by: by.clone(), changes }
        }))
    }

    /// Tokens of a prompt, the concept counted as three: both text encoders of XL read the same ones.
    fn tokens(&self, text: &str) -> Result<usize> {
        Ok(self.tokenizer.words(&diffusion::tokenizer::replace_placeholder(text, "<concept>", "<s0><s1><s2>"))?.len())
    }

    /// The part that counts, unless the user said so or everything does.
    fn mask(
        &self,
        photo: &Photo,
        faces: Option<&[FaceBox]>,
        subject: Option<&GrayImage>,
        notes: &mut Vec<String>,
    ) -> Option<GrayImage> {
        if photo.mask.is_some() {
            return None;
        }
        let masked = match part(self.task) {
            MaskName::Face => examiner::face_mask(photo.image.dimensions(), faces?),
            MaskName::Subject => examiner::object_mask(photo.image.dimensions(), subject?),
            MaskName::Auto | MaskName::None => return None,
        };
        notes.extend(masked.note.as_ref().map(|note| format!("{}: {note}", photo.name)));
        // A white mask is none.
        masked.note.is_none().then_some(masked.mask)
    }

    /// Where the crop is moved to; none for the middle.
    fn focus(&self, photo: &Photo, faces: Option<&[FaceBox]>, record: &PictureRecord) -> Option<[f32; 4]> {
        if let Some(chosen) = self.task.focuses.get(&photo.name) {
            return Some(*chosen);
        }
        let face = || {
            let (width, height) = photo.image.dimensions();
            let face = examiner::main_face(faces?, (width, height))?;
            let share = |at: f32, of: u32| (at / of as f32).clamp(0.0, 1.0);
            Some([
                share(face.x, width),
                share(face.y, height),
                share(face.x + face.width, width),
                share(face.y + face.height, height),
            ])
        };
        match self.task.crop {
            protocol::Crop::Center | protocol::Crop::Bucket => None,
            protocol::Crop::Face => face().or_else(|| record.focus()),
            protocol::Crop::Salience => record.focus(),
        }
    }

    fn preview(&self, photo: &Photo, focus: Option<[f32; 4]>, mask: Option<&GrayImage>) -> Preview {
        let size = photo.image.dimensions();
        let target = dataset::training_size(size, self.task.resolution as u32, crop(self.task.crop));
        Preview::new(&photo.name, &photo.image, dataset::crop_window(size, target, focus), mask)
    }

    fn keep(&self, photo: &Photo, mask: &GrayImage) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.masks else { return Ok(None) };
        fs::create_dir_all(folder).map_err(|source| Error::Disk { path: folder.clone(), source })?;
        let name: String = photo.digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{name}.png"));
        write_png(&path, mask)?;
        Ok(Some(path))
    }
}

/// Writes a mask so that it is there whole or not at all.
fn write_png(path: &Path, mask: &GrayImage) -> Result<()> {
    let failed = |reason: String| Error::Picture { path: path.to_owned(), reason };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(error.to_string()))?;
    let writer = std::io::BufWriter::new(part.as_file_mut());
    mask.write_with_encoder(image::codecs::png::PngEncoder::new(writer)).map_err(|error| failed(error.to_string()))?;
    part.persist(path).map_err(|error| failed(error.to_string()))?;
    Ok(())
}

/// The part that a task means.
pub(crate) fn part(task: &PrepareTask) -> MaskName {
    match (task.mask, task.mode) {
        (MaskName::Auto, Mode::Face) => MaskName::Face,
        (MaskName::Auto, Mode::Object) => MaskName::Subject,
        (MaskName::Auto, Mode::Style) => MaskName::None,
        (mask, _) => mask,
    }
}

/// The data set's crop; what the square is moved to comes with each picture.
pub(crate) fn crop(crop: protocol::Crop) -> Crop {
    match crop {
        protocol::Crop::Bucket => Crop::Bucket,
        _ => Crop::Center,
    }
}

fn face_box(face: &vision::faces::Face) -> FaceBox {
    FaceBox { x: face.x, y: face.y, width: face.width, height: face.height, score: face.score }
}
