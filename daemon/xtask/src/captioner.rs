//! `cargo xtask captioner`: one model over one picture, its results in the words of the golden cases.

use crate::test;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{env, fs, path::PathBuf};
use vision::{
    Tag,
    faces::Yunet,
    florence2::{self, Florence2, Task},
    load::{self, Alpha},
    masks::{Salience, Segmenter},
    runtime::{self, Device},
    wd14::{Manner, Options, Wd14, tags_beside},
};

/// The command's arguments.
#[derive(Args)]
pub struct Captioner {
    /// What kind of model it is.
    kind: Kind,
    /// The model's file; of Florence-2 the folder of the export.
    #[arg(long)]
    model: PathBuf,
    /// The picture.
    #[arg(long)]
    image: PathBuf,
    /// WD14: whose way of preparing pictures is followed.
    #[arg(long, default_value = "space")]
    pre: Pre,
    /// WD14: the list of tags, where it doesn't lie beside the model.
    #[arg(long)]
    tags: Option<PathBuf>,
    /// Florence-2: <CAPTION>, <DETAILED_CAPTION> or <MORE_DETAILED_CAPTION>.
    #[arg(long, default_value = "<DETAILED_CAPTION>")]
    task: String,
    /// Florence-2: how many captions are followed at once; 1 is greedy.
    #[arg(long, default_value_t = 1)]
    beams: usize,
    /// Florence-2: the most tokens of a caption; 20 is what `generate` of transformers takes when nobody says more.
    #[arg(long, default_value_t = 20)]
    max_tokens: usize,
    /// Run on the NVIDIA card.
    #[arg(long)]
    cuda: bool,
    /// Where the JSON goes; a mask goes beside it, with the ending .png.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Wd14,
    Yunet,
    U2net,
    Florence2,
}

#[derive(Clone, Copy, ValueEnum)]
enum Pre {
    Space,
    Kohya,
    Comfy,
}

impl Captioner {
    /// Runs the model and writes what it says.
    pub fn run(&self) -> Result<()> {
        runtime::open(&library()?)?;
        let said = match self.kind {
            Kind::Wd14 => self.wd14(),
            Kind::Yunet => self.yunet(),
            Kind::U2net => self.u2net(),
            Kind::Florence2 => self.florence2(),
        }?;
        fs::write(&self.out, serde_json::to_vec_pretty(&said)?)
            .with_context(|| format!("writing {}", self.out.display()))
    }

    fn device(&self) -> Device {
        if self.cuda { Device::Cuda } else { Device::Cpu }
    }

    fn wd14(&self) -> Result<Value> {
        let manner = match self.pre {
            Pre::Space => Manner::Space,
            Pre::Kohya => Manner::Kohya,
            Pre::Comfy => Manner::Comfy,
        };
        let tags = self.tags.clone().unwrap_or_else(|| tags_beside(&self.model));
        let mut tagger = Wd14::open(&self.model, &tags, self.device())?.with(Options::of(manner));
        let picture = load::open(&self.image, manner.alpha())?;
        let mut digest = Sha256::new();
        for pixel in manner.prepare(&picture, tagger.side()).pixels() {
            // The model sees blue first.
            digest.update([pixel.0[2], pixel.0[1], pixel.0[0]]);
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let seen = tagger.see(&picture)?;
        let pairs = |tags: &[Tag]| tags.iter().map(|tag| json!([tag.name, tag.score])).collect::<Vec<_>>();
        Ok(json!({
            "probs": seen.probabilities,
            "u8_sha256": digest,
            "rating": seen.rating.as_ref().map(|tag| &tag.name),
            "general": pairs(&seen.general),
            "character": pairs(&seen.character),
        }))
    }

    fn yunet(&self) -> Result<Value> {
        let picture = load::open(&self.image, Alpha::Drop)?;
        let faces = Yunet::open(&self.model, self.device())?.detect(&picture)?;
        Ok(json!({ "faces": faces.iter().map(|face| face.row()).collect::<Vec<_>>() }))
    }

    fn u2net(&self) -> Result<Value> {
        let picture = load::open(&self.image, Alpha::Drop)?;
        let mask = Salience::open(&self.model, self.device())?.mask(&picture)?;
        let path = self.out.with_extension("png");
        mask.save(&path).with_context(|| format!("writing {}", path.display()))?;
        Ok(json!({}))
    }

    fn florence2(&self) -> Result<Value> {
        let Some(task) = Task::named(&self.task) else { bail!("{} is no task of Florence-2", self.task) };
        let picture = load::open(&self.image, Alpha::Drop)?;
        let options = florence2::Options { task, beams: self.beams, max_tokens: self.max_tokens };
        let said = Florence2::open(&self.model, self.device())?.describe(&picture, &options)?;
        Ok(json!({ "ids": said.ids, "text": said.text }))
    }
}

/// ONNX Runtime: the one that ORT_DYLIB_PATH names, else that of the tests' own Python.
pub fn library() -> Result<PathBuf> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let root = test::root();
    let places = [root.join("target/python")];
    if let Some(library) = runtime::find(&places) {
        return Ok(library);
    }
    test::python(&root)?;
    runtime::find(&places).context("there is no onnxruntime in target/python: it must stand in tests/requirements.txt")
}
