//! Drawing pictures with a base and concepts.

use crate::{
    Error, Result,
    brush::{Brush, PictureRequest},
    bundle::{Bundle, ConceptTensors},
};
use candle_core::{DType, Tensor};
use dataset::{Mention, Names};
use diffusion::{
    Checkpoint, Conditioning, Family, Model, Vae,
    clip::TextBatch,
    layer::{Parameters, Precision, Tape},
    lora,
    schedule::NoiseSchedule,
    tokenizer::Tokenizer,
};
use image::RgbImage;
use std::collections::BTreeMap;
use trainer::token_names;

/// Name, shape and values of the new rows of one encoder.
type Table = (String, Vec<usize>, Vec<f32>);

/// A concept at a strength.
pub struct Applied<'a> {
    /// The concept.
    pub bundle: &'a Bundle,
    /// Factor of its LoRA.
    pub strength: f64,
}

/// A base ready to draw, with concepts applied.
pub struct Painter {
    model: Model,
    vae: Vae,
    schedule: NoiseSchedule,
    family: Family,
    tokenizer: Tokenizer,
    /// (name, what it becomes) of each concept.
    words: Vec<(String, String)>,
    /// The values that the model's adapters and tokens are views of.
    _values: Vec<Parameters>,
}

impl Painter {
    /// Loads a base as a precision says: `Precision::on(device)` for what is usual there.
    ///
    /// # Errors
    /// If it cannot be loaded.
    pub fn load(base: &Checkpoint, precision: &Precision) -> Result<Self> {
        let architecture = base.architecture();
        Ok(Self {
            model: Model::load(base, precision)?,
            vae: Vae::load(base, &precision.device)?,
            schedule: NoiseSchedule::new(architecture.prediction),
            family: architecture.family,
            tokenizer: Tokenizer::new(&[])?,
            words: Vec::new(),
            _values: Vec::new(),
        })
    }

    /// Applies concepts in place of those that were applied. Each is reached by its name, and by `<concept>` the first that
    /// is not named.
    ///
    /// # Errors
    /// If a concept was made for another base; the message says how that shows.
    pub fn apply(&mut self, concepts: &[Applied]) -> Result<()> {
        lora::detach(&mut self.model);
        self.model.text.set_tokens([None, None]);
        self.words.clear();
        let mut values = vec![lora::apply(&mut self.model, &joined(concepts)?, 1.0)?];
        let total: usize = concepts.iter().map(|concept| concept.bundle.tokens()).sum();
        let names = token_names(total);
        self.tokenizer = Tokenizer::new(&names)?;
        let mut next = 0;
        for Applied { bundle, .. } in concepts {
            let own = &names[next..next + bundle.tokens()];
            next += own.len();
            let stand_in = if own.is_empty() { bundle.name().to_owned() } else { own.concat() };
            self.words.push((bundle.name().to_owned(), stand_in));
        }
        if total > 0 {
            let rows = self.token_rows(concepts)?;
            let parameters = Parameters::new(rows, DType::F32, self.model.unet.device())?;
            let rows = (0..parameters.entries().len())
                .map(|i| parameters.parameter(i))
                .collect::<diffusion::Result<Vec<_>>>()?;
            self.model.text.set_tokens(rows.into_iter().map(Some));
            values.push(parameters);
        }
        self._values = values;
        Ok(())
    }

    /// The token rows of all concepts, one table for each encoder.
    fn token_rows(&self, concepts: &[Applied]) -> Result<Vec<Table>> {
        let widths: Vec<(&str, usize)> =
            self.model.text.encoders().map(|(name, encoder)| (name, encoder.width())).collect();
        let mut tables = Vec::new();
        for (name, width) in widths {
            let key = if self.family == Family::Sdxl { name } else { "emb_params" };
            let mut values = Vec::new();
            for Applied { bundle, .. } in concepts.iter().filter(|concept| concept.bundle.tokens() > 0) {
                let stem = &bundle.stem;
                let Some(rows) = bundle.tensors.embeddings.get(key) else {
                    return Err(Error::Invalid(format!(
                        "{stem}: its embeddings have no `{key}`; it was made for another kind of base"
                    )));
                };
                let found = rows.dim(1)?;
                if found != width {
                    return Err(Error::Invalid(format!(
                        "{stem}: its embeddings `{key}` are {found} wide, those of this base {width}; it was made for another base"
                    )));
                }
                values.extend(rows.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
            }
            tables.push((name.to_owned(), vec![values.len() / width, width], values));
        }
        Ok(tables)
    }

    /// The prompt with every concept's word replaced by its tokens.
    fn expand(&self, prompt: &str) -> String {
        if self.words.is_empty() {
            return prompt.replace("<concept>", "").trim().to_owned();
        }
        let names = Names::new(self.words.iter().map(|(name, _)| (name.as_str(), true)), true);
        let mut text = prompt.to_owned();
        for Mention { range, name } in names.find(prompt, &[]).into_iter().rev() {
            text.replace_range(range, &self.words[name].1);
        }
        text
    }

    fn encode(&self, prompt: &str) -> Result<Conditioning> {
        let ids = self.tokenizer.encode(&self.expand(prompt))?;
        Ok(self.model.text.forward(&TextBatch::new(&[ids]), &mut Tape::off())?)
    }

    /// Draws; `stop` is asked behind each step.
    ///
    /// # Errors
    /// If the size does not fit the model, or `stop` says so.
    pub fn draw(&self, request: &PictureRequest, stop: impl FnMut() -> bool) -> Result<Vec<RgbImage>> {
        let (positive, negative) = (self.encode(&request.prompt)?, self.encode(&request.negative)?);
        Brush { model: &self.model, vae: &self.vae, schedule: &self.schedule }.draw(request, &positive, &negative, stop)
    }
}

/// One LoRA that does what all concepts do at their strengths: ranks side by side, each scale folded into its up matrix.
fn joined(concepts: &[Applied]) -> Result<BTreeMap<String, Tensor>> {
    if let [Applied { bundle: Bundle { tensors: ConceptTensors { lora, .. }, .. }, strength }] = concepts
        && *strength == 1.0
    {
        return Ok(lora.clone());
    }
    let mut stems: BTreeMap<&str, Vec<(&Applied, f64)>> = BTreeMap::new();
    for concept in concepts {
        for (key, down) in concept.bundle.tensors.lora.iter().filter(|(key, _)| key.ends_with(".lora_down.weight")) {
            let stem = key.trim_end_matches(".lora_down.weight");
            let rank = down.dim(0)? as f64;
            let alpha = match concept.bundle.tensors.lora.get(&format!("{stem}.alpha")) {
                Some(alpha) => f64::from(alpha.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?[0]),
                None => rank,
            };
            stems.entry(stem).or_default().push((concept, concept.strength * alpha / rank));
        }
    }
    let mut tensors = BTreeMap::new();
    for (stem, parts) in stems {
        let (mut downs, mut ups) = (Vec::new(), Vec::new());
        for (concept, factor) in parts {
            let part = |name: &str| -> Result<Tensor> {
                let tensor = concept.bundle.tensors.lora.get(&format!("{stem}.{name}"));
                let missing = || Error::Invalid(format!("{}: its LoRA lacks `{stem}.{name}`", concept.bundle.stem));
                Ok(tensor.ok_or_else(missing)?.to_dtype(DType::F32)?)
            };
            downs.push(part("lora_down.weight")?);
            ups.push((part("lora_up.weight")? * factor)?);
        }
        let down = Tensor::cat(&downs, 0)?;
        tensors.insert(format!("{stem}.alpha"), Tensor::new(down.dim(0)? as f32, &candle_core::Device::Cpu)?);
        tensors.insert(format!("{stem}.lora_down.weight"), down);
        tensors.insert(format!("{stem}.lora_up.weight"), Tensor::cat(&ups, 1)?);
    }
    Ok(tensors)
}
