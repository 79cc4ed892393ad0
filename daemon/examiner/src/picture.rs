//! What is wrong with one picture. Where a threshold stands, the values that it lies between were measured on photographs
//! (the astronaut, the cat, the coffee, the motorcycle and the rocket of scikit-image) and on drawn scenes.

use crate::{
    Settings,
    faces::{main_face, prominent},
    record::PictureRecord,
};
use protocol::{Finding, FindingCode, Mode, Severity, SubjectSource};

/// Half-widths of edges in training pixels from which on a picture counts as blurred, and as badly so. Photographs as taken
/// have 0.4 to 0.7, enlarged three times 1.0 to 1.3; with a blur of 1, 2, 3 and 5 pixels 0.8 to 1.1, 1.8 to 2.1, 2.3 to
/// 2.8 and 3.1 to 3.6; drawn scenes 0.4 to 0.5.
const BLURRED: f32 = 1.6;
const BADLY_BLURRED: f32 = 3.0;
/// Steps between JPEG blocks, in levels: between JPEG qualities of 50 and 10, see `blocks`.
const BLOCKY: f32 = 2.9;
/// Drawings of flat colours have stripes that look like blocks, and pure colours that look like too much light.
const FLAT_DRAWING: f32 = 0.8;
/// Parts of the crop's height that a face should have, and must have.
const FACE: f32 = 0.15;
const LEAST_FACE: f32 = 0.08;
/// Tokens that a text encoder reads at once, beside start and end.
const TOKENS: usize = 75;

/// Everything about one picture.
pub(crate) fn findings(settings: &Settings, record: &PictureRecord) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut say = |code, severity, message: String, advice: &str| {
        let pictures = vec![record.name.clone()];
        found.push(Finding { code, severity, pictures, message, advice: advice.to_owned() });
    };
    if is_empty(record) {
        let message = "hardly anything can be seen in this picture".to_owned();
        say(FindingCode::Empty, Severity::Serious, message, "leave it out");
        return found;
    }
    size(settings, record, &mut say);
    quality(record, &mut say);
    shape(record, &mut say);
    if settings.mode == Mode::Face {
        faces(record, &mut say);
    }
    if let Some(tokens) = record.caption_tokens.filter(|tokens| *tokens > TOKENS) {
        let message = format!("its caption has {tokens} tokens; a text encoder reads {TOKENS} at once");
        let advice = "shorten it to what matters; the rest is read in a second part, which counts less";
        say(FindingCode::CaptionTooLong, Severity::Info, message, advice);
    }
    found
}

type Say<'a> = &'a mut dyn FnMut(FindingCode, Severity, String, &str);

/// No edges at any size, and the same level nearly everywhere.
fn is_empty(record: &PictureRecord) -> bool {
    record.edge_width.is_none() && record.light.bright - record.light.dark < 0.06
}

fn size(settings: &Settings, record: &PictureRecord, say: Say) {
    const PROPER: u32 = 768;
    let (width, height) = record.size;
    let shown = format!("{width} x {height} pixels");
    if record.enlargement > 1.05 {
        let severity = match record.enlargement {
            factor if factor > 2.0 => Severity::Serious,
            factor if factor > 1.25 => Severity::Warning,
            _ => Severity::Info,
        };
        let message = format!(
            "{shown} are too few for training at {}: the picture has to be enlarged {:.1} times, and the concept \
             learns the softness of that",
            settings.resolution, record.enlargement
        );
        let advice = "find a larger version, sharpen it with an upscaler, or train at a lower resolution";
        say(FindingCode::BelowResolution, severity, message, advice);
    } else if width.min(height) < PROPER && settings.resolution >= 512 {
        let message = format!("{shown} are enough for this training, but fewer than the {PROPER} that are recommended");
        say(FindingCode::SmallPicture, Severity::Info, message, "give a larger version if you have one");
    }
}

fn quality(record: &PictureRecord, say: Say) {
    let light = &record.light;
    if let Some(width) = record.trained_edge_width().filter(|width| *width >= BLURRED) {
        let severity = if width >= BADLY_BLURRED { Severity::Serious } else { Severity::Warning };
        let message = format!(
            "it is blurred: its edges are about {:.0} pixels wide, those of a sharp picture 2 to 3",
            2.0 * width
        );
        let advice = "leave it out, or take one that is in focus and was not enlarged before";
        say(FindingCode::Blurred, severity, message, advice);
    }
    let drawn = record.looks.flat >= FLAT_DRAWING;
    // Made smaller, the blocks blend.
    if record.jpeg_steps >= BLOCKY && record.enlargement > 0.6 && !drawn {
        let message = "strong JPEG compression has left blocks of 8 x 8 pixels, which are learnt like anything else";
        let advice = "use the original rather than what a messenger or a web site made of it";
        say(FindingCode::JpegBlocks, Severity::Warning, message.to_owned(), advice);
    }
    if light.is_overexposed() && !record.transparent && !drawn {
        let message = "it is overexposed: large parts are white, and hardly anything is dark".to_owned();
        say(FindingCode::Overexposed, Severity::Warning, message, "darken it, or leave it out");
    }
    if light.is_underexposed() {
        let message = "it is very dark; details in the shadows are lost".to_owned();
        say(FindingCode::Underexposed, Severity::Warning, message, "brighten it, or leave it out");
    }
    if record.transparent {
        let message = "it had transparent parts, which are white now; the concept may learn a white background";
        let advice = "if that is not meant, put the subject before a real background and save without transparency";
        say(FindingCode::Transparent, Severity::Info, message.to_owned(), advice);
    }
}

/// What the crop takes away.
fn shape(record: &PictureRecord, say: Say) {
    let (width, height) = (record.size.0 as f32, record.size.1 as f32);
    let lost = 1.0 - record.window.width as f32 * record.window.height as f32 / (width * height);
    // Photographs of 3:2 lose a third, films of 16:9 44 %, which is what centre crops are like.
    if lost >= 0.48 {
        let shape = if width > height { "wide" } else { "high" };
        let message = format!("it is so {shape} that cropping takes {:.0} % of it away", 100.0 * lost);
        let advice = "cut out the part that matters yourself, or train with proportions kept (crop: bucket)";
        say(FindingCode::ExtremeAspect, Severity::Warning, message, advice);
    }
    let Some(subject) = record.subject else { return };
    let (least, what) = match subject.source {
        SubjectSource::Face => (0.95, "the face"),
        SubjectSource::Mask => (0.75, "the subject"),
        // What stands out need not be the subject: only where most of it is lost.
        SubjectSource::Salience => (0.5, "what stands out"),
    };
    if subject.kept < least {
        let severity = if subject.kept < 0.3 && subject.source != SubjectSource::Salience {
            Severity::Serious
        } else {
            Severity::Warning
        };
        let message = format!("cropping from the middle leaves only {:.0} % of {what}", 100.0 * subject.kept);
        let advice = "crop it yourself so that the subject is in the middle, or use the crop that follows the subject";
        say(FindingCode::SubjectOutsideCrop, severity, message, advice);
    }
}

fn faces(record: &PictureRecord, say: Say) {
    let Some(faces) = &record.faces else { return };
    let Some(face) = main_face(faces, record.size) else {
        let message = "no face was found in it".to_owned();
        let advice = "leave it out unless the face is there (from the side, or covered); then crop it to the head";
        return say(FindingCode::NoFace, Severity::Warning, message, advice);
    };
    let count = prominent(faces, record.size);
    if count > 1 {
        let message = format!("{count} faces are in it, and the concept cannot know which one is meant");
        let advice = "crop it to the one person; only the largest face is masked";
        say(FindingCode::SeveralFaces, Severity::Warning, message, advice);
    }
    let part = face.height / record.window.height as f32;
    if part < FACE {
        let severity = if part < LEAST_FACE { Severity::Warning } else { Severity::Info };
        let message = format!("the face has only {:.0} % of the height of the training picture", 100.0 * part);
        say(FindingCode::SmallFace, severity, message, "crop it to head and shoulders");
    }
}
