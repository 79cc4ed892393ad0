//! `selected_tags.csv`: which tag each of a WD14 tagger's outputs stands for.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::captioner::TagKind;
use crate::error::{Error, Result};

/// One row of the list; `None` for kinds that no tagger of this family has (artists, copyrights).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub name: String,
    pub kind: Option<TagKind>,
}

/// No list is longer than this many bytes; the real ones have 300 to 500 thousand.
const MAX_BYTES: u64 = 16 << 20;

/// The list of the model at `model`: `selected_tags.csv` in its folder, or the file of the model's name (as
/// ComfyUI-WD14-Tagger keeps it).
pub fn tags_beside(model: &Path) -> PathBuf {
    let named = model.with_extension("csv");
    let usual = model.with_file_name("selected_tags.csv");
    if named.is_file() && !usual.is_file() { named } else { usual }
}

/// Reads a list; its columns `name` and `category` count (9: rating, 0: general, 4: character).
pub(super) fn read(path: &Path) -> Result<Vec<Label>> {
    let broken = |what: String| Error::model(path, format!("it is no list of tags ({what})"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Error::model(path, format!("it can't be read ({error})")))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(broken(format!("it is longer than {} MiB", MAX_BYTES >> 20)));
    }
    let mut rows = csv::Reader::from_reader(bytes.as_slice());
    let headers = rows.headers().map_err(|error| broken(error.to_string()))?;
    let column = |name: &str| headers.iter().position(|header| header.trim_start_matches('\u{feff}').trim() == name);
    let columns = (column("name"), column("category"));
    let (Some(name), Some(category)) = columns else {
        return Err(broken("its first line must name the columns `name` and `category`".to_owned()));
    };
    let mut labels = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|error| broken(error.to_string()))?;
        let (name, category) = (row.get(name).unwrap_or_default(), row.get(category).unwrap_or_default());
        if name.is_empty() {
            return Err(broken(format!("tag {} has no name", labels.len() + 1)));
        }
        let kind = match category.trim() {
            "9" => Some(TagKind::Rating),
            "0" => Some(TagKind::General),
            "4" => Some(TagKind::Character),
            other if other.parse::<u32>().is_ok() => None,
            other => return Err(broken(format!("tag {} has the category `{other}`", labels.len() + 1))),
        };
        labels.push(Label { name: name.to_owned(), kind });
    }
    if labels.is_empty() {
        return Err(broken("it has no tags".to_owned()));
    }
    Ok(labels)
}
