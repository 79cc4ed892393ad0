//! CenterFace (7 MB, MIT): faces of any size, in one look.

use std::fs;
use std::path::Path;

use image::RgbImage;

use super::freed::freed;
use super::overlap::{exact, strongest};
use super::{Face, FaceDetector, decoding, fit, not_empty, planes};
use crate::error::{Error, Result};
use crate::resample::{ResampleFilter, resize_rgb};
use crate::runtime::Device;
use crate::session::{Session, Slot};

/// The longest side that is looked at: a face of a fiftieth of the picture has then some 20 pixels.
const SIDE: u32 = 1024;
/// Both sides are stretched to multiples of this.
const DIVISOR: u32 = 32;
/// The file has 7 MB; nothing that large is read into memory on its behalf.
const MAX_BYTES: u64 = 256 << 20;

/// A CenterFace, of any declared size.
pub struct CenterFace {
    session: Session,
    input: String,
    /// Heat map, scale, offset, landmarks.
    outputs: [String; 4],
}

impl CenterFace {
    /// Opens the model at `path`.
    ///
    /// # Errors
    /// When there is no such file, or it holds another kind of model.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let mut session = Session::open(path, device)?;
        let takes_any = |session: &Session| session.inputs()[0].dims.iter().filter(|dim| dim.is_none()).count() >= 2;
        let names = names(&session)?;
        if !takes_any(&session) {
            let unreadable = |error: std::io::Error| Error::model(path, format!("it can't be read ({error})"));
            if fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
                return Err(Error::model(path, "it is far too large for a CenterFace"));
            }
            let model = fs::read(path).map_err(unreadable)?;
            let model = freed(&model).ok_or_else(|| Error::model(path, "its sizes can't be read; fetch it again"))?;
            session = Session::from_memory(path, &model, device)?;
        }
        Ok(Self { session, input: names.0, outputs: names.1 })
    }
}

/// The input's name and the outputs' (`537` to `540` in the public file), told apart by channels and order.
fn names(session: &Session) -> Result<(String, [String; 4])> {
    let channels = |slot: &Slot| if slot.dims.len() == 4 { slot.dims[1] } else { None };
    let other = || {
        let what =
            "a CenterFace takes one picture of three channels and gives maps of 1, 2, 2 and 10; this is another model";
        Error::model(session.path(), what)
    };
    let [input] = session.inputs() else { return Err(other()) };
    let [heat, scale, offset, points] = session.outputs() else { return Err(other()) };
    let found = [input, heat, scale, offset, points].map(channels);
    if found != [Some(3), Some(1), Some(2), Some(2), Some(10)] {
        return Err(other());
    }
    Ok((input.name.clone(), [heat, scale, offset, points].map(|slot| slot.name.clone())))
}

impl FaceDetector for CenterFace {
    fn faces(&mut self, picture: &RgbImage) -> Result<Vec<Face>> {
        not_empty(picture)?;
        let scale = fit(picture, SIDE);
        let side = |length: u32| ((f64::from(length) * scale / f64::from(DIVISOR)).ceil() as u32).max(1) * DIVISOR;
        let (width, height) = (side(picture.width()), side(picture.height()));
        let input = if picture.dimensions() == (width, height) {
            planes(picture, width, height, [0, 1, 2])
        } else {
            planes(&resize_rgb(picture, width, height, ResampleFilter::Bilinear), width, height, [0, 1, 2])
        };
        let outputs = self.session.run(&[(&self.input, input)])?;
        let names = self.outputs.each_ref().map(String::as_str);
        let found = decoding::centerface(&outputs, names, width, height);
        let faces = found.map_err(|what| Error::model(self.session.path(), what))?;
        let (x, y) = (picture.width() as f32 / width as f32, picture.height() as f32 / height as f32);
        Ok(strongest(faces, exact).into_iter().map(|face| face.scaled(x, y)).collect())
    }
}
