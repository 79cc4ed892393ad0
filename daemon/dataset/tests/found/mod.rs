//! A whole data set in memory, as tests look at it.
#![allow(dead_code)]

use dataset::{Captions, Error, Found, Options, Photo, Skipped, scan};
use std::path::PathBuf;

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
