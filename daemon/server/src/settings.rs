//! The settings of a running daemon, and changes to `config.toml`.

use crate::{
    App, Config, Error, Home, Result,
    config::{flat, in_file, layered},
    write_whole,
};
use protocol::{SettingOrigin, SettingView, Settings};
use schemars::schema_for;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::Path,
    sync::{Mutex, PoisonError},
};
use toml_edit::{DocumentMut, Item, Table, TableLike};

/// What may be changed from a page. The rest decides who may ask, what may be read and which code is run: only whoever can
/// write the file may change that.
const CHANGEABLE: [&str; 9] =
    ["courtesy", "host_idle", "keep_alive", "log", "memory_budget", "models", "offline", "threads", "worker_silence"];
/// Limits may be changed as well.
const LIMITS: &str = "limits.";

fn changeable(name: &str) -> bool {
    CHANGEABLE.contains(&name) || name.starts_with(LIMITS)
}

/// Every setting with where it comes from.
///
/// # Errors
/// If `config.toml` cannot be read.
pub fn view(app: &App) -> Result<Settings> {
    let help = help();
    let here = flat(serde_json::to_value(&app.config).map_err(Error::bug)?);
    let (defaults, written) = (defaults()?, written(&app.home)?);
    let items = here.into_iter().map(|(name, value)| {
        let origin = app.origins.get(&name).copied().unwrap_or(SettingOrigin::Default);
        let file = written.get(&name).or_else(|| defaults.get(&name));
        // What a variable or a flag says is in effect again at the next start, if that has them too.
        let overruled = matches!(origin, SettingOrigin::Environment | SettingOrigin::Flag);
        let next = file.filter(|file| !overruled && **file != value).cloned();
        let help = help.get(&name).cloned().unwrap_or_default();
        SettingView { changeable: changeable(&name), help, next, origin, value, name }
    });
    Ok(Settings { file: app.home.config_file().display().to_string(), items: items.collect() })
}

fn defaults() -> Result<Map<String, Value>> {
    Ok(flat(serde_json::to_value(Config::default()).map_err(Error::bug)?))
}

fn written(home: &Home) -> Result<Map<String, Value>> {
    let file = home.config_file();
    match fs::read_to_string(&file) {
        Ok(text) => in_file(&text, &file),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Map::new()),
        Err(source) => Err(Error::Disk { path: file, source }),
    }
}

/// What each setting is for, from the types.
fn help() -> BTreeMap<String, String> {
    let schema = schema_for!(Config).to_value();
    let texts = |of: &Value, prefix: &str| -> Vec<(String, String)> {
        let properties = of["properties"].as_object().cloned().unwrap_or_default();
        let text = |(name, value): (String, Value)| {
            Some((format!("{prefix}{name}"), value["description"].as_str()?.replace('\n', " ")))
        };
        properties.into_iter().filter_map(text).collect()
    };
    texts(&schema, "").into_iter().chain(texts(&schema["$defs"]["Limits"], LIMITS)).collect()
}

/// Why settings were not changed: which, and what is wrong.
pub struct Refused(pub String, pub String);

/// Writes values into `config.toml`, where all else stays as it is, comments too; null takes one out.
///
/// # Errors
/// If the disk refuses.
pub fn change(home: &Home, values: &BTreeMap<String, Value>) -> Result<std::result::Result<(), Refused>> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let file = home.config_file();
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Disk { path: file, source }),
    };
    let mut document = match text.parse::<DocumentMut>() {
        Ok(document) => document,
        Err(error) => return Ok(Err(Refused("values".into(), format!("{}: {error}", file.display())))),
    };
    for (name, value) in values {
        let field = format!("values.{name}");
        if !changeable(name) {
            let detail = format!("`{name}` can only be changed in {}", file.display());
            return Ok(Err(Refused(field, detail)));
        }
        if let Some(wrong) = wrong(name, value) {
            return Ok(Err(Refused(field, wrong)));
        }
        let table = match name.strip_prefix(LIMITS) {
            None => document.as_table_mut() as &mut dyn TableLike,
            Some(_) => match document.entry("limits").or_insert(Item::Table(Table::new())).as_table_like_mut() {
                Some(table) => table,
                None => return Ok(Err(Refused(field, format!("`limits` is no table in {}", file.display())))),
            },
        };
        let key = name.strip_prefix(LIMITS).unwrap_or(name);
        match written_as(value) {
            None if value.is_null() => {
                table.remove(key);
            }
            None => return Ok(Err(Refused(field, "give a text, a number, true or false, or a list of texts".into()))),
            Some(value) => drop(table.insert(key, Item::Value(value))),
        }
    }
    if document.get("limits").and_then(Item::as_table_like).is_some_and(TableLike::is_empty) {
        document.remove("limits");
    }
    let text = document.to_string();
    // What would keep the daemon from starting is not written.
    if let Err(refused) = understood(&text, values)? {
        return Ok(Err(refused));
    }
    write_whole(&file, text.as_bytes())?;
    Ok(Ok(()))
}

fn written_as(value: &Value) -> Option<toml_edit::Value> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Number(value) => value.as_i64().map(Into::into),
        Value::String(value) => Some(value.as_str().into()),
        Value::Array(parts) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            Some(toml_edit::Value::Array(parts?.into_iter().collect()))
        }
        _ => None,
    }
}

fn understood(text: &str, values: &BTreeMap<String, Value>) -> Result<std::result::Result<(), Refused>> {
    let folder = tempfile::tempdir().map_err(Error::bug)?;
    let home = Home::at(folder.path().to_owned());
    write_whole(&home.config_file(), text.as_bytes())?;
    let refused = |error: Error| {
        let said = error.to_string();
        let meant = values.keys().find(|name| said.contains(&format!("`{name}`")));
        let detail = said.split("config.toml: ").last().unwrap_or(&said).to_owned();
        Refused(meant.map_or_else(|| "values".to_owned(), |name| format!("values.{name}")), detail)
    };
    Ok(layered(&home, std::iter::empty(), Vec::new()).map(drop).map_err(refused))
}

/// What is wrong with a value that the types would take: one with which nobody could go on.
fn wrong(name: &str, value: &Value) -> Option<String> {
    let number = |least: u64, most: u64| {
        let given = value.as_u64().filter(|given| !(least..=most).contains(given))?;
        Some(format!("give a number from {least} to {most}, not {given}"))
    };
    match name {
        "log" => match value.as_str() {
            Some("error" | "warn" | "info" | "debug" | "trace") | None => None,
            Some(_) => Some("choose error, warn, info, debug or trace".into()),
        },
        "models" => value.as_array()?.iter().filter_map(Value::as_str).find_map(not_a_folder),
        "threads" => number(0, 1024),
        "worker_silence" => number(10, 86_400),
        "keep_alive" | "host_idle" => number(0, 86_400),
        "memory_budget" if value.as_u64() != Some(0) => number(256 << 20, 1 << 50),
        // A login and a page of captions must still fit.
        "limits.json_bytes" => number(65_536, 1 << 40),
        name if name.starts_with(LIMITS) => number(1, 1 << 50),
        _ => None,
    }
}

/// Another machine's folder would be told who the user is.
fn not_a_folder(path: &str) -> Option<String> {
    let elsewhere = path.starts_with("\\\\") || path.starts_with("//");
    match !elsewhere && Path::new(path).is_absolute() && Path::new(path).is_dir() {
        true => None,
        false => Some(format!("`{path}` is no folder of this machine; give the whole path of one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(before: &str, values: Value) -> (Option<String>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().to_owned());
        fs::write(home.config_file(), before).expect("written");
        let values = serde_json::from_value(values).expect("values");
        let refused = change(&home, &values).expect("the disk is there").err().map(|Refused(field, _)| field);
        (refused, fs::read_to_string(home.config_file()).expect("there"))
    }

    #[test]
    fn a_change_leaves_the_rest_of_the_file_alone() {
        let folder = std::env::temp_dir().display().to_string();
        let before = "# mine\nport = 7000 # not the usual\nkeep_alive = 9\n";
        let (refused, after) = changed(before, json!({ "keep_alive": null, "models": [folder], "limits.pictures": 7 }));
        assert_eq!(refused, None);
        let folder = toml_edit::Value::from(folder);
        let expected = format!("# mine\nport = 7000 # not the usual\nmodels = [{folder}]\n\n[limits]\npictures = 7\n");
        assert_eq!(after, expected);
        let inline = changed("limits = { pictures = 3 }\n", json!({ "limits.pictures": 7 })).1;
        assert_eq!(inline, "limits = { pictures = 7 }\n");
    }

    #[test]
    fn what_would_be_wrong_or_open_the_daemon_is_refused_and_nothing_written() {
        for (values, field) in [
            (json!({ "address": "0.0.0.0" }), "values.address"),
            (json!({ "onnxruntime": "/tmp/evil.so" }), "values.onnxruntime"),
            (json!({ "keep_alive": "long" }), "values.keep_alive"),
            (json!({ "keep_alive": 5, "courtesy": "rude" }), "values.courtesy"),
            (json!({ "keep_alive": { "a": 1 } }), "values.keep_alive"),
            (json!({ "limits.pictures": 0 }), "values.limits.pictures"),
            (json!({ "limits.nothing": 1 }), "values.limits.nothing"),
            (json!({ "limits.json_bytes": 1 }), "values.limits.json_bytes"),
            (json!({ "log": "[[[" }), "values.log"),
            (json!({ "models": ["\\\\\\\\far\\\\share"] }), "values.models"),
            (json!({ "models": ["models"] }), "values.models"),
            (json!({ "threads": 1_000_000 }), "values.threads"),
        ] {
            assert_eq!(changed("port = 1\n", values), (Some(field.into()), "port = 1\n".into()));
        }
        assert_eq!(changed("port = \n", json!({ "offline": true })).0, Some("values".into()));
    }

    #[test]
    fn every_setting_says_what_it_is_for() {
        let help = help();
        let names = defaults().expect("settings");
        let silent: Vec<&String> = names.keys().filter(|name| !help.contains_key(*name)).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }
}
