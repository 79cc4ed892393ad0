//! Pictures for people: labelled grids and the plot of a run.

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoTextStyle, iso_8859_1::FONT_7X13},
    pixelcolor::{Rgb888, RgbColor},
    primitives::{Line, Primitive, PrimitiveStyle},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage, imageops};
use std::convert::Infallible;

const FONT_WIDTH: u32 = 7;
const LINE: u32 = 15;
const MARGIN: u32 = 6;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb888 = Rgb888::new(30, 30, 30);
const FAINT: Rgb888 = Rgb888::new(215, 215, 215);
const TRAINING: Rgb888 = Rgb888::new(150, 180, 220);
const SMOOTHED: Rgb888 = Rgb888::new(20, 80, 170);
const HELD_OUT: Rgb888 = Rgb888::new(210, 80, 20);

struct Canvas(RgbImage);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && x < self.0.width()
                && y < self.0.height()
            {
                self.0.put_pixel(x, y, Rgb([color.r(), color.g(), color.b()]));
            }
        }
        Ok(())
    }
}

impl Canvas {
    fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, PAPER))
    }

    fn text(&mut self, text: &str, x: u32, y: u32, color: Rgb888) {
        let style = MonoTextStyle::new(&FONT_7X13, color);
        let Ok(_) = Text::with_baseline(text, Point::new(x as i32, y as i32), style, Baseline::Top).draw(self);
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), color: Rgb888, width: u32) {
        let point = |(x, y): (f64, f64)| Point::new(x.round() as i32, y.round() as i32);
        let Ok(()) =
            Line::new(point(from), point(to)).into_styled(PrimitiveStyle::with_stroke(color, width)).draw(self);
    }
}

/// A grid of pictures of one size: a label above each column, wrapped, and one beside each row.
pub fn label_grid(rows: &[(String, Vec<RgbImage>)], columns: &[String]) -> RgbImage {
    let (width, height) = rows.iter().flat_map(|(_, row)| row).next().map_or((0, 0), RgbImage::dimensions);
    let letters = |pixels: u32| (pixels / FONT_WIDTH).max(1) as usize;
    let side = rows.iter().map(|(label, _)| label.chars().count() as u32 * FONT_WIDTH).max().unwrap_or(0) + 2 * MARGIN;
    let wrapped: Vec<Vec<String>> = columns.iter().map(|label| wrap(label, letters(width))).collect();
    let top = wrapped.iter().map(Vec::len).max().unwrap_or(0) as u32 * LINE + 2 * MARGIN;
    let mut canvas =
        Canvas::new(side + columns.len() as u32 * (width + MARGIN), top + rows.len() as u32 * (height + MARGIN));
    for (i, lines) in wrapped.iter().enumerate() {
        for (j, line) in lines.iter().enumerate() {
            canvas.text(line, side + i as u32 * (width + MARGIN), MARGIN + j as u32 * LINE, INK);
        }
    }
    for (r, (label, row)) in rows.iter().enumerate() {
        let y = top + r as u32 * (height + MARGIN);
        canvas.text(label, MARGIN, y + height / 2, INK);
        for (i, picture) in row.iter().enumerate() {
            imageops::replace(&mut canvas.0, picture, i64::from(side + i as u32 * (width + MARGIN)), i64::from(y));
        }
    }
    canvas.0
}

fn wrap(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines
            .last_mut()
            .filter(|line| line.is_empty() || line.chars().count() + 1 + word.chars().count() <= letters);
        match line {
            Some(line) if line.is_empty() => *line = word.to_owned(),
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The losses of a run (faint, and smoothed) with the held-out error of its snapshots.
pub fn loss_plot(title: &str, losses: &[f64], held_out: &[(u64, f64)]) -> RgbImage {
    const WIDTH: u32 = 760;
    const HEIGHT: u32 = 420;
    let (left, right, top, bottom) = (60.0, f64::from(WIDTH) - 20.0, 40.0, f64::from(HEIGHT) - 40.0);
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    canvas.text(title, 60, 8, INK);
    let steps = losses.len().max(1) as f64;
    let finite = losses.iter().copied().chain(held_out.iter().map(|(_, e)| *e)).filter(|v| v.is_finite());
    let highest = finite.fold(1e-9, f64::max) * 1.05;
    let at = |step: f64, value: f64| (left + (right - left) * step / steps, bottom - (bottom - top) * value / highest);
    for i in 0..=4 {
        let value = highest * f64::from(i) / 4.0;
        canvas.line(at(0.0, value), at(steps, value), FAINT, 1);
        canvas.text(&format!("{value:.3}"), 8, at(0.0, value).1 as u32 - 6, INK);
        let step = (steps * f64::from(i) / 4.0).round();
        canvas.text(&format!("{step}"), at(step, 0.0).0 as u32 - 8, bottom as u32 + 8, INK);
    }
    let mut curve = |values: &[(f64, f64)], color, width| {
        for pair in values.windows(2) {
            canvas.line(at(pair[0].0, pair[0].1), at(pair[1].0, pair[1].1), color, width);
        }
    };
    let points: Vec<(f64, f64)> = losses.iter().enumerate().map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
    curve(&points, TRAINING, 1);
    let mut mean = losses.first().copied().unwrap_or(0.0);
    let smooth: Vec<(f64, f64)> = points
        .iter()
        .map(|&(step, loss)| {
            mean += 0.08 * (loss - mean);
            (step, mean)
        })
        .collect();
    curve(&smooth, SMOOTHED, 2);
    let held: Vec<(f64, f64)> = held_out.iter().map(|&(step, error)| (step as f64, error)).collect();
    curve(&held, HELD_OUT, 2);
    canvas.text("training loss", WIDTH - 270, 8, SMOOTHED);
    canvas.text("held-out error", WIDTH - 140, 8, HELD_OUT);
    canvas.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_holds_its_pictures_and_labels() {
        let red = RgbImage::from_pixel(64, 64, Rgb([200, 0, 0]));
        let grid = label_grid(
            &[("base".into(), vec![red.clone(), red])],
            &["a photo of a fox in the snow".into(), "two".into()],
        );
        let count = |color: Rgb<u8>| grid.pixels().filter(|p| **p == color).count();
        assert_eq!(count(Rgb([200, 0, 0])), 2 * 64 * 64);
        assert!(count(Rgb([30, 30, 30])) > 100, "labels are drawn");
    }

    #[test]
    fn a_plot_draws_any_run() {
        for losses in [vec![], vec![1.0], vec![1.0, f64::NAN, 0.5], vec![0.4; 500]] {
            let plot = loss_plot("fox", &losses, &[(0, 0.5), (1, 0.2)]);
            assert_eq!(plot.dimensions(), (760, 420));
        }
    }
}
