//! `tokenizer.json` of a published model.

use std::path::Path;

use tokenizers::Tokenizer;

use super::read;
use crate::error::{Error, Result};

/// No vocabulary of the models that are known here is longer (bytes); CLIP's has 2 MB.
const MAX_BYTES: u64 = 32 << 20;

/// The tokenizer in a folder, without the truncation and padding that its file may ask for.
pub(crate) fn tokenizer(folder: &Path) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    let bytes = read(&path, MAX_BYTES)?;
    let wrong = |error: tokenizers::Error| Error::model(&path, format!("it is no tokenizer ({error})"));
    let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(wrong)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(wrong)?;
    Ok(tokenizer)
}
