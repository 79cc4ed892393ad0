//! Whether pictures can be looked at.

use crate::client::eyes;
use models::{Listed, Store};
use protocol::Check;
use server::{Config, Home};
use vision::runtime;

/// The library that models run on, and each model.
pub fn checks(home: &Home, config: &Config) -> Vec<Check> {
    const NAME: &str = "captioner";
    let listed = match Store::open(&home.eyes()).list() {
        Ok(listed) => listed,
        Err(error) => return vec![Check::fail(NAME, error.to_string(), "make the folder yours")],
    };
    if listed.is_empty() {
        // Nothing is wrong with that.
        return vec![Check::ok(NAME, "none is installed; `conceptd models known` lists those that can be added")];
    }
    let models = listed.iter().map(|listed| match listed {
        Listed::Ready(model) => Check::ok(NAME, format!("{} ({})", model.id, model.purpose())),
        Listed::Broken { id, why } => {
            Check::warn(NAME, format!("{id}: {why}"), format!("`conceptd models remove {id}`, then add it again"))
        }
    });
    std::iter::once(library(home, config)).chain(models).collect()
}

fn library(home: &Home, config: &Config) -> Check {
    const NAME: &str = "onnxruntime";
    let places = eyes(home, config).onnxruntime;
    let fix = "`pip install onnxruntime`, and name its library as `onnxruntime` in config.toml";
    match runtime::find(&places) {
        None => Check::warn(NAME, "it was not found, so models cannot look at pictures", fix),
        Some(library) => match runtime::open(&library) {
            Ok(()) => Check::ok(NAME, library.display().to_string()),
            Err(error) => Check::warn(NAME, error.to_string(), fix),
        },
    }
}
