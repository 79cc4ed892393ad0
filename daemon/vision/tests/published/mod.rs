//! Models in the layout of their authors for the tests: the golden ones, copies with a field changed, damaged ones.

#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

/// The folder of a golden model.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/captioners").join(name)
}

/// What transformers says of it.
pub fn expected<T: DeserializeOwned>(name: &str) -> T {
    let text = fs::read_to_string(folder(name).join("expected.json")).expect("expected.json");
    serde_json::from_str(&text).expect("the fields of this test")
}

/// The test picture of a size, as `make_blip_and_likeness.py` draws it.
pub fn picture((width, height): (u32, u32)) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let red = x * 255 / (width - 1).max(1);
        let green = y * 255 / (height - 1).max(1);
        let blue = if (x / 5 + y / 7) % 2 == 0 { (x * 11 + y * 29) % 256 } else { 230 };
        Rgb([red as u8, green as u8, blue as u8])
    })
}

/// A copy of a model's folder.
pub fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for file in fs::read_dir(folder).expect("the model") {
        let path = file.expect("a file").path();
        fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    copy
}

/// Sets a field of `config.json`.
pub fn edit(folder: &Path, field: &str, value: &str) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("config.json")).expect("JSON");
    let (object, name) = field.rsplit_once('/').expect("a path");
    let object = config.pointer_mut(object).and_then(Value::as_object_mut).expect("an object");
    object.insert(name.to_owned(), serde_json::from_str(value).expect("JSON"));
    fs::write(&path, config.to_string()).expect("written");
}

/// Copies of a model, each with one file damaged: bytes changed, cut short, or emptied; the same ones at each call.
/// `DAMAGED=5000` makes so many.
pub fn damaged(name: &str) -> impl Iterator<Item = TempDir> {
    let count: u64 = std::env::var("DAMAGED").ok().and_then(|count| count.parse().ok()).unwrap_or(40);
    let whole = folder(name);
    (0..count).map(move |case| {
        let copy = copy(&whole);
        let mut dice = Dice(case);
        let files: Vec<_> =
            ["config.json", "tokenizer.json", "model.safetensors"].map(|file| copy.path().join(file)).into();
        let files: Vec<_> = files.into_iter().filter(|file| file.exists()).collect();
        let file = &files[dice.below(files.len())];
        let mut bytes = fs::read(file).expect("the file");
        // What comes first says what the rest is: most damage is done there.
        let head = bytes.len().min(6000);
        match dice.below(4) {
            0 => bytes.truncate(dice.below(head)),
            1 => bytes[..8].fill(dice.below(256) as u8),
            _ => (0..1 + dice.below(8)).for_each(|_| bytes[dice.below(head)] = dice.below(256) as u8),
        }
        fs::write(file, bytes).expect("written");
        copy
    })
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}
