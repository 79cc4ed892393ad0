//! Folders of pictures for tests, and a whole data set in memory, as tests look at it.
#![allow(dead_code)]

use dataset::{Captions, Crop, Error, Found, Options, Photo, Skipped, scan};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use std::{
    fs,
    io::{Cursor, Write},
    path::PathBuf,
};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

/// Everything that was found, held for looking at.
pub struct Dataset {
    pub photos: Vec<Photo>,
    pub skipped: Vec<Skipped>,
    pub notes: Vec<String>,
    found: Found,
}

impl Dataset {
    pub fn digest(&self) -> [u8; 32] {
        self.found.digest()
    }
}

pub fn load(paths: &[PathBuf], options: &Options) -> Result<Dataset, Error> {
    let mut photos = Vec::new();
    let found = scan(paths, options, &Captions::new(), &mut |photo| {
        photos.push(photo);
        Ok::<_, Error>(())
    })?;
    photos.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Dataset { photos, skipped: found.skipped.clone(), notes: found.notes.clone(), found })
}

pub fn options() -> Options {
    Options::new(64, Crop::Center)
}

/// A picture that no other seed gives.
pub fn picture(seed: u8) -> RgbImage {
    RgbImage::from_fn(96, 72, |x, y| Rgb([x as u8 * 2, y as u8 * 3, seed]))
}

pub fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

pub fn png(seed: u8) -> Vec<u8> {
    encoded(&picture(seed).into(), ImageFormat::Png)
}

pub struct Folder(TempDir);

impl Folder {
    pub fn of(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, bytes) in files {
            let path = folder.0.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        folder
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    pub fn load(&self, options: &Options) -> Result<Dataset, Error> {
        load(&[self.path()], options)
    }

    pub fn good(&self) -> Dataset {
        self.load(&options()).expect("a data set")
    }

    pub fn error(&self) -> String {
        self.load(&options()).err().expect("refused").to_string()
    }
}

pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a member");
        archive.write_all(bytes).expect("written");
    }
    archive.finish().expect("finished").into_inner()
}

pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, name, *bytes).expect("a member");
    }
    archive.into_inner().expect("finished")
}
