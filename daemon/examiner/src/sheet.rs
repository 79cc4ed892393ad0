//! All pictures on one sheet: what is trained of them, what of that counts, and what was found.

use crate::{
    canvas::{Canvas, Ink, Letters, shortened, wrapped},
    text::label,
};
use dataset::Window;
use image::{
    GrayImage, Rgb, RgbImage,
    imageops::{self, FilterType},
};
use protocol::{DatasetReport, FindingCode, Severity};
use std::collections::HashMap;

/// Pictures on one sheet, at most.
const PER_SHEET: usize = 100;
/// The place of a picture, in pixels.
const PLACE: (u32, u32) = (208, 168);
/// Lines of marks below a name.
const MARKS: u32 = 2;
const MARGIN: u32 = 16;
const GAP: u32 = 10;

const TABLE: Ink = Ink::new(24, 26, 31);
const CARD: Ink = Ink::new(38, 41, 48);
const TEXT: Ink = Ink::new(232, 234, 238);
const FAINT: Ink = Ink::new(150, 156, 168);
const CROP: Ink = Ink::new(255, 204, 64);
const SHADOW: Ink = Ink::new(20, 20, 20);
const MASKED: Ink = Ink::new(64, 104, 224);

/// A small version of a picture with its crop and its mask drawn in: about a tenth of a megabyte.
#[derive(Clone)]
pub struct Preview {
    name: String,
    size: (u32, u32),
    thumb: RgbImage,
}

impl Preview {
    /// Of a picture as it is, the part that is trained, and the mask (of any size; white counts).
    pub fn new(name: &str, picture: &RgbImage, window: Window, mask: Option<&GrayImage>) -> Self {
        let size = (picture.width().max(1), picture.height().max(1));
        let factor = f64::min(f64::from(PLACE.0) / f64::from(size.0), f64::from(PLACE.1) / f64::from(size.1));
        let scaled = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
        let (width, height) = (scaled(size.0), scaled(size.1));
        let mut thumb = match factor < 1.0 {
            true => imageops::thumbnail(picture, width, height),
            false => imageops::resize(picture, width, height, FilterType::Triangle),
        };
        if let Some(mask) = mask.filter(|mask| mask.width() > 0 && mask.height() > 0) {
            tint(&mut thumb, &imageops::resize(mask, width, height, FilterType::Triangle));
        }
        let corner = (scaled(window.x) - u32::from(window.x == 0), scaled(window.y) - u32::from(window.y == 0));
        let sides = (scaled(window.width).min(width), scaled(window.height).min(height));
        let corner = (corner.0.min(width - sides.0), corner.1.min(height - sides.1));
        outline(&mut thumb, corner, sides);
        Self { name: name.to_owned(), size, thumb }
    }
}

/// Blue where the mask says that it does not count.
fn tint(thumb: &mut RgbImage, mask: &GrayImage) {
    use embedded_graphics::pixelcolor::RgbColor;
    let blue = [MASKED.r(), MASKED.g(), MASKED.b()];
    for (pixel, level) in thumb.pixels_mut().zip(mask.pixels()) {
        let much = f32::from(255 - level[0]) / 255.0 * 0.62;
        for (value, blue) in pixel.0.iter_mut().zip(blue) {
            *value = (f32::from(*value) * (1.0 - much) + f32::from(blue) * much) as u8;
        }
    }
}

/// Darkens what is cut off and frames what is left.
fn outline(thumb: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32)) {
    for (x, y, pixel) in thumb.enumerate_pixels_mut() {
        let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
        if !inside {
            *pixel = Rgb(pixel.0.map(|value| (u16::from(value) * 2 / 5) as u8));
        }
    }
    let mut canvas = Canvas(std::mem::take(thumb));
    canvas.frame((left, top), (width, height), CROP);
    if width > 6 && height > 6 {
        canvas.frame((left + 1, top + 1), (width - 2, height - 2), CROP);
        canvas.frame((left + 2, top + 2), (width - 4, height - 4), SHADOW);
    }
    *thumb = canvas.0;
}

/// One sheet for each hundred pictures, in their order; none without pictures. `title` may be the name of the set.
pub fn sheets(title: &str, previews: &[Preview], report: &DatasetReport) -> Vec<RgbImage> {
    let marks = marks(report);
    let count = previews.len().div_ceil(PER_SHEET);
    let pages = previews.chunks(PER_SHEET).enumerate();
    pages
        .map(|(page, previews)| {
            let title = if count > 1 { format!("{title}, sheet {} of {count}", page + 1) } else { title.to_owned() };
            sheet(&title, previews, report, &marks)
        })
        .collect()
}

type Marks<'a> = HashMap<&'a str, Vec<(Severity, FindingCode)>>;

/// What is to be said below each picture, the worst first.
fn marks(report: &DatasetReport) -> Marks<'_> {
    let mut marks: Marks<'_> = HashMap::new();
    for finding in &report.findings {
        for picture in &finding.pictures {
            marks.entry(picture).or_default().push((finding.severity, finding.code));
        }
    }
    marks
}

fn sheet(title: &str, previews: &[Preview], report: &DatasetReport, marks: &Marks) -> RgbImage {
    let columns = match previews.len() as u32 {
        few @ 0..=6 => few.max(3),
        count => (f64::from(count) * 1.3).sqrt().ceil() as u32,
    };
    let card = (PLACE.0 + 12, PLACE.1 + 12 + Letters::Body.height() + Letters::Small.height() + 6 + MARKS * 15 + 4);
    let width = 2 * MARGIN + columns * (card.0 + GAP) - GAP;
    let letters = ((width - 2 * MARGIN) / Letters::Body.advance()) as usize;
    let verdict = wrapped(&report.verdict, letters);
    let top = MARGIN + 24 + verdict.len() as u32 * 16 + 26;
    let rows = (previews.len() as u32).div_ceil(columns);
    let mut canvas = Canvas::new(width, top + rows * (card.1 + GAP) - GAP + MARGIN, TABLE);
    let heading = format!("{title} ({}, {} px)", report.mode.name(), report.resolution);
    let most = ((width - 2 * MARGIN) / Letters::Title.advance()) as usize;
    canvas.text(&shortened(&heading, most), (MARGIN, MARGIN), Letters::Title, TEXT);
    for (i, line) in verdict.iter().enumerate() {
        canvas.text(line, (MARGIN, MARGIN + 24 + i as u32 * 16), Letters::Body, FAINT);
    }
    legend(&mut canvas, top - 20);
    for (i, preview) in previews.iter().enumerate() {
        let (column, row) = (i as u32 % columns, i as u32 / columns);
        let corner = (MARGIN + column * (card.0 + GAP), top + row * (card.1 + GAP));
        canvas.plate(corner, card, 5, CARD);
        let own = marks.get(preview.name.as_str()).map_or(&[][..], Vec::as_slice);
        draw_card(&mut canvas, corner, preview, own);
    }
    canvas.0
}

fn legend(canvas: &mut Canvas, y: u32) {
    canvas.frame((MARGIN, y), (12, 10), CROP);
    canvas.frame((MARGIN + 1, y + 1), (10, 8), CROP);
    canvas.text("what is trained", (MARGIN + 18, y), Letters::Small, FAINT);
    canvas.plate((MARGIN + 124, y), (12, 10), 0, MASKED);
    canvas.text("counts little or not at all (mask)", (MARGIN + 142, y), Letters::Small, FAINT);
}

fn draw_card(canvas: &mut Canvas, (left, top): (u32, u32), preview: &Preview, marks: &[(Severity, FindingCode)]) {
    let x = left + 6 + (PLACE.0 - preview.thumb.width()) / 2;
    let y = top + 6 + (PLACE.1 - preview.thumb.height()) / 2;
    imageops::replace(&mut canvas.0, &preview.thumb, i64::from(x), i64::from(y));
    let (left, mut y) = (left + 6, top + PLACE.1 + 11);
    let letters = (PLACE.0 / Letters::Body.advance()) as usize;
    canvas.text(&shortened(&preview.name, letters), (left, y), Letters::Body, TEXT);
    y += Letters::Body.height() + 1;
    canvas.text(&format!("{} x {}", preview.size.0, preview.size.1), (left, y), Letters::Small, FAINT);
    y += Letters::Small.height() + 4;
    draw_marks(canvas, (left, y), marks);
}

/// Small plates of two lines at most; the last says how many there was no room for.
fn draw_marks(canvas: &mut Canvas, (left, top): (u32, u32), marks: &[(Severity, FindingCode)]) {
    const MORE: u32 = 28;
    let (mut x, mut line) = (left, 0);
    for (i, &(severity, code)) in marks.iter().enumerate() {
        let text = label(code);
        let width = text.chars().count() as u32 * Letters::Small.advance() + 8;
        let last = i + 1 == marks.len();
        if x > left && x + width > left + PLACE.0 {
            (x, line) = (left, line + 1);
        }
        let room = if line + 1 == MARKS && !last { MORE } else { 0 };
        if line == MARKS || x + width + room > left + PLACE.0 {
            // What was put at the end of the last line leaves room for this.
            let (x, line) = if line == MARKS { (left + PLACE.0 - MORE, MARKS - 1) } else { (x, line) };
            canvas.text(&format!("+{}", marks.len() - i), (x + 4, top + line * 15 + 2), Letters::Small, FAINT);
            return;
        }
        let (plate, ink) = match severity {
            Severity::Serious => (Ink::new(208, 56, 56), Ink::new(255, 255, 255)),
            Severity::Warning => (Ink::new(222, 150, 40), Ink::new(20, 16, 8)),
            Severity::Info => (Ink::new(72, 78, 92), Ink::new(220, 224, 232)),
        };
        canvas.plate((x, top + line * 15), (width, 13), 3, plate);
        canvas.text(text, (x + 4, top + line * 15 + 2), Letters::Small, ink);
        x += width + 4;
    }
}
