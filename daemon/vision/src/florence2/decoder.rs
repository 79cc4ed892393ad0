//! The decoder with its cache: one token for each beam in, logits of the next ones out.
//!
//! The merged export holds two graphs. The first step takes caches of length zero and `use_cache_branch` false; the later
//! ones only grow the decoder's own cache and give empty dummies for the encoder's, of which the first must be kept.

use std::borrow::Cow;

use ort::session::SessionInputValue;
use ort::value::DynValue;

use crate::error::{Error, Result};
use crate::session::{Session, Tensor, Values};

/// Keys or values of one layer; they stay in the runtime's memory between steps.
struct Cache {
    input: String,
    output: String,
    /// Of the encoder's vectors, which stay the same.
    encoder: bool,
    value: DynValue,
}

/// One caption on its way.
pub(super) struct Decoder<'m> {
    session: &'m mut Session,
    embed: &'m mut Session,
    mask: DynValue,
    hidden: DynValue,
    caches: Vec<Cache>,
    beams: usize,
    started: bool,
}

impl<'m> Decoder<'m> {
    /// A decoder of what the encoder made of a picture (`[1, tokens, width]`), for `beams` captions at once.
    pub fn new(session: &'m mut Session, embed: &'m mut Session, hidden: &Tensor, beams: usize) -> Result<Self> {
        let (length, width) = (hidden.dims[1], hidden.dims[2]);
        let repeated = hidden.floats().unwrap_or_default().repeat(beams);
        let mask = session.value("encoder_attention_mask", Tensor::i64(&[beams, length], vec![1; beams * length]))?;
        let hidden = session.value("encoder_hidden_states", Tensor::f32(&[beams, length, width], repeated))?;
        session.output("logits")?;
        session.input("use_cache_branch")?;
        let caches = caches(session, beams)?;
        Ok(Self { session, embed, mask, hidden, caches, beams, started: false })
    }

    /// The logits after `tokens`, one for each beam, of which beam i goes on from what was beam `parents[i]` before:
    /// `[beams, vocabulary]` in a row.
    pub fn next(&mut self, parents: &[usize], tokens: &[i64]) -> Result<Vec<f32>> {
        if self.started && parents.iter().enumerate().any(|(beam, parent)| beam != *parent) {
            self.reorder(parents)?;
        }
        let ids = self.embed.value("input_ids", Tensor::i64(&[self.beams, 1], tokens.to_vec()))?;
        let embedded = self.embed.run_values(vec![(Cow::Borrowed("input_ids"), SessionInputValue::from(ids))])?;
        let embeds = embedded.into_iter().find(|(name, _)| name == "inputs_embeds").map(|(_, value)| value);
        let embeds = embeds.ok_or_else(|| Error::model(self.embed.path(), "it gave no `inputs_embeds`"))?;
        let outputs = self.step(embeds)?;
        let logits = self.keep(outputs)?;
        self.started = true;
        self.last_row(logits)
    }

    fn step(&mut self, embeds: DynValue) -> Result<Vec<(String, DynValue)>> {
        let cached = self.session.value("use_cache_branch", Tensor::bool(&[1], vec![self.started]))?;
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
            (Cow::Borrowed("encoder_attention_mask"), SessionInputValue::from(&self.mask)),
            (Cow::Borrowed("encoder_hidden_states"), SessionInputValue::from(&self.hidden)),
            (Cow::Borrowed("inputs_embeds"), SessionInputValue::from(embeds)),
            (Cow::Borrowed("use_cache_branch"), SessionInputValue::from(cached)),
        ];
        for cache in &self.caches {
            inputs.push((Cow::Borrowed(cache.input.as_str()), SessionInputValue::from(&cache.value)));
        }
        self.session.run_values(inputs)
    }

    /// Moves the new caches to their places and gives back the logits.
    fn keep(&mut self, outputs: Vec<(String, DynValue)>) -> Result<Tensor> {
        let mut logits = None;
        for (name, value) in outputs {
            if name == "logits" {
                logits = Some(self.session.tensor(&value)?);
            } else if let Some(cache) = self.caches.iter_mut().find(|cache| cache.output == name)
                && !(cache.encoder && self.started)
            {
                cache.value = value;
            }
        }
        logits.ok_or_else(|| Error::model(self.session.path(), "it gave no `logits`"))
    }

    /// The logits behind the last token of each beam.
    fn last_row(&self, logits: Tensor) -> Result<Vec<f32>> {
        let beams = self.beams;
        let other = |what: String| Error::model(self.session.path(), format!("it gave {what} instead of logits"));
        let ([rows, 1, vocabulary], Values::F32(values)) = (logits.dims.as_slice(), logits.values) else {
            return Err(other(format!("{:?}", logits.dims)));
        };
        if *rows != beams || *vocabulary == 0 || values.len() != beams * vocabulary {
            return Err(other(format!("[{rows}, 1, {vocabulary}]")));
        }
        if values.iter().any(|value| value.is_nan()) {
            return Err(other("values that are no numbers".to_owned()));
        }
        Ok(values)
    }

    /// Gives each beam the cache of the one that it goes on from. The encoder's is the same for all.
    fn reorder(&mut self, parents: &[usize]) -> Result<()> {
        for index in 0..self.caches.len() {
            if self.caches[index].encoder {
                continue;
            }
            let old = self.session.tensor(&self.caches[index].value)?;
            let values = old.floats().unwrap_or_default();
            let size = values.len() / self.beams;
            let mut chosen = Vec::with_capacity(values.len());
            for parent in parents {
                chosen.extend_from_slice(&values[parent * size..][..size]);
            }
            let name = self.caches[index].input.clone();
            self.caches[index].value = self.session.value(&name, Tensor::f32(&old.dims, chosen))?;
        }
        Ok(())
    }
}

/// Empty caches of the model's layers; heads and head sizes are read from its inputs.
fn caches(session: &Session, beams: usize) -> Result<Vec<Cache>> {
    let mut caches = Vec::new();
    for slot in session.inputs() {
        let Some(place) = slot.name.strip_prefix("past_key_values.") else { continue };
        let [_, Some(heads), _, Some(size)] = slot.dims[..] else {
            return Err(Error::model(session.path(), format!("its cache `{}` is {:?}", slot.name, slot.dims)));
        };
        let output = format!("present.{place}");
        session.output(&output)?;
        let value = session.value(&slot.name, Tensor::f32(&[beams, heads, 0, size], Vec::new()))?;
        caches.push(Cache { input: slot.name.clone(), output, encoder: place.contains(".encoder."), value });
    }
    if caches.is_empty() {
        return Err(Error::model(session.path(), "it has no cache (`past_key_values`); the merged decoder is needed"));
    }
    Ok(caches)
}
