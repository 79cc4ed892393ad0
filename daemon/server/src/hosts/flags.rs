//! Flags that move a host's folders, as they stand on command lines and in start scripts.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Flags that say where a host's files lie. Relative paths are meant from where it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--base-directory`, `--data-dir`: in place of the host's own folder.
    pub base: Option<PathBuf>,
    /// `--models-dir`.
    pub models: Option<PathBuf>,
    /// `--lora-dir`.
    pub loras: Option<PathBuf>,
    /// `--embeddings-dir`.
    pub embeddings: Option<PathBuf>,
    /// `--extra-model-paths-config`.
    pub extra_paths: Vec<PathBuf>,
    /// `--port`.
    pub port: Option<u16>,
}

impl Flags {
    /// The flags among arguments; a later one wins.
    pub fn of(arguments: &[String], started_in: &Path) -> Self {
        let mut flags = Self::default();
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let (name, mut value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            if value.is_none() && name.starts_with("--") {
                value = rest.next_if(|next| !next.starts_with("--")).cloned();
            }
            let Some(value) = value else { continue };
            let path = || Some(started_in.join(&value));
            match name {
                "--base-directory" | "--data-dir" => flags.base = path(),
                "--models-dir" => flags.models = path(),
                "--lora-dir" => flags.loras = path(),
                "--embeddings-dir" => flags.embeddings = path(),
                "--forge-ref-a1111-home" => {
                    let home = started_in.join(&value);
                    flags.loras.get_or_insert(home.join("models/lora"));
                    flags.embeddings.get_or_insert(home.join("embeddings"));
                }
                "--extra-model-paths-config" => {
                    flags.extra_paths.push(started_in.join(&value));
                    while let Some(next) = rest.next_if(|next| !next.starts_with("--")) {
                        flags.extra_paths.push(started_in.join(next));
                    }
                }
                "--port" => flags.port = value.parse().ok(),
                _ => {}
            }
        }
        flags
    }

    /// The flags that A1111's `webui-user.bat` or `webui-user.sh` sets.
    pub fn of_scripts(folder: &Path) -> Self {
        let script = if cfg!(windows) { "webui-user.bat" } else { "webui-user.sh" };
        let text = fs::read(folder.join(script)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().map(str::trim).rev().find_map(|line| {
            let line = line.trim_start_matches("export ").trim_start_matches("set ");
            line.trim_start_matches('"').strip_prefix("COMMANDLINE_ARGS=")
        });
        // A shell's value is quoted as a whole.
        let value = line.unwrap_or_default();
        let whole = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Self::of(&words(whole.unwrap_or(value)), folder)
    }
}

/// A command line's words; quotes hold together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_every_spelling() {
        let line = r#"main.py --listen --port 8190 --base-directory "/my data" --lora-dir=l --extra-model-paths-config a.yaml /b.yaml --cpu"#;
        let flags = Flags::of(&words(line), Path::new("/x"));
        assert_eq!(flags.base, Some("/my data".into()));
        assert_eq!(flags.loras, Some("/x/l".into()));
        assert_eq!(flags.extra_paths, [PathBuf::from("/x/a.yaml"), PathBuf::from("/b.yaml")]);
        assert_eq!(flags.port, Some(8190));
        let forge = Flags::of(&words("--forge-ref-a1111-home /a"), Path::new("/x"));
        assert_eq!((forge.loras, forge.embeddings), (Some("/a/models/lora".into()), Some("/a/embeddings".into())));
    }

    #[test]
    fn start_scripts_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (name, text) = match cfg!(windows) {
            true => ("webui-user.bat", "set COMMANDLINE_ARGS=--xformers --lora-dir \"D:\\my loras\"\r\n"),
            false => (
                "webui-user.sh",
                "#export COMMANDLINE_ARGS=\"--api\"\nexport COMMANDLINE_ARGS=\"--xformers --lora-dir '/my loras'\"\n",
            ),
        };
        fs::write(folder.path().join(name), text).expect("written");
        let loras = Flags::of_scripts(folder.path()).loras.expect("a folder");
        assert!(loras.ends_with("my loras"), "{loras:?}");
    }
}
