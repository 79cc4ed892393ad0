//! What prompts mean to the UNet, encoded once: as soon as nothing in the text encoders learns any more, they always say
//! the same, and their memory can be given back.

use crate::{Error, Result};
use diffusion::{Conditioning, TextEncoder, clip::TextBatch, layer::Tape, tokenizer::TokenIds};
use std::collections::HashMap;

/// The conditions of every prompt that will be asked for.
#[derive(Default)]
pub(crate) struct Contexts(HashMap<Vec<u32>, Conditioning>);

impl Contexts {
    /// Encodes each prompt by itself. On the CPU that gives the bytes that a batch of it gives: each prompt's sums have
    /// the same order in any company.
    pub fn new(text: &TextEncoder, prompts: &[TokenIds]) -> Result<Self> {
        let mut contexts = HashMap::new();
        for ids in prompts {
            if !contexts.contains_key(&ids.l) {
                let encoded = text.forward(&TextBatch::new(std::slice::from_ref(ids)), &mut Tape::off())?;
                contexts.insert(ids.l.clone(), encoded);
            }
        }
        Ok(Self(contexts))
    }

    /// The conditions of a batch.
    pub fn of(&self, batch: &TextBatch) -> Result<Conditioning> {
        let unknown = || Error::Invalid("bug: a prompt that was not known when the text encoders were unloaded".into());
        let parts = batch.prompts().map(|ids| self.0.get(ids).ok_or_else(unknown)).collect::<Result<Vec<_>>>()?;
        Ok(Conditioning::joined(&parts)?)
    }
}
