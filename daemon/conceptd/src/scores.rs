//! Who judges the snapshots of a training: installed models, through the trait that a training asks by.

use image::RgbImage;
use protocol::TrainTask;

struct Judge(preparation::Judge);

impl concept::Judge for Judge {
    fn likeness(&mut self, picture: &RgbImage) -> Option<f64> {
        self.0.likeness(picture)
    }

    fn obedience(&mut self, picture: &RgbImage, prompt: &str) -> Option<f64> {
        self.0.obedience(picture, prompt)
    }
}

/// Whoever is installed for it. A model that cannot be used costs the scores, not the training.
pub fn judge(task: &TrainTask) -> Option<Box<dyn concept::Judge>> {
    match preparation::Judge::of(task) {
        Ok(judge) => Some(Box::new(Judge(judge?))),
        Err(error) => {
            eprintln!("the snapshots are not scored: {error}");
            None
        }
    }
}
