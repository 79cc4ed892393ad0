//! `generation_config.json`: how the model's authors choose tokens. What it doesn't say is Florence-2's own.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::search::{EarlyStopping, Rules};
use crate::error::{Error, Result};

/// The file's keys that count here.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Generation {
    decoder_start_token_id: i64,
    eos_token_id: OneOrMore,
    forced_bos_token_id: Option<i64>,
    forced_eos_token_id: Option<i64>,
    no_repeat_ngram_size: usize,
    length_penalty: f64,
    early_stopping: Early,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(i64),
    More(Vec<i64>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Early {
    Yes(bool),
    Word(String),
}

impl Default for Generation {
    fn default() -> Self {
        Self {
            decoder_start_token_id: 2,
            eos_token_id: OneOrMore::One(2),
            forced_bos_token_id: Some(0),
            forced_eos_token_id: Some(2),
            no_repeat_ngram_size: 3,
            length_penalty: 1.0,
            early_stopping: Early::Yes(true),
        }
    }
}

impl Generation {
    /// Reads the file; Florence-2's own rules where there is none.
    pub fn read(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(bytes) => {
                let broken = |error| Error::model(path, format!("it doesn't say how tokens are chosen ({error})"));
                serde_json::from_slice(&bytes).map_err(broken)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::model(path, format!("it can't be read ({error})"))),
        }
    }

    pub fn rules(&self, beams: usize, max_tokens: usize) -> Rules {
        let end = match &self.eos_token_id {
            OneOrMore::One(id) => vec![*id],
            OneOrMore::More(ids) => ids.clone(),
        };
        let early_stopping = match &self.early_stopping {
            Early::Yes(true) => EarlyStopping::Yes,
            Early::Word(word) if word == "never" => EarlyStopping::Never,
            Early::Yes(false) | Early::Word(_) => EarlyStopping::No,
        };
        Rules {
            start: self.decoder_start_token_id,
            end,
            first: self.forced_bos_token_id,
            last: self.forced_eos_token_id,
            no_repeat: self.no_repeat_ngram_size,
            max_tokens,
            beams,
            length_penalty: self.length_penalty,
            early_stopping,
        }
    }
}
