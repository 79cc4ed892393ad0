//! `config.json` of a published model: fields with the defaults of transformers, held to limits.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use candle_nn::Activation;
use serde_json::{Map, Value};

use super::read;
use crate::error::{Error, Result};

/// No configuration is longer (bytes).
const MAX_BYTES: u64 = 1 << 20;

/// One object of a `config.json`.
pub(crate) struct Settings {
    path: PathBuf,
    /// Where the object lies in the file, with a full stop behind it, or nothing.
    prefix: String,
    fields: Map<String, Value>,
}

impl Settings {
    /// The configuration of the model in a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("config.json");
        let bytes = read(&path, MAX_BYTES)?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self { path, prefix: String::new(), fields }),
            Ok(_) => Err(Error::model(&path, "it is no JSON object")),
            Err(error) => Err(Error::model(&path, format!("it is no JSON ({error})"))),
        }
    }

    /// An object inside this one; none means that all its fields have their defaults.
    pub fn part(&self, name: &str) -> Result<Self> {
        let fields = match self.fields.get(name) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(fields)) => fields.clone(),
            Some(_) => return Err(self.wrong(name, "is no object")),
        };
        Ok(Self { path: self.path.clone(), prefix: format!("{}{name}.", self.prefix), fields })
    }

    /// A whole number within `limits`.
    pub fn size(&self, name: &str, default: usize, limits: RangeInclusive<usize>) -> Result<usize> {
        let value = match self.fields.get(name) {
            None | Some(Value::Null) => default,
            Some(value) => value
                .as_u64()
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| self.wrong(name, format!("is {}, no whole number", short(value))))?,
        };
        if !limits.contains(&value) {
            return Err(self.wrong(name, format!("is {value}, not from {} to {}", limits.start(), limits.end())));
        }
        Ok(value)
    }

    /// A small positive number, as is added to a variance before its root is taken.
    pub fn epsilon(&self, name: &str, default: f64) -> Result<f64> {
        let value = match self.fields.get(name) {
            None | Some(Value::Null) => Some(default),
            Some(value) => value.as_f64(),
        };
        value.filter(|value| (0.0..=0.1).contains(value)).ok_or_else(|| self.wrong(name, "is no number from 0 to 0.1"))
    }

    /// Whether something is on.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.wrong(name, "is neither true nor false")),
        }
    }

    /// A word.
    pub fn word(&self, name: &str, default: &str) -> Result<String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(default.to_owned()),
            Some(Value::String(value)) => Ok(value.chars().take(80).collect()),
            Some(_) => Err(self.wrong(name, "is no text")),
        }
    }

    /// The word must be the one that this program can do.
    pub fn expect(&self, name: &str, known: &str) -> Result<()> {
        let word = self.word(name, known)?;
        if word == known { Ok(()) } else { Err(self.wrong(name, format!("is `{word}`; only `{known}` is known here"))) }
    }

    /// The function between two layers of a block.
    pub fn activation(&self, default: &str) -> Result<Activation> {
        match self.word("hidden_act", default)?.as_str() {
            // The exact one, with the error function: transformers' "gelu" is no approximation.
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::NewGelu),
            "relu" => Ok(Activation::Relu),
            other => {
                Err(self
                    .wrong("hidden_act", format!("is `{other}`; gelu, gelu_new, gelu_pytorch_tanh and relu are known")))
            }
        }
    }

    /// Heads that divide the width evenly.
    pub fn heads(&self, default: usize, width: usize) -> Result<usize> {
        let heads = self.size("num_attention_heads", default, 1..=256)?;
        if !width.is_multiple_of(heads) {
            return Err(
                self.wrong("num_attention_heads", format!("is {heads}, which does not divide hidden_size ({width})"))
            );
        }
        Ok(heads)
    }

    /// Sides of the (square) picture and of a patch; the picture holds at least one.
    pub fn patches(&self, image: usize, patch: usize) -> Result<(usize, usize)> {
        let image = self.size("image_size", image, 8..=1024)?;
        let patch = self.size("patch_size", patch, 2..=64)?;
        if !image.is_multiple_of(patch) {
            return Err(self.wrong("patch_size", format!("is {patch}, which does not divide image_size ({image})")));
        }
        Ok((image, patch))
    }

    /// What is wrong with a field.
    pub fn wrong(&self, name: &str, what: impl Display) -> Error {
        Error::model(&self.path, format!("`{}{name}` {what}", self.prefix))
    }
}

/// A value as it may stand in a message.
fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}
