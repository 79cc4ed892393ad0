//! `tokenizer.json` of a published model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::read;
use crate::error::{Error, Result};

/// No vocabulary of the models that are known here is longer (bytes); CLIP's has 2 MB.
const MAX_BYTES: u64 = 32 << 20;

/// The tokenizer in a folder, without the truncation and padding that its file may ask for.
pub(crate) fn tokenizer(folder: &Path) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    let bytes = read(&path, MAX_BYTES)?;
    parse(&bytes).map_err(|what| Error::model(&path, format!("it is no tokenizer ({what})")))
}

/// What the bytes of a `tokenizer.json` say.
fn parse(bytes: &[u8]) -> std::result::Result<Tokenizer, String> {
    // The reader of `tokenizers` panics at JSON that breaks off inside some parts, and at odd values in others.
    serde_json::from_slice::<Value>(bytes).map_err(|error| error.to_string())?;
    let mut tokenizer = guarded(|| Tokenizer::from_bytes(bytes))?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
    Ok(tokenizer)
}

/// The tokens of a text; `marks` puts those around it that the model wants.
pub(crate) fn encode(tokenizer: &Tokenizer, text: &str, marks: bool) -> std::result::Result<Vec<u32>, String> {
    guarded(|| tokenizer.encode(text, marks)).map(|encoding| encoding.get_ids().to_vec())
}

/// The text of tokens, without marks.
pub(crate) fn decode(tokenizer: &Tokenizer, ids: &[u32]) -> std::result::Result<String, String> {
    guarded(|| tokenizer.decode(ids, true))
}

/// A tokenizer of which a part does not fit the others panics when it is used: nothing of it is shared, and it is only read.
fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its parts don't fit together".to_owned()),
    }
}
