//! Questions as tokens, and tokens as words.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::Tokenizer;

use crate::error::{Error, Result};

/// No tokenizer file is longer than this many bytes; the real one has 1.4 million.
const MAX_BYTES: u64 = 64 << 20;

/// The tokenizer of an export (byte pairs, as of RoBERTa, with `<s>` before and `</s>` behind).
pub(super) struct Text {
    path: PathBuf,
    tokenizer: Tokenizer,
}

impl Text {
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |what: String| Error::model(path, format!("it is no tokenizer ({what})"));
        let file = File::open(path).map_err(|error| Error::model(path, format!("it can't be read ({error})")))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(broken(format!("it is longer than {} MiB", MAX_BYTES >> 20)));
        }
        // The reader of `tokenizers` panics at JSON that breaks off inside some parts.
        serde_json::from_slice::<Value>(&bytes).map_err(|error| broken(error.to_string()))?;
        let mut tokenizer = guarded(|| Tokenizer::from_bytes(&bytes)).map_err(broken)?;
        // Questions go in whole and alone, whatever the file asks for.
        tokenizer.with_truncation(None).map_err(|error| broken(error.to_string()))?;
        tokenizer.with_padding(None);
        Ok(Self { path: path.to_owned(), tokenizer })
    }

    pub fn ids(&self, text: &str) -> Result<Vec<i64>> {
        let encoding = guarded(|| self.tokenizer.encode(text, true)).map_err(|what| Error::model(&self.path, what))?;
        Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
    }

    /// The words of tokens without what frames them (`pure_text` of the authors' processor).
    pub fn words(&self, ids: &[i64]) -> Result<String> {
        let ids: Vec<u32> = ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect();
        let text = guarded(|| self.tokenizer.decode(&ids, false)).map_err(|what| Error::model(&self.path, what))?;
        Ok(["<s>", "</s>", "<pad>"].iter().fold(text, |text, frame| text.replace(frame, "")).trim().to_owned())
    }
}

/// A tokenizer of which a part doesn't fit the others panics when it is used; nothing of it is changed by that.
fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => outcome.map_err(|error| error.to_string()),
        Err(_) => Err("its parts don't fit together".to_owned()),
    }
}
