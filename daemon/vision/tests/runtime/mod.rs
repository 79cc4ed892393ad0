//! Where the tests of models find ONNX Runtime, their cases and real weights.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::de::DeserializeOwned;
use vision::load::{self as pictures, Alpha};

/// Loads ONNX Runtime from `ORT_DYLIB_PATH`.
pub fn open() {
    let library = env::var_os("ORT_DYLIB_PATH").expect(
        "ORT_DYLIB_PATH must name the library file of ONNX Runtime (libonnxruntime.so.VERSION in the wheel `onnxruntime`); \
         `cargo xtask test` sets it",
    );
    vision::runtime::open(Path::new(&library)).expect("ONNX Runtime loads");
}

/// The folder of the cases, `tests/captioners` at the top of the repository.
pub fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captioners")
}

/// A JSON file.
pub fn load<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A picture of a case: in the case's own folder, else in `images`.
pub fn golden(root: &Path, folder: &Path, name: &str, alpha: Alpha) -> RgbImage {
    let own = folder.join(name);
    let path = if own.exists() { own } else { root.join("images").join(name) };
    pictures::open(&path, alpha).expect("a picture")
}

/// The folder that a variable names, when it is set; else a line that says what was left out.
pub fn real(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {variable} names no folder with {what}");
    }
    folder
}
