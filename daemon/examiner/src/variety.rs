//! How different the pictures of a set are: too little, or in style mode too much.

use crate::record::PictureRecord;

/// Fewer pictures say nothing about variety.
const FEWEST: usize = 4;
/// More are compared by a sample of this many: all pairs would take long.
const SAMPLE: usize = 400;
/// Median cosine of embeddings above which all pictures are alike. Chosen, not measured: photographs of one thing in
/// different places lie around 0.7 to 0.85 in CLIP's and DINOv2's spaces, frames of one scene above 0.95.
const ALIKE: f32 = 0.93;
/// Median likeness of backgrounds above which all are alike: pictures taken in one garage have 0.77 to 0.99, unrelated
/// photographs 0.1 to 0.56, scenes drawn on different grounds 0 to 0.3.
const SAME_BACKGROUND: f32 = 0.7;

/// Whether a model finds all pictures alike.
pub(crate) fn embedded_alike(records: &[&PictureRecord]) -> bool {
    embedded(records)
        && median_of_pairs(records, |a, b| cosine(&a.embedding, &b.embedding)).is_some_and(|median| median > ALIKE)
}

/// Whether the borders of all pictures have much the same colours and edges.
pub(crate) fn alike(records: &[&PictureRecord]) -> bool {
    let likeness = |a: &PictureRecord, b: &PictureRecord| a.looks.background_likeness(&b.looks);
    median_of_pairs(records, likeness).is_some_and(|median| median > SAME_BACKGROUND)
}

/// Whether all have embeddings of one length.
fn embedded(records: &[&PictureRecord]) -> bool {
    let length = records.first().map_or(0, |record| record.embedding.len());
    length > 0 && records.iter().all(|record| record.embedding.len() == length)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn median_of_pairs(
    records: &[&PictureRecord],
    likeness: impl Fn(&PictureRecord, &PictureRecord) -> f32,
) -> Option<f32> {
    if records.len() < FEWEST {
        return None;
    }
    let step = records.len().div_ceil(SAMPLE);
    let sample: Vec<&&PictureRecord> = records.iter().step_by(step).collect();
    let pairs = sample.iter().enumerate().flat_map(|(i, a)| sample[i + 1..].iter().map(move |b| (a, b)));
    let mut values: Vec<f32> = pairs.map(|(a, b)| likeness(a, b)).collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Means of two groups of styles are at least this far apart in flatness (of 0 to 1): drawings of flat colours and
/// photographs are by 0.3 to 0.9.
const FLATNESS: f32 = 0.3;
/// Pictures of a group are by so much more alike in a model's eyes than pictures of both. Chosen, not measured.
const SPLIT: f32 = 0.25;

/// The smaller of two groups that the set clearly falls into, and what sets it apart. Only what no eye could miss: how
/// colourful or how detailed pictures of one style are depends on what they show.
pub(crate) fn odd_ones<'a>(records: &[&'a PictureRecord]) -> Option<(Vec<&'a PictureRecord>, &'static str)> {
    if records.len() < FEWEST {
        return None;
    }
    by_flatness(records).or_else(|| {
        let step = records.len().div_ceil(SAMPLE);
        let sample: Vec<&PictureRecord> = records.iter().step_by(step).copied().collect();
        Some((by_embedding(&sample)?, "look quite different from the others"))
    })
}

fn by_flatness<'a>(records: &[&'a PictureRecord]) -> Option<(Vec<&'a PictureRecord>, &'static str)> {
    let mut sorted = records.to_vec();
    // By name where the values are the same, as they came.
    sorted.sort_by(|a, b| a.looks.flat.total_cmp(&b.looks.flat));
    let cut = gap(&sorted.iter().map(|record| record.looks.flat).collect::<Vec<_>>(), FLATNESS)?;
    let (shaded, flat) = sorted.split_at(cut);
    let (odd, difference) = match shaded.len() <= flat.len() {
        true => (shaded, "have shading or are photographs, the others are flat drawings"),
        false => (flat, "are flat drawings, the others have shading or are photographs"),
    };
    let mut odd = odd.to_vec();
    odd.sort_by(|a, b| a.name.cmp(&b.name));
    Some((odd, difference))
}

/// Two groups around the two pictures that are least alike.
fn by_embedding<'a>(records: &[&'a PictureRecord]) -> Option<Vec<&'a PictureRecord>> {
    if !embedded(records) {
        return None;
    }
    let like = |a: &PictureRecord, b: &PictureRecord| cosine(&a.embedding, &b.embedding);
    let pairs = (0..records.len()).flat_map(|a| (a + 1..records.len()).map(move |b| (a, b)));
    let (first, second) =
        pairs.min_by(|a, b| like(records[a.0], records[a.1]).total_cmp(&like(records[b.0], records[b.1])))?;
    let (mut left, mut right): (Vec<&PictureRecord>, Vec<&PictureRecord>) =
        records.iter().partition(|record| like(record, records[first]) >= like(record, records[second]));
    if left.len() < right.len() {
        std::mem::swap(&mut left, &mut right);
    }
    let mean = |a: &[&PictureRecord], b: &[&PictureRecord]| {
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b))).filter(|(a, b)| a.name != b.name);
        let (sum, count) = pairs.fold((0.0, 0.0), |(sum, count), (a, b)| (sum + like(a, b), count + 1.0));
        sum / f32::max(count, 1.0)
    };
    let enough = right.len() >= 2 && right.len() * 10 >= records.len();
    let clear = || mean(&left, &left).min(mean(&right, &right)) - mean(&left, &right) >= SPLIT;
    (enough && clear()).then_some(right)
}

/// Where sorted values fall into two groups: the gap between them is at least a third of the wanted distance of their
/// means and wider than any within, and neither group is a stray tenth.
fn gap(sorted: &[f32], apart: f32) -> Option<usize> {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let widest = (1..sorted.len()).max_by(|&a, &b| {
        let width = |at: usize| sorted[at] - sorted[at - 1];
        width(a).total_cmp(&width(b)).then(b.cmp(&a))
    })?;
    let (lower, higher) = sorted.split_at(widest);
    let smaller = lower.len().min(higher.len());
    let enough = smaller >= 2 && smaller * 10 >= sorted.len();
    let clear = sorted[widest] - sorted[widest - 1] >= apart / 3.0 && mean(higher) - mean(lower) >= apart;
    (enough && clear).then_some(widest)
}
