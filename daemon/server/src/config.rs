//! Settings: defaults, then the file, then the environment, then flags. One place, and each value knows where it is from.

use crate::{Error, Home, Result};
use protocol::{Courtesy, Device, Limits, SettingOrigin as Origin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address that is listened on. Others than loopback open the daemon to the network.
    pub address: IpAddr,
    /// The port; 0 for any that is free.
    pub port: u16,
    /// Names under which requests may call this machine, beside localhost.
    pub allowed_hosts: Vec<String>,
    /// Pages that may call, such as `http://127.0.0.1:8188`, beside the daemon's own.
    pub allowed_origins: Vec<String>,
    /// Folders from which data sets may be made by path.
    pub roots: Vec<PathBuf>,
    /// Folders with checkpoints.
    pub models: Vec<PathBuf>,
    /// Seconds that a drawing worker keeps its base loaded.
    pub keep_alive: u64,
    /// Forbids every outgoing connection.
    pub offline: bool,
    /// What pictures are learnt and drawn on: auto (a GPU where one can be used), cpu or cuda.
    pub device: Device,
    /// Threads of a worker; 0 for one each core.
    pub threads: usize,
    /// Bytes of memory that a worker may take; 0 for nine tenths of the machine's.
    pub memory_budget: u64,
    /// Seconds after which a silent worker counts as hung.
    pub worker_silence: u64,
    /// How training shares the card with hosts: polite, share or exclusive; left out, polite where there is a card.
    pub courtesy: Option<Courtesy>,
    /// Seconds that hosts must draw nothing before training takes the card back.
    pub host_idle: u64,
    /// The library of ONNX Runtime, or a folder that holds it; left out, it is looked for beside the program and the hosts.
    pub onnxruntime: Option<PathBuf>,
    /// An OpenAI-compatible server that describes pictures, such as `http://127.0.0.1:11434/v1`; left out, none is asked.
    pub caption_endpoint: Option<String>,
    /// The model that it is asked for.
    pub caption_model: String,
    /// What is logged: error, warn, info, debug or trace.
    pub log: String,
    /// What is refused.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 7470,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            roots: Vec::new(),
            models: Vec::new(),
            keep_alive: 300,
            offline: false,
            device: Device::default(),
            threads: 0,
            memory_budget: 0,
            worker_silence: 120,
            courtesy: None,
            host_idle: 10,
            onnxruntime: None,
            caption_endpoint: None,
            caption_model: String::new(),
            log: "info".into(),
            limits: Limits::default(),
        }
    }
}

/// The settings with where each comes from.
pub struct Layered {
    /// The settings in effect.
    pub config: Config,
    /// By dotted name, such as `limits.pictures`.
    pub origins: BTreeMap<String, Origin>,
}

/// Prefix of variables.
const PREFIX: &str = "CONCEPTD_";

/// Reads every layer. `flags` are values by dotted name.
///
/// # Errors
/// If a layer has an unknown name or a value that cannot be used; the message says which and where.
pub fn layered(
    home: &Home,
    environment: impl Iterator<Item = (String, String)>,
    flags: Vec<(&str, Value)>,
) -> Result<Layered> {
    let defaults = flat(serde_json::to_value(Config::default()).map_err(Error::bug)?);
    let mut values = defaults.clone();
    let mut origins: BTreeMap<String, Origin> = values.keys().map(|key| (key.clone(), Origin::Default)).collect();
    let mut set = |key: String, value: Value, origin: Origin, whence: &str| -> Result<()> {
        if !defaults.contains_key(&key) {
            let known = defaults.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::Config(format!("{whence}: there is no setting `{key}`; there are {known}")));
        }
        values.insert(key.clone(), value);
        // Checked one by one, so that the message can say which is wrong.
        nested(&values).map_err(|error| Error::Config(format!("{whence}: `{key}`: {error}")))?;
        origins.insert(key, origin);
        Ok(())
    };
    let file = home.config_file();
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            for (key, value) in in_file(&text, &file)? {
                set(key, value, Origin::File, &file.display().to_string())?;
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::Disk { path: file, source }),
    }
    for (name, text) in environment {
        let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase).filter(|key| key != "home") else { continue };
        let key = key.replace("limits_", "limits.");
        // Variables of newer or older versions, and of the tests, are none of our business.
        if let Some(default) = defaults.get(&key) {
            set(key, from_text(&text, default), Origin::Environment, &name)?;
        }
    }
    for (key, value) in flags {
        set(key.to_owned(), value, Origin::Flag, &format!("--{}", key.replace('_', "-")))?;
    }
    let config = nested(&values).map_err(|error| Error::Config(error.to_string()))?;
    Ok(Layered { config, origins })
}

/// The values of a `config.toml` by dotted name.
///
/// # Errors
/// If it is no TOML.
pub fn in_file(text: &str, file: &Path) -> Result<Map<String, Value>> {
    let table: toml::Table = text.parse().map_err(|error| Error::Config(format!("{}: {error}", file.display())))?;
    Ok(flat(serde_json::to_value(table).map_err(Error::bug)?))
}

/// What the server that describes pictures wants to be shown: a variable, since settings are printed.
pub fn caption_key() -> Option<String> {
    std::env::var("CONCEPTD_CAPTION_KEY").ok().filter(|key| !key.is_empty())
}

/// The library of ONNX Runtime by the name that its Rust binding and others use.
pub fn library_in_environment() -> Option<PathBuf> {
    std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A variable's text as a value of the default's kind. Lists are separated as `PATH` is.
fn from_text(text: &str, default: &Value) -> Value {
    match default {
        Value::Bool(_) => text.parse().map_or_else(|_| Value::from(text), Value::Bool),
        Value::Number(_) => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        Value::Array(_) => std::env::split_paths(text).map(|part| Value::from(part.display().to_string())).collect(),
        _ => Value::from(text),
    }
}

/// The settings of a running daemon as another of our processes reads them from its environment: flags, which it is not
/// given, as variables.
pub fn as_variables(config: &Config, origins: &BTreeMap<String, Origin>) -> Vec<(String, String)> {
    let values = flat(serde_json::to_value(config).unwrap_or_default());
    let flags = values.into_iter().filter(|(key, _)| origins.get(key) == Some(&Origin::Flag));
    let variable = |(key, value): (String, Value)| {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                let parts = parts.iter().filter_map(Value::as_str);
                std::env::join_paths(parts).ok()?.into_string().ok()?
            }
            value => value.to_string(),
        };
        Some((format!("{PREFIX}{}", key.replace('.', "_").to_uppercase()), text))
    };
    flags.filter_map(variable).collect()
}

/// Nested objects as dotted names.
pub fn flat(value: Value) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in value.as_object().cloned().unwrap_or_default() {
        match value {
            Value::Object(inner) => out.extend(inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value))),
            value => drop(out.insert(key, value)),
        }
    }
    out
}

fn nested(values: &Map<String, Value>) -> std::result::Result<Config, serde_json::Error> {
    let mut out = Map::new();
    for (key, value) in values {
        match key.split_once('.') {
            None => drop(out.insert(key.clone(), value.clone())),
            Some((outer, inner)) => {
                if let Value::Object(map) = out.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                    map.insert(inner.to_owned(), value.clone());
                }
            }
        }
    }
    serde_json::from_value(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_win_and_say_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().to_owned());
        std::fs::write(home.config_file(), "port = 1\nkeep_alive = 9\n[limits]\npictures = 7\n").expect("written");
        let environment = [("CONCEPTD_PORT", "2"), ("CONCEPTD_LIMITS_FILE_BYTES", "5"), ("CONCEPTD_OTHER", "x")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let layered = layered(&home, environment, vec![("port", 3.into())]).expect("settings");
        let Config { port, keep_alive, limits, .. } = layered.config;
        assert_eq!((port, keep_alive, limits.pictures, limits.file_bytes), (3, 9, 7, 5));
        let origin = |key: &str| layered.origins[key];
        assert_eq!(
            [origin("port"), origin("keep_alive"), origin("limits.file_bytes"), origin("offline")],
            [Origin::Flag, Origin::File, Origin::Environment, Origin::Default]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().to_owned());
        let error = |text: &str| {
            std::fs::write(home.config_file(), text).expect("written");
            layered(&home, std::iter::empty(), Vec::new()).err().expect("refused").to_string()
        };
        assert!(error("prot = 1").contains("`prot`"));
        assert!(error("port = \"x\"").contains("config.toml: `port`"));
        assert!(error("port = ").contains("config.toml"));
    }
}
