//! A picture that text, lines and marks are drawn on.

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{
        MonoFont, MonoTextStyle,
        iso_8859_1::{FONT_6X10, FONT_7X13, FONT_9X18_BOLD},
    },
    pixelcolor::{Rgb888, RgbColor},
    primitives::{Primitive, PrimitiveStyle, Rectangle, RoundedRectangle},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage};
use std::convert::Infallible;

/// A colour.
pub(crate) type Ink = Rgb888;

pub(crate) struct Canvas(pub RgbImage);

/// A size of letters.
#[derive(Clone, Copy)]
pub(crate) enum Letters {
    Title,
    Body,
    Small,
}

impl Letters {
    fn font(self) -> &'static MonoFont<'static> {
        match self {
            Self::Title => &FONT_9X18_BOLD,
            Self::Body => &FONT_7X13,
            Self::Small => &FONT_6X10,
        }
    }

    /// Pixels from one letter to the next.
    pub fn advance(self) -> u32 {
        self.font().character_size.width
    }

    pub fn height(self) -> u32 {
        self.font().character_size.height
    }
}

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
    pub fn new(width: u32, height: u32, ink: Ink) -> Self {
        Self(RgbImage::from_pixel(width, height, Rgb([ink.r(), ink.g(), ink.b()])))
    }

    /// A line of text from its left and top.
    pub fn text(&mut self, text: &str, (x, y): (u32, u32), letters: Letters, ink: Ink) {
        let style = MonoTextStyle::new(letters.font(), ink);
        let Ok(_) = Text::with_baseline(text, Point::new(x as i32, y as i32), style, Baseline::Top).draw(self);
    }

    /// A filled rectangle with round corners.
    pub fn plate(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), round: u32, ink: Ink) {
        let area = Rectangle::new(Point::new(x as i32, y as i32), Size::new(width, height));
        let plate = RoundedRectangle::with_equal_corners(area, Size::new(round, round));
        let Ok(()) = plate.into_styled(PrimitiveStyle::with_fill(ink)).draw(self);
    }

    /// The outline of a rectangle, inside of it.
    pub fn frame(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), ink: Ink) {
        let area = Rectangle::new(Point::new(x as i32, y as i32), Size::new(width, height));
        let Ok(()) = area.into_styled(PrimitiveStyle::with_stroke(ink, 1)).draw(self);
    }
}

/// Text in lines of at most so many letters.
pub(crate) fn wrapped(text: &str, letters: usize) -> Vec<String> {
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

/// A name of at most so many letters; of longer ones the middle is left out, since endings tell files apart.
pub(crate) fn shortened(name: &str, letters: usize) -> String {
    let all: Vec<char> = name.chars().collect();
    if all.len() <= letters || letters < 6 {
        return all.into_iter().take(letters).collect();
    }
    let behind = (letters - 2) * 3 / 5;
    let before: String = all[..letters - 2 - behind].iter().collect();
    let behind: String = all[all.len() - behind..].iter().collect();
    format!("{before}..{behind}")
}
