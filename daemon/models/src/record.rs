//! The record of an installed model: `HOME/models/<id>/record.json`, written last and whole.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::is_sha256;
use crate::error::{ModelsError, Result};
use crate::form::{Form, Purpose};

/// The record's file name.
pub(crate) const NAME: &str = "record.json";
/// Bytes of a record.
const LARGEST: u64 = 1 << 20;
/// Files of a model.
const MOST_FILES: usize = 64;

/// Where an installed model came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// A file or folder of this machine.
    Folder {
        /// The folder that the files lie in.
        path: PathBuf,
    },
    /// A hub.
    Hub {
        /// `owner/name`.
        repository: String,
        /// The revision that was asked for.
        revision: String,
        /// The commit that it was then, 40 hex digits.
        commit: String,
    },
}

/// A file of an installed model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its role: one of [`Form::parts`], or a file with weights beside a graph.
    pub part: String,
    /// Where it is, absolute.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Whether this store fetched it.
    #[serde(default)]
    pub fetched: bool,
}

/// A model whose files are here and were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub id: String,
    /// Its contract.
    pub form: Form,
    /// Where it came from.
    pub origin: Origin,
    /// Its files.
    pub files: Vec<File>,
}

impl Installed {
    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.form.purpose()
    }

    /// Where the file with role `part` is; the roles are [`Form::parts`].
    pub fn part(&self, part: &str) -> Option<&Path> {
        self.files.iter().find(|file| file.part == part).map(|file| file.path.as_path())
    }

    /// The main file: the graph or the weights.
    pub fn model(&self) -> Option<&Path> {
        self.part(self.form.parts().first()?)
    }

    /// The file, for forms of one file; the folder that all parts lie in by their usual names, where there is one; else the main
    /// file (a tagger beside others, as `name.onnx` and `name.csv`).
    pub fn path(&self) -> Option<&Path> {
        let model = self.model()?;
        let parts = self.form.parts();
        let depth = parts.first()?.split('/').count();
        let folder = model.ancestors().nth(depth)?;
        let regular = parts.iter().all(|part| {
            let usual = part.split('/').fold(folder.to_owned(), |at, step| at.join(step));
            self.part(part) == Some(&usual)
        });
        Some(if parts.len() > 1 && regular { folder } else { model })
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    form: Form,
    origin: Origin,
    files: Vec<File>,
}

/// Writes the record of `model` into `folder`: to a temporary name, synced, renamed.
pub(crate) fn write(folder: &Path, model: &Installed) -> Result<()> {
    let record = Record { version: 1, form: model.form, origin: model.origin.clone(), files: model.files.clone() };
    let path = folder.join(NAME);
    let bad = |why: String| ModelsError::Record { path: path.clone(), why };
    let json = serde_json::to_vec_pretty(&record).map_err(|error| bad(error.to_string()))?;
    fs::create_dir_all(folder).map_err(|error| ModelsError::io("create", folder, error))?;
    whole(&path, &json)
}

/// Writes `path` so that it is never seen in part.
pub(crate) fn whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error| ModelsError::io("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The record in `folder`; `None` when there is none.
pub(crate) fn read(folder: &Path) -> Result<Option<Installed>> {
    let path = folder.join(NAME);
    let bad = |why: String| ModelsError::Record { path: path.clone(), why };
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ModelsError::io("open", &path, error)),
    };
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(|error| ModelsError::io("read", &path, error))?;
    if text.len() as u64 > LARGEST {
        return Err(bad("it is too large for a record".to_owned()));
    }
    let record: Record = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    check(&record).map_err(bad)?;
    let id = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    Ok(Some(Installed { id, form: record.form, origin: record.origin, files: record.files }))
}

fn check(record: &Record) -> std::result::Result<(), String> {
    if record.version != 1 {
        return Err(format!("its version is {}, this program knows version 1", record.version));
    }
    if record.files.len() > MOST_FILES {
        return Err(format!("it lists {} files", record.files.len()));
    }
    if let Some(part) = record.form.parts().iter().find(|part| !record.files.iter().any(|file| file.part == **part)) {
        return Err(format!("it lacks the file {part} of a {} model", record.form));
    }
    match record.files.iter().find(|file| !file.path.is_absolute() || !is_sha256(&file.sha256)) {
        Some(file) => Err(format!("the entry of {} is damaged", file.part)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagger(at: &Path, model: &str, tags: &str) -> Installed {
        let file = |part: &str, name: &str| File {
            part: part.to_owned(),
            path: at.join(name),
            bytes: 2,
            sha256: "0".repeat(64),
            fetched: false,
        };
        Installed {
            id: "t".to_owned(),
            form: Form::Wd14,
            origin: Origin::Folder { path: at.to_owned() },
            files: vec![file("model.onnx", model), file("selected_tags.csv", tags)],
        }
    }

    #[test]
    fn the_path_is_a_folder_only_where_the_files_have_their_usual_names() {
        let at = std::path::absolute("x").expect("absolute");
        assert_eq!(tagger(&at, "model.onnx", "selected_tags.csv").path(), Some(at.as_path()));
        let model = tagger(&at, "wd.onnx", "wd.csv");
        assert_eq!(model.path(), Some(at.join("wd.onnx").as_path()));
        assert_eq!(model.part("selected_tags.csv"), Some(at.join("wd.csv").as_path()));
        assert_eq!(model.bytes(), 4);
    }

    #[test]
    fn a_damaged_record_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().expect("folder");
        let at = folder.path().join("t");
        assert!(read(&at).expect("none").is_none());
        let model = tagger(&std::path::absolute("x").expect("absolute"), "model.onnx", "selected_tags.csv");
        write(&at, &model).expect("writes");
        assert_eq!(read(&at).expect("reads"), Some(model));

        let text = fs::read_to_string(at.join(NAME)).expect("reads");
        let damaged = [
            (text.replace("\"version\": 1", "\"version\": 2"), "version is 2"),
            (
                text.replace("selected_tags.csv\",\n      \"path", "other\",\n      \"path"),
                "lacks the file selected_tags.csv",
            ),
            (text.replace(&"0".repeat(64), "zz"), "damaged"),
            (text[..text.len() / 2].to_owned(), "EOF"),
            ("[".repeat(100_000), "invalid type"),
            (" ".repeat(2 << 20), "too large"),
        ];
        for (json, why) in damaged {
            fs::write(at.join(NAME), json).expect("writes");
            let error = read(&at).expect_err("damaged").to_string();
            assert!(error.contains(why) && error.contains(NAME), "{error}");
        }
    }
}
