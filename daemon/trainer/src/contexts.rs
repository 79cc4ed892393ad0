//! What prompts mean to the UNet, encoded once: as soon as nothing in the text encoders learns any more, they always say
//! the same, and their memory can be given back.

use crate::{Error, Result};
use diffusion::{Conditioning, TextEncoder, clip::TextBatch, layer::Tape, tokenizer::TokenIds};
use kernels::Device;
use std::collections::HashMap;

/// The conditions of every prompt that will be asked for, in the processor's memory: thousands of them would fill a card.
pub(crate) struct Contexts(HashMap<Vec<u32>, Conditioning>);

/// Encodes each prompt of a batch by itself, and once. How many go together decides how sums are split and so their last
/// bits; alone, a prompt means the same in whatever company it comes.
pub(crate) fn encode_singly(text: &TextEncoder, batch: &TextBatch) -> Result<Conditioning> {
    let mut known = HashMap::new();
    for prompt in batch.singles() {
        if !known.contains_key(&prompt.l) {
            known.insert(prompt.l.clone(), text.forward(&prompt, &mut Tape::off())?);
        }
    }
    Ok(Conditioning::joined(&batch.singles().map(|prompt| &known[&prompt.l]).collect::<Vec<_>>())?)
}

impl Contexts {
    /// Encodes prompts as [`encode_singly`] does.
    pub fn new(text: &TextEncoder, prompts: &[TokenIds]) -> Result<Self> {
        let mut known = HashMap::new();
        for ids in prompts {
            if !known.contains_key(&ids.l) {
                let encoded = encode_singly(text, &TextBatch::new(std::slice::from_ref(ids)))?;
                known.insert(ids.l.clone(), encoded.to_device(&Device::Cpu)?);
            }
        }
        Ok(Self(known))
    }

    /// The conditions of a batch, on a device.
    pub fn of(&self, batch: &TextBatch, device: &Device) -> Result<Conditioning> {
        let unknown = || Error::Invalid("bug: a prompt that was not known when the text encoders were unloaded".into());
        let parts = batch.singles().map(|ids| self.0.get(&ids.l).ok_or_else(unknown)).collect::<Result<Vec<_>>>()?;
        Ok(Conditioning::joined(&parts)?.to_device(device)?)
    }
}
