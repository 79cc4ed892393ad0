//! Faces as detectors give them, and what belongs to a face: hair and neck.

/// A face. In pixels of the picture; may reach beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// Of its left side.
    pub x: f32,
    /// Of its top, about the middle of the forehead.
    pub y: f32,
    /// From ear to ear.
    pub width: f32,
    /// From forehead to chin.
    pub height: f32,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

impl FaceBox {
    /// Whether it is a box that has anything to do with a picture of this size.
    pub(crate) fn is_sound(&self, (width, height): (u32, u32)) -> bool {
        let finite = [self.x, self.y, self.width, self.height].iter().all(|side| side.is_finite());
        let within =
            self.x < width as f32 && self.y < height as f32 && self.x + self.width > 0.0 && self.y + self.height > 0.0;
        finite && within && self.width >= 1.0 && self.height >= 1.0 && self.width <= 4.0 * width as f32
    }

    pub(crate) fn center(&self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// The box of the whole head, hair and neck included, as left, top, right and bottom, 0 to 1 of a picture of this size.
    pub(crate) fn head(&self, (width, height): (u32, u32)) -> [f32; 4] {
        let (width, height) = (width.max(1) as f32, height.max(1) as f32);
        let (left, right) = (self.x - 0.35 * self.width, self.x + 1.35 * self.width);
        let (top, bottom) = (self.y - 0.45 * self.height, self.y + 1.35 * self.height);
        [left / width, top / height, right / width, bottom / height].map(|side| side.clamp(0.0, 1.0))
    }
}

/// The face that a picture is about: the largest; of two that are nearly as large the one nearer to the middle.
pub fn main_face(faces: &[FaceBox], size: (u32, u32)) -> Option<&FaceBox> {
    let weight = |face: &FaceBox| {
        let (x, y) = face.center();
        let off = f32::hypot(x / size.0 as f32 - 0.5, y / size.1 as f32 - 0.5);
        face.width * face.height * (1.0 - off.min(0.7))
    };
    faces.iter().filter(|face| face.is_sound(size)).max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

/// Faces that a viewer takes for a second person of the picture: at least a third as high as the main one.
pub(crate) fn prominent(faces: &[FaceBox], size: (u32, u32)) -> usize {
    let least = main_face(faces, size).map_or(0.0, |face| face.height / 3.0);
    faces.iter().filter(|face| face.is_sound(size) && face.height >= least).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, side: f32) -> FaceBox {
        FaceBox { x, y, width: side, height: side, score: 0.9 }
    }

    #[test]
    fn the_largest_face_counts_and_nonsense_does_not() {
        let faces =
            [face(0.0, 0.0, 60.0), face(200.0, 200.0, 90.0), face(300.0, 10.0, 20.0), face(f32::NAN, 0.0, 400.0)];
        assert_eq!(main_face(&faces, (500, 500)), Some(&faces[1]));
        assert_eq!(prominent(&faces, (500, 500)), 2, "the smallest is a passer-by");
        let alike = [face(0.0, 0.0, 80.0), face(210.0, 210.0, 78.0)];
        assert_eq!(main_face(&alike, (500, 500)), Some(&alike[1]), "nearly as large, and in the middle");
        assert_eq!(main_face(&[face(900.0, 0.0, 50.0), face(0.0, 0.0, 0.0)], (500, 500)), None);
    }
}
