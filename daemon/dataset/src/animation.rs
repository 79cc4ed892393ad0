//! Pictures of a file: one, or of an animation (GIF, animated WebP or PNG) several frames.

use crate::{
    Limits, Options,
    choice::{Glance, LOOKED_AT, choose},
    decode::{self, Decoded},
};
use image::{
    AnimationDecoder, Frames, ImageFormat,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
    imageops,
};
use std::io::Cursor;

/// Pixels of all frames that are looked at, together: a few seconds of work.
const WORK: u64 = 1_500_000_000;
/// Longest side of frames as they are compared.
const COMPARED: u32 = 512;

/// Shows the pictures of a file one after the other, those of an animation with their numbers from 1.
///
/// # Errors
/// Why the file cannot be used, and what to do.
pub(crate) fn pictures(
    bytes: &[u8],
    options: &Options,
    notes: &mut Vec<String>,
    show: &mut dyn FnMut(Option<usize>, Decoded),
) -> Result<(), String> {
    decode::check_file(bytes, &options.limits)?;
    if let Some(frames) = frames(bytes, &options.limits)? {
        let chosen = choose(&look(frames, notes), options.frames.most);
        if chosen.len() > 1 {
            return show_chosen(bytes, &options.limits, &chosen, show);
        }
    }
    let picture = decode::picture(bytes, &options.limits, &mut |note| notes.push(note.to_owned()))?;
    show(None, picture);
    Ok(())
}

/// The frames of an animation; `None` if the file is none.
fn frames<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Option<Frames<'a>>, String> {
    let file = Cursor::new(bytes);
    match image::guess_format(bytes) {
        Ok(ImageFormat::Gif) => {
            let mut decoder = GifDecoder::new(file).map_err(decode::damaged)?;
            decode::prepare(&mut decoder, limits)?;
            Ok(Some(decoder.into_frames()))
        }
        Ok(ImageFormat::WebP) => {
            let mut decoder = WebPDecoder::new(file).map_err(decode::damaged)?;
            if !decoder.has_animation() {
                return Ok(None);
            }
            decode::prepare(&mut decoder, limits)?;
            Ok(Some(decoder.into_frames()))
        }
        Ok(ImageFormat::Png) => {
            let mut decoder = PngDecoder::new(file).map_err(decode::damaged)?;
            if !decoder.is_apng().map_err(decode::damaged)? {
                return Ok(None);
            }
            decode::prepare(&mut decoder, limits)?;
            Ok(Some(decoder.apng().map_err(decode::damaged)?.into_frames()))
        }
        _ => Ok(None),
    }
}

/// Looks at every frame, one at a time, until one cannot be decoded or there are too many.
fn look(frames: Frames<'_>, notes: &mut Vec<String>) -> Vec<Glance> {
    let mut glances = Vec::new();
    let mut pixels = 0;
    for frame in frames {
        let Ok(frame) = frame else {
            notes.push(format!("the animation is damaged behind frame {}; only what is before counts", glances.len()));
            break;
        };
        let frame = decode::flat(frame.buffer()).image;
        pixels += u64::from(frame.width()) * u64::from(frame.height());
        if glances.len() == LOOKED_AT || pixels > WORK {
            notes.push(format!("the animation is long; only its first {} frames count", glances.len()));
            break;
        }
        let longest = frame.width().max(frame.height());
        let grey = imageops::grayscale(&frame);
        glances.push(Glance::of(&match longest > COMPARED {
            true => {
                let side = |side: u32| (side * COMPARED / longest).max(1);
                imageops::thumbnail(&grey, side(frame.width()), side(frame.height()))
            }
            false => grey,
        }));
    }
    glances
}

/// Decodes a second time, so that memory holds one frame.
fn show_chosen(
    bytes: &[u8],
    limits: &Limits,
    chosen: &[usize],
    show: &mut dyn FnMut(Option<usize>, Decoded),
) -> Result<(), String> {
    let mut number = 0;
    for (i, frame) in frames(bytes, limits)?.into_iter().flatten().enumerate() {
        if number == chosen.len() {
            break;
        }
        let frame = frame.map_err(decode::damaged)?;
        if i == chosen[number] {
            number += 1;
            show(Some(number), decode::flat(frame.buffer()));
        }
    }
    Ok(())
}
