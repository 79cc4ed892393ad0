//! What prompts mean to the UNet, encoded once: as soon as nothing in the text encoders learns any more, they always say
//! the same, and their memory can be given back.

use crate::{Error, Result};
use diffusion::{Conditioning, TextEncoder, clip::TextBatch, layer::Tape, tokenizer::TokenIds};
use std::collections::HashMap;

/// The conditions of every prompt that will be asked for.
#[derive(Default)]
pub(crate) struct Contexts(HashMap<Vec<u32>, Conditioning>);

/// Encodes each prompt of a batch by itself. How many go together decides how sums are split and so their last bits; alone,
/// a prompt means the same in whatever company it comes.
pub(crate) fn encode_singly(text: &TextEncoder, batch: &TextBatch) -> Result<Conditioning> {
    let encoded = batch.singles().map(|prompt| Ok(text.forward(&prompt, &mut Tape::off())?));
    let encoded = encoded.collect::<Result<Vec<_>>>()?;
    Ok(Conditioning::joined(&encoded.iter().collect::<Vec<_>>())?)
}

impl Contexts {
    /// Encodes prompts as [`encode_singly`] does.
    pub fn new(text: &TextEncoder, prompts: &[TokenIds]) -> Result<Self> {
        let mut contexts = HashMap::new();
        for ids in prompts {
            if !contexts.contains_key(&ids.l) {
                let encoded = encode_singly(text, &TextBatch::new(std::slice::from_ref(ids)))?;
                contexts.insert(ids.l.clone(), encoded);
            }
        }
        Ok(Self(contexts))
    }

    /// The conditions of a batch.
    pub fn of(&self, batch: &TextBatch) -> Result<Conditioning> {
        let unknown = || Error::Invalid("bug: a prompt that was not known when the text encoders were unloaded".into());
        let parts = batch.singles().map(|ids| self.0.get(&ids.l).ok_or_else(unknown)).collect::<Result<Vec<_>>>()?;
        Ok(Conditioning::joined(&parts)?)
    }
}
