//! From prompts to token ids: the concept's word becomes its new tokens.

use crate::{Result, mode};
use diffusion::tokenizer::{TokenIds, Tokenizer, replace_placeholder};
use protocol::Mode;
use trainer::token_names;

/// The place of the concept in a prompt.
pub(crate) const CONCEPT: &str = "<concept>";

/// Encodes prompts of one concept.
pub(crate) struct Prompts {
    tokenizer: Tokenizer,
    stand_in: String,
}

impl Prompts {
    /// With `tokens` new tokens; with none the name itself is the trigger word.
    pub fn new(tokens: usize, name: &str) -> Result<Self> {
        let names = token_names(tokens);
        let stand_in = if tokens == 0 { name.to_owned() } else { names.concat() };
        Ok(Self { tokenizer: Tokenizer::new(&names)?, stand_in })
    }

    /// The ids of a prompt that may hold `<concept>`.
    pub fn encode(&self, prompt: &str) -> Result<TokenIds> {
        Ok(self.tokenizer.encode(&replace_placeholder(prompt, CONCEPT, &self.stand_in))?)
    }
}

/// The training prompt of a picture: its own with the concept in it, or the mode's.
pub(crate) fn training_prompt(caption: Option<&str>, name: &str, mode: Mode) -> String {
    match caption {
        None => mode::bare_prompt(mode).to_owned(),
        Some(caption) => mode::with_concept(mode, &dataset::bind_concept(caption, name)),
    }
}
