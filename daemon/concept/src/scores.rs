//! Which snapshot at which strength is the best, by what models see in pictures that are drawn with it: a loss falls on while
//! a concept begins to show nothing but its training pictures.

use crate::{Applied, Base, Bundle, Painter, Plan, Result, RunFolder, Stopwatch, brush::PictureRequest};
use diffusion::layer::Precision;
use image::RgbImage;
use protocol::{Part, ScoreView, Scores};

/// Strengths that are tried.
const STRENGTHS: [f64; 3] = [0.5, 0.75, 1.0];
/// Prompts that are drawn, of those of the plan.
const PROMPTS: usize = 2;
/// Snapshots that are tried: the last ones, since the first half of a run has learnt too little.
const SNAPSHOTS: usize = 4;

/// Whoever looks at drawn pictures.
pub trait Judge {
    /// How much a picture shows the concept, from -1 to 1; `None` if that cannot be said.
    fn likeness(&mut self, picture: &RgbImage) -> Option<f64>;

    /// How much a picture shows what its prompt says, from -1 to 1; `None` if that cannot be said.
    fn obedience(&mut self, picture: &RgbImage, prompt: &str) -> Option<f64>;
}

/// Draws the plan's prompts with the last snapshots at several strengths, always from the same seeds, and has them judged.
///
/// # Errors
/// If a snapshot cannot be read or drawn with, or `stop` says so.
pub(crate) fn score(
    folder: &RunFolder,
    base: &Base,
    precision: &Precision,
    plan: &Plan,
    judge: &mut dyn Judge,
    watch: &Stopwatch,
    mut stop: impl FnMut() -> bool,
) -> Result<Scores> {
    let mut painter = watch.time(Part::Model, || Painter::load(&base.checkpoint, precision))?;
    let steps = folder.snapshots()?;
    let mut rows = Vec::new();
    for &step in &steps[steps.len().saturating_sub(SNAPSHOTS)..] {
        let bundle = Bundle::read(&folder.snapshot_file(step))?;
        for strength in STRENGTHS {
            painter.apply(&[Applied { bundle: &bundle, strength }])?;
            let (mut likeness, mut obedience) = (Vec::new(), Vec::new());
            for place in 0..plan.sample_prompts.len().min(PROMPTS) {
                for picture in painter.draw(&PictureRequest::sample(plan, place), &mut stop)? {
                    likeness.extend(judge.likeness(&picture));
                    obedience.extend(judge.obedience(&picture, &plan.sample_prompts[place]));
                }
            }
            rows.push(ScoreView { step, strength, likeness: mean(&likeness), obedience: mean(&obedience), total: 0.0 });
        }
    }
    Ok(ranked(rows))
}

/// Both measures count alike, each from the worst to the best of the table; what could not be measured counts as the worst.
fn ranked(mut rows: Vec<ScoreView>) -> Scores {
    let shares: Vec<[Option<f64>; 2]> = {
        let of = |measure: fn(&ScoreView) -> Option<f64>| share_of(&rows, measure);
        let (likeness, obedience) = (of(|row| row.likeness), of(|row| row.obedience));
        likeness.into_iter().zip(obedience).map(|(likeness, obedience)| [likeness, obedience]).collect()
    };
    for (row, shares) in rows.iter_mut().zip(&shares) {
        let known: Vec<f64> = shares.iter().flatten().copied().collect();
        row.total = mean(&known).unwrap_or_default();
    }
    // Of equals the earlier and weaker one: it leaves a prompt more room.
    let best = rows.iter().fold(None::<&ScoreView>, |best, row| match best {
        Some(best) if best.total >= row.total => Some(best),
        _ => Some(row),
    });
    Scores { best: best.cloned(), rows }
}

/// Where each row lies between the worst and the best; none if nobody measured any.
fn share_of(rows: &[ScoreView], measure: fn(&ScoreView) -> Option<f64>) -> Vec<Option<f64>> {
    let known = || rows.iter().filter_map(measure);
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    let share = |row| match measure(row) {
        _ if most < least => None,
        Some(value) if most > least => Some((value - least) / (most - least)),
        Some(_) => Some(1.0),
        None => Some(0.0),
    };
    rows.iter().map(share).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, likeness: Option<f64>, obedience: Option<f64>) -> ScoreView {
        ScoreView { step, strength: 1.0, likeness, obedience, total: 0.0 }
    }

    #[test]
    fn the_best_is_like_the_concept_and_obeys() {
        // The last is the most like, and draws nothing else any more.
        let scores =
            ranked(vec![row(1, Some(0.2), Some(0.30)), row(2, Some(0.7), Some(0.28)), row(3, Some(0.8), Some(0.10))]);
        assert_eq!(scores.best.map(|best| best.step), Some(2));
    }

    #[test]
    fn one_measure_alone_decides_and_no_face_is_the_worst() {
        let scores = ranked(vec![row(1, Some(0.2), None), row(2, None, None), row(3, Some(0.2), None)]);
        assert_eq!(scores.rows.iter().map(|row| row.total).collect::<Vec<_>>(), [1.0, 0.0, 1.0]);
        assert_eq!(scores.best.map(|best| best.step), Some(1), "of equals the first");
        assert_eq!(ranked(Vec::new()).best, None);
    }
}
