//! Prompts of a run: how long they are, and the moment from which what they mean is known for good.

use super::{Setup, batches::Batches, samples};
use crate::{Observer, Result, prompts::Prompts};
use diffusion::tokenizer::{CHUNKS, TokenIds};
use protocol::Event;
use trainer::Trainer;

/// Encodes everything that will be asked for and unloads the text encoders, in which nothing learns any more.
pub(super) fn freeze(trainer: &mut Trainer, setup: &Setup, batches: &Batches, prompts: &Prompts) -> Result<()> {
    let asked = samples::asked(setup, prompts)?;
    let known: Vec<TokenIds> = batches.prompts().cloned().chain(asked).collect();
    Ok(trainer.freeze_text(&known)?)
}

/// Parts of the longest prompt; says which prompts have more than one.
pub(super) fn longest(setup: &Setup, prompts: &Prompts, observer: &mut dyn Observer) -> Result<usize> {
    let mut longest = 1;
    for example in &setup.latents.examples {
        let ids = prompts.encode(&example.prompt)?;
        longest = longest.max(ids.chunks());
        let what = match ids.truncated {
            true => format!("longer than {} tokens; the rest is not learnt", 75 * CHUNKS),
            false if ids.chunks() > 1 => "longer than 75 tokens; shorter ones are learnt better, and faster".to_owned(),
            false => continue,
        };
        observer.see(&Event::Note { text: format!("{}: its prompt is {what}", example.name) });
    }
    Ok(longest)
}
