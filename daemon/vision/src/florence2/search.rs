//! Which token comes next: greedy and beam search by the rules of transformers' `generate`.
//!
//! Beams follow `_beam_search` of transformers 5 (5.23), including that scores are 32-bit floats and that -1e9 stands
//! for "out of the race"; logits are constrained before they are compared.

use crate::error::{Error, Result};

/// When a search with beams ends before all beams have run to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStopping {
    /// As soon as there are as many whole captions as beams.
    Yes,
    /// When no open beam, scored at its present length, could still win.
    No,
    /// When no open beam could win at the greatest length.
    Never,
}

/// How tokens are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The token that a caption starts with.
    pub start: i64,
    /// The tokens that end one.
    pub end: Vec<i64>,
    /// The token that must follow the start, if one must.
    pub first: Option<i64>,
    /// The token that must stand at the greatest length, if one must.
    pub last: Option<i64>,
    /// No sequence of so many tokens comes twice; 0 allows all.
    pub no_repeat: usize,
    /// The most tokens behind the start.
    pub max_tokens: usize,
    /// How many captions are followed at once.
    pub beams: usize,
    /// The power of the length by which a caption's score is divided.
    pub length_penalty: f64,
    /// When the search may end.
    pub early_stopping: EarlyStopping,
}

/// Gives the logits behind one token for each beam; each beam goes on from the beam of the step before that is named.
pub(super) type Next<'a> = dyn FnMut(&[usize], &[i64]) -> Result<Vec<f32>> + 'a;

/// Out of the race.
const OUT: f32 = -1e9;

/// The best caption's tokens, from the start on, and with beams its score.
pub(super) fn search(rules: &Rules, next: &mut Next<'_>) -> Result<(Vec<i64>, Option<f32>)> {
    if rules.beams <= 1 {
        Ok((greedy(rules, next)?, None))
    } else {
        beams(rules, next).map(|(ids, score)| (ids, Some(score)))
    }
}

fn greedy(rules: &Rules, next: &mut Next<'_>) -> Result<Vec<i64>> {
    let mut ids = vec![rules.start];
    while !rules.ends(&ids) {
        let token = ids[ids.len() - 1];
        let mut logits = next(&[0], &[token])?;
        rules.constrain(&ids, &mut logits)?;
        let best = top(logits.iter().copied(), 1);
        ids.push(best[0].0 as i64);
    }
    Ok(ids)
}

impl Rules {
    /// Whether a caption is whole; the start alone never is.
    fn ends(&self, ids: &[i64]) -> bool {
        ids.len() > 1 && (self.end.contains(&ids[ids.len() - 1]) || ids.len() > self.max_tokens)
    }

    /// Forbids and forces tokens behind `ids`.
    fn constrain(&self, ids: &[i64], scores: &mut [f32]) -> Result<()> {
        if ids.len() == self.max_tokens
            && let Some(last) = self.last
        {
            return force(scores, last);
        }
        if ids.len() == 1
            && let Some(first) = self.first
        {
            return force(scores, first);
        }
        if self.no_repeat > 0 && ids.len() + 1 >= self.no_repeat {
            let ahead = &ids[ids.len() + 1 - self.no_repeat..];
            for seen in ids.windows(self.no_repeat).filter(|seen| seen.starts_with(ahead)) {
                let again = usize::try_from(seen[self.no_repeat - 1]).ok().and_then(|token| scores.get_mut(token));
                again.into_iter().for_each(|score| *score = f32::NEG_INFINITY);
            }
        }
        Ok(())
    }
}

fn force(scores: &mut [f32], token: i64) -> Result<()> {
    scores.fill(f32::NEG_INFINITY);
    let forced = usize::try_from(token).ok().and_then(|token| scores.get_mut(token));
    let unknown = || Error::model("generation_config.json".as_ref(), format!("the model has no token {token}"));
    *forced.ok_or_else(unknown)? = 0.0;
    Ok(())
}

/// A caption, open or whole.
#[derive(Clone)]
struct Beam {
    ids: Vec<i64>,
    score: f32,
    whole: bool,
    /// The beam of the step before that it goes on from.
    parent: usize,
}

fn beams(rules: &Rules, next: &mut Next<'_>) -> Result<(Vec<i64>, f32)> {
    let count = rules.beams;
    let kept = (1 + rules.end.len()).max(2) * count;
    let blank = |score| Beam { ids: vec![rules.start], score, whole: false, parent: 0 };
    // All beams are the same at first; only one of them is in the race.
    let mut open: Vec<Beam> = (0..count).map(|beam| blank(if beam == 0 { 0.0 } else { OUT })).collect();
    let mut best: Vec<Beam> = vec![blank(OUT); count];
    let mut may_improve = true;
    loop {
        let length = open[0].ids.len();
        let scores = continued(rules, &open, next)?;
        let vocabulary = scores.len() / count;
        let mut candidates: Vec<Beam> = Vec::with_capacity(kept);
        for (index, score) in top(scores.into_iter(), kept) {
            let (parent, token) = (index / vocabulary, (index % vocabulary) as i64);
            let mut ids = open[parent].ids.clone();
            ids.push(token);
            let whole = rules.ends(&ids);
            candidates.push(Beam { ids, score, whole, parent });
        }
        let stuck = candidates.iter().all(|beam| beam.whole);
        open = next_open(&candidates, count);
        let full = best.iter().all(|beam| beam.whole) && rules.early_stopping == EarlyStopping::Yes;
        best = next_best(rules, best, candidates, length, full || !may_improve);

        may_improve = may_improve && could_improve(rules, &open, &best, length);
        let full = best.iter().all(|beam| beam.whole) && rules.early_stopping == EarlyStopping::Yes;
        if stuck || full || !may_improve {
            let first = best.swap_remove(0);
            return Ok((first.ids, first.score));
        }
    }
}

/// Log probabilities of all continuations of all open beams, with what the beams had before.
fn continued(rules: &Rules, open: &[Beam], next: &mut Next<'_>) -> Result<Vec<f32>> {
    let parents: Vec<usize> = open.iter().map(|beam| beam.parent).collect();
    let tokens: Vec<i64> = open.iter().map(|beam| beam.ids[beam.ids.len() - 1]).collect();
    let mut scores = next(&parents, &tokens)?;
    let vocabulary = scores.len() / open.len();
    if vocabulary < 1 + rules.end.len().max(1) {
        return Err(Error::model("decoder_model_merged.onnx".as_ref(), format!("it knows only {vocabulary} tokens")));
    }
    for (row, beam) in scores.chunks_exact_mut(vocabulary).zip(open) {
        log_softmax(row);
        rules.constrain(&beam.ids, row)?;
        row.iter_mut().for_each(|score| *score += beam.score);
    }
    Ok(scores)
}

/// The best candidates that are still open.
fn next_open(candidates: &[Beam], count: usize) -> Vec<Beam> {
    let running = |beam: &Beam| beam.score + if beam.whole { OUT } else { 0.0 };
    let chosen = top(candidates.iter().map(running), count);
    chosen.into_iter().map(|(index, score)| Beam { score, ..candidates[index].clone() }).collect()
}

/// The best whole captions, old and new; only the foremost candidates count, the others are there as a reserve.
fn next_best(rules: &Rules, best: Vec<Beam>, candidates: Vec<Beam>, length: usize, closed: bool) -> Vec<Beam> {
    let count = best.len();
    let penalty = (length as f64).powf(rules.length_penalty) as f32;
    let mut all = best;
    for (place, mut beam) in candidates.into_iter().enumerate() {
        beam.whole = beam.whole && place < count;
        beam.score /= penalty;
        beam.score += if closed { OUT } else { 0.0 };
        beam.score += if beam.whole { 0.0 } else { OUT };
        all.push(beam);
    }
    let chosen = top(all.iter().map(|beam| beam.score), count);
    chosen.into_iter().map(|(index, _)| all[index].clone()).collect()
}

/// Whether the best open beam could still beat the worst whole caption.
fn could_improve(rules: &Rules, open: &[Beam], best: &[Beam], length: usize) -> bool {
    let reach = if rules.early_stopping == EarlyStopping::Never && rules.length_penalty > 0.0 {
        rules.max_tokens
    } else {
        length
    };
    let hope = open[0].score / (reach as f64).powf(rules.length_penalty) as f32;
    let worst = best.iter().map(|beam| beam.score).fold(f32::INFINITY, f32::min);
    best.iter().any(|beam| hope > if beam.whole { worst } else { OUT })
}

fn log_softmax(row: &mut [f32]) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|value| f64::from((value - max).exp())).sum();
    let log = sum.ln() as f32;
    row.iter_mut().for_each(|value| *value = *value - max - log);
}

/// The `count` greatest values with their places, the greatest first and of equals the foremost.
fn top(values: impl Iterator<Item = f32>, count: usize) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(count + 1);
    for (index, value) in values.enumerate() {
        if best.len() == count && best.last().is_none_or(|(_, least)| value <= *least) {
            continue;
        }
        let place = best.partition_point(|(_, better)| *better >= value);
        best.insert(place, (index, value));
        best.truncate(count);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: usize = 24;

    /// The table of `tests/captioners/make_search.py`.
    fn logits(position: usize, token: i64) -> Vec<f32> {
        let mut state = position as u64 * 1000 + token as u64 + 1;
        let mut row: Vec<f32> = (0..VOCABULARY)
            .map(|_| {
                for _ in 0..3 {
                    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
                }
                (state >> 8 & 0xffff) as f32 / 8192.0
            })
            .collect();
        row[2] = row[2] / 2.0 + position as f32 / 4.0;
        row
    }

    /// Beams, early stopping, length penalty, no repeat, forced first, most tokens; tokens, score.
    type Case = (usize, serde_json::Value, f64, usize, Option<i64>, usize, Vec<i64>, Option<f32>);

    #[test]
    fn every_rule_chooses_what_transformers_chooses() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/captioners/search/expected.json");
        let text = std::fs::read_to_string(path).expect("the cases");
        let cases: Vec<Case> = serde_json::from_str(&text).expect("cases");
        for (beams, early, length_penalty, no_repeat, first, max_tokens, ids, score) in cases {
            let early_stopping = match early.as_bool() {
                Some(true) => EarlyStopping::Yes,
                Some(false) => EarlyStopping::No,
                None => EarlyStopping::Never,
            };
            let name = format!("{beams} {early_stopping:?} {length_penalty} {no_repeat} {first:?} {max_tokens}");
            let last = (no_repeat > 0).then_some(2);
            let end = vec![2];
            let rules =
                Rules { start: 1, end, first, last, no_repeat, max_tokens, beams, length_penalty, early_stopping };
            let mut position = 0;
            let mut next = |_: &[usize], tokens: &[i64]| {
                let rows = tokens.iter().flat_map(|token| logits(position, *token)).collect();
                position += 1;
                Ok(rows)
            };
            let (got, got_score) = search(&rules, &mut next).expect("nothing fails");
            assert_eq!(got, ids, "{name}");
            match (got_score, score) {
                (Some(got), Some(wanted)) => assert!((got - wanted).abs() < 1e-4, "{name}: {got} for {wanted}"),
                (got, wanted) => assert_eq!(got, wanted, "{name}"),
            }
        }
    }

    #[test]
    fn a_token_that_the_model_lacks_is_an_error() {
        let mut next = |_: &[usize], tokens: &[i64]| Ok(vec![0.0; 4 * tokens.len()]);
        for beams in [1, 2] {
            let rules = Rules {
                start: 1,
                end: vec![2],
                first: Some(9),
                last: None,
                no_repeat: 3,
                max_tokens: 5,
                beams,
                length_penalty: 1.0,
                early_stopping: EarlyStopping::Yes,
            };
            search(&rules, &mut next).expect_err("there is no token 9");
        }
    }
}
