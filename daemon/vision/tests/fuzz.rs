//! Files that are cut off or have bits turned over give errors, never a panic: models, tag lists, tokenizers, pictures.

mod runtime;

use std::fs;
use std::path::Path;

use image::RgbImage;
use runtime::{cases, open};
use vision::florence2::{Florence2, Options};
use vision::load::{self, Alpha};
use vision::runtime::Device;
use vision::wd14::Wd14;
use vision::{Captioner, Error};

/// xorshift64: the same damage in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Cut off at places over the whole file, and with one to eight bits turned over.
fn damaged(whole: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut files: Vec<Vec<u8>> = (0..count).map(|part| whole[..whole.len() * part / count].to_vec()).collect();
    for _ in 0..count {
        let mut file = whole.to_vec();
        for _ in 0..=random.below(8) {
            let place = random.below(file.len());
            file[place] ^= 1 << random.below(8);
        }
        files.push(file);
    }
    files
}

/// What is wrong with each damaged file, by way of `try_out`; an empty file must always be an error.
fn errors(whole: &[u8], count: usize, path: &Path, mut try_out: impl FnMut() -> Result<(), Error>) -> Vec<Error> {
    let files = damaged(whole, count);
    let mut errors = Vec::new();
    for (index, file) in files.iter().enumerate() {
        fs::write(path, file).expect("a damaged file");
        match try_out() {
            Ok(()) => assert!(index > 0, "an empty file was taken for a good one"),
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn picture() -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 90]))
}

#[test]
fn damaged_taggers() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tags) = (folder.path().join("model.onnx"), cases().join("wd14/selected_tags.csv"));
    let whole = fs::read(cases().join("wd14/model.onnx")).expect("the model");
    let errors = errors(&whole, 100, &model, || {
        let mut tagger = Wd14::open(&model, &tags, Device::Cpu)?;
        tagger.caption(&picture()).map(|_| ())
    });
    assert!(errors.len() >= 100, "{} of 200 were refused", errors.len());
    let named = errors.iter().all(|error| error.to_string().contains("model.onnx"));
    assert!(named, "{errors:?}");
}

#[test]
fn damaged_lists_of_tags() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let (model, tags) = (cases().join("wd14/model.onnx"), folder.path().join("selected_tags.csv"));
    let whole = fs::read(cases().join("wd14/selected_tags.csv")).expect("the list");
    let errors = errors(&whole, 60, &tags, || Wd14::open(&model, &tags, Device::Cpu).map(|_| ()));
    assert!(errors.len() >= 58, "{} of 120 were refused", errors.len());
    assert!(errors.iter().all(|error| error.to_string().contains("selected_tags.csv")), "{errors:?}");

    let text = String::from_utf8(whole).expect("text");
    let short = text.lines().take(20).collect::<Vec<_>>().join("\n");
    fs::write(&tags, short).expect("a short list");
    let error = Wd14::open(&model, &tags, Device::Cpu).expect_err("too few tags").to_string();
    assert!(error.contains("19 tags") && error.contains("30"), "{error}");
}

/// A copy of the Florence export whose file `name` can be damaged.
fn florence(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("onnx")).expect("a folder");
    let from = cases().join("florence2");
    for file in ["tokenizer.json", "generation_config.json", "onnx/vision_encoder.onnx", "onnx/embed_tokens.onnx"]
        .into_iter()
        .chain(["onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx"])
    {
        fs::copy(from.join(file), folder.path().join(file)).expect("a copy");
    }
    let path = folder.path().join(name);
    (folder, path)
}

fn damage_florence(name: &str, count: usize, least: usize) {
    open();
    let (folder, path) = florence(name);
    let whole = fs::read(&path).expect("the file");
    let errors = errors(&whole, count, &path, || {
        let mut model = Florence2::open(folder.path(), Device::Cpu)?;
        model.describe(&picture(), &Options { max_tokens: 4, beams: 2, ..Options::default() }).map(|_| ())
    });
    assert!(errors.len() >= least, "{} of {} were refused", errors.len(), 2 * count);
}

#[test]
fn damaged_tokenizers() {
    damage_florence("tokenizer.json", 30, 30);
}

#[test]
fn damaged_rules() {
    damage_florence("generation_config.json", 20, 15);
}

#[test]
fn damaged_decoders() {
    damage_florence("onnx/decoder_model_merged.onnx", 20, 20);
}

#[test]
fn damaged_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["tiny_96x64.png", "palette_trans_180.png", "exif6_240x160.jpg", "photo_333x257.jpg"] {
        let whole = fs::read(cases().join("images").join(name)).expect("a picture");
        let path = folder.path().join(name);
        let errors = errors(&whole, 60, &path, || load::open(&path, Alpha::White).map(|_| ()));
        assert!(errors.iter().all(|error| matches!(error, Error::Picture { .. })), "{errors:?}");
        assert!(errors.iter().all(|error| error.to_string().contains(name)), "{errors:?}");
    }
}

#[test]
fn a_pointer_in_place_of_a_model_is_named_as_such() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model.onnx");
    fs::write(&model, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").expect("a pointer");
    let error = Wd14::open(&model, &cases().join("wd14/selected_tags.csv"), Device::Cpu).expect_err("no model");
    assert!(error.to_string().contains("Git LFS"), "{error}");
}

#[test]
fn another_model_is_told_from_a_tagger() {
    open();
    let model = cases().join("florence2/onnx/embed_tokens.onnx");
    let error = Wd14::open(&model, &cases().join("wd14/selected_tags.csv"), Device::Cpu).expect_err("no tagger");
    assert!(error.to_string().contains("no WD14 tagger"), "{error}");
    let error = Florence2::open(&cases().join("wd14"), Device::Cpu).expect_err("no Florence").to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}
