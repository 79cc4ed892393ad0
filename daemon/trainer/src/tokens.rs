//! The new tokens of a concept: their names, their first rows, and the spread that they should keep.

use crate::{
    Error, Result,
    rng::{Purpose, Rng},
};
use diffusion::{
    TextEncoder,
    tokenizer::{Tokenizer, VOCABULARY},
};
use kernels::Tensor;

/// `<s0>`, `<s1>`, ...
pub fn token_names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("<s{i}>")).collect()
}

/// How new rows start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenInit {
    /// Normal, with the mean row and the overall deviation of the vocabulary.
    Random,
    /// As the tokens of a word; the first repeats if the word has fewer.
    Word(String),
}

impl TokenInit {
    /// The first rows of `count` tokens for each encoder, `[count, width]` row major.
    ///
    /// # Errors
    /// If the word has no tokens.
    pub fn rows(&self, text: &TextEncoder, count: usize, seed: u64) -> Result<Vec<Vec<f32>>> {
        let ids = match self {
            Self::Random => Vec::new(),
            Self::Word(word) => {
                let ids = Tokenizer::new(&[])?.words(word)?;
                if ids.is_empty() {
                    return Err(Error::Invalid(format!("token init `{word}` has no tokens; give a word or `random`")));
                }
                (0..count).map(|i| *ids.get(i).unwrap_or(&ids[0])).collect()
            }
        };
        let mut rng = Rng::new(seed, 0, Purpose::Init);
        text.encoders()
            .map(|(_, encoder)| {
                let table = encoder.table();
                if !ids.is_empty() {
                    let rows = ids.iter().map(|&id| Ok(table.get(id as usize)?.to_vec::<f32>()?));
                    return Ok(rows.collect::<Result<Vec<_>>>()?.concat());
                }
                let (mean, deviation) = spread(table)?;
                let noise = rng.normals(count * mean.len());
                Ok(noise.iter().enumerate().map(|(i, z)| mean[i % mean.len()] + deviation * z).collect())
            })
            .collect()
    }
}

/// Mean row and overall standard deviation of a table.
fn spread(table: &Tensor) -> Result<(Vec<f32>, f32)> {
    let (rows, width) = table.dims2()?;
    let (mut sums, mut squares) = (vec![0f64; width], 0f64);
    for start in (0..rows).step_by(1024) {
        let part = table.narrow(0, start, 1024.min(rows - start))?.to_vec::<f32>()?;
        for (i, x) in part.iter().map(|&x| f64::from(x)).enumerate() {
            sums[i % width] += x;
            squares += x * x;
        }
    }
    let count = (rows * width) as f64;
    let mean = sums.iter().sum::<f64>() / count;
    let deviation = (squares / count - mean * mean).sqrt();
    Ok((sums.iter().map(|s| (s / rows as f64) as f32).collect(), deviation as f32))
}

/// The spread that rows of one encoder are drawn towards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenTarget {
    /// Mean of the rows' standard deviations.
    pub mean: f64,
    /// Their variance, divided by that mean: the scale of the penalty.
    pub variance: f64,
}

impl TokenTarget {
    /// Of a vocabulary `[49408, width]` with the new rows at their first values behind it, as Eden measures it.
    ///
    /// # Errors
    /// If the tables cannot be read.
    pub fn new(table: &Tensor, rows: &Tensor) -> Result<Self> {
        let mut deviations = kernels::row_std(table)?.to_vec::<f64>()?;
        debug_assert_eq!(deviations.len(), VOCABULARY);
        deviations.extend(kernels::row_std(rows)?.to_vec::<f64>()?);
        let count = deviations.len() as f64;
        let mean = deviations.iter().sum::<f64>() / count;
        let variance = deviations.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Ok(Self { mean, variance: variance / mean })
    }
}
