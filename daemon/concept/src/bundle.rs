//! What comes out: a LoRA and an embedding file, alone and together in a tar, the same bytes every time.

use crate::{Error, Result, error::at, files::write_whole, hex};
use candle_core::{DType, Device, Tensor};
use diffusion::{Family, lora, tensorfile};
use protocol::Mode;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read},
    path::Path,
};

/// The tensors of a concept's two files.
#[derive(Clone)]
pub struct ConceptTensors {
    /// Keys as hosts know them.
    pub lora: BTreeMap<String, Tensor>,
    /// `clip_l` and `clip_g`, or `emb_params`; empty for a plain LoRA.
    pub embeddings: BTreeMap<String, Tensor>,
}

/// A finished concept.
#[derive(Clone)]
pub struct Bundle {
    /// Name of its files, without `_lora` and `_embeddings`.
    pub stem: String,
    /// Its values.
    pub tensors: ConceptTensors,
    /// What is written into both files.
    pub metadata: BTreeMap<String, String>,
}

/// Largest file of a bundle that is read.
const LARGEST: u64 = 4 << 30;

impl Bundle {
    /// The bytes of `STEM_lora.safetensors`: f16, with the hash that hosts identify a LoRA by.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn lora_file(&self) -> Result<Vec<u8>> {
        let half = |(key, tensor): (&String, &Tensor)| -> Result<(String, Tensor)> {
            Ok((key.clone(), tensor.to_dtype(DType::F16)?))
        };
        let tensors: BTreeMap<String, Tensor> = self.tensors.lora.iter().map(half).collect::<Result<_>>()?;
        let write = |metadata: &BTreeMap<String, String>| {
            tensorfile::serialize(&tensors, metadata).map_err(|e| Error::Invalid(format!("bug: {e}")))
        };
        let bare = write(&BTreeMap::new())?;
        let data = 8 + bare.first_chunk::<8>().map_or(0, |n| u64::from_le_bytes(*n)) as usize;
        let mut metadata = self.metadata.clone();
        metadata.insert("sshs_model_hash".into(), hex(&Sha256::digest(&bare[data..])));
        metadata.insert("ss_output_name".into(), format!("{}_lora", self.stem));
        write(&metadata)
    }

    /// The bytes of `STEM_embeddings.safetensors`, f32; `None` for a plain LoRA.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn embedding_file(&self) -> Result<Option<Vec<u8>>> {
        if self.tensors.embeddings.is_empty() {
            return Ok(None);
        }
        let mut metadata = self.metadata.clone();
        // These two are the LoRA's own.
        metadata.remove("sshs_model_hash");
        metadata.remove("ss_output_name");
        let bytes = tensorfile::serialize(&self.tensors.embeddings, &metadata);
        Ok(Some(bytes.map_err(|e| Error::Invalid(format!("bug: {e}")))?))
    }

    /// The tar of both files: no times, no owners.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn to_tar(&self) -> Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        archive.mode(tar::HeaderMode::Deterministic);
        let mut add = |suffix: &str, bytes: &[u8]| -> std::io::Result<()> {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append_data(&mut header, format!("{}_{suffix}.safetensors", self.stem), bytes)
        };
        let bug = |e: std::io::Error| Error::Invalid(format!("bug: {e}"));
        add("lora", &self.lora_file()?).map_err(bug)?;
        if let Some(bytes) = self.embedding_file()? {
            add("embeddings", &bytes).map_err(bug)?;
        }
        archive.into_inner().map_err(bug)
    }

    /// Reads a `.tar` that [`Self::to_tar`] (or another trainer) made.
    ///
    /// # Errors
    /// If it is no bundle; the message says what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(at(path))?.len();
        let wrong = |what: String| Error::Invalid(format!("{}: {what}", path.display()));
        if size > 2 * LARGEST {
            return Err(wrong("this is larger than a concept can be".into()));
        }
        let bytes = fs::read(path).map_err(at(path))?;
        let (mut stem, mut lora, mut embeddings, mut metadata) = (None, None, BTreeMap::new(), BTreeMap::new());
        let mut archive = tar::Archive::new(Cursor::new(bytes));
        for entry in archive.entries().map_err(|e| wrong(format!("this is no bundle ({e})")))? {
            let mut entry = entry.map_err(|e| wrong(format!("the bundle is damaged ({e})")))?;
            let name = entry.path().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
            if entry.size() > LARGEST {
                return Err(wrong(format!("`{name}` is larger than a concept can be")));
            }
            let mut file = Vec::new();
            entry.read_to_end(&mut file).map_err(|e| wrong(format!("the bundle is damaged ({e})")))?;
            let tensors = || -> Result<BTreeMap<String, Tensor>> {
                let load = candle_core::safetensors::load_buffer(&file, &Device::Cpu);
                Ok(load.map_err(|e| wrong(format!("`{name}` is damaged ({e})")))?.into_iter().collect())
            };
            if let Some(name) = name.strip_suffix("_lora.safetensors") {
                (stem, lora) = (Some(name.to_owned()), Some(tensors()?));
                metadata = read_metadata(&file);
            } else if name.ends_with("_embeddings.safetensors") {
                embeddings = tensors()?;
            }
        }
        let (Some(stem), Some(lora)) = (stem, lora) else {
            return Err(wrong("this is no bundle: it holds no `NAME_lora.safetensors`".into()));
        };
        let rows: Vec<usize> = embeddings.values().filter_map(|t: &Tensor| t.dims().first().copied()).collect();
        if rows.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(wrong("its embeddings have different numbers of tokens; the bundle mixes two concepts".into()));
        }
        Ok(Self { stem, tensors: ConceptTensors { lora, embeddings }, metadata })
    }

    /// The family of the base: as the file says, else by the shape of the embeddings.
    pub fn family(&self) -> Family {
        match self.metadata.get("ss_base_model_version") {
            Some(version) if version.starts_with("sdxl") => Family::Sdxl,
            Some(version) if version.starts_with("sd_v1") => Family::Sd15,
            _ if self.tensors.embeddings.contains_key("emb_params") => Family::Sd15,
            _ => Family::Sdxl,
        }
    }

    /// Whether it was made on a base with sizes of its own, so that it fits no other.
    pub fn is_nonstandard(&self) -> bool {
        self.metadata.get("conceptd.base_nonstandard").is_some_and(|value| value == "true")
    }

    /// The bundle with keys in the style that every host loads, if pair, keys and widths are right.
    ///
    /// # Errors
    /// If something is missing or fits no model; the message says what.
    pub fn checked(self) -> Result<Self> {
        let (stem, family) = (self.stem.clone(), self.family());
        let wrong = |what: String| Error::Invalid(format!("{stem}: {what}"));
        // A plain LoRA is called by its name.
        let plain = self.metadata.get("conceptd.trigger").is_some_and(|trigger| !trigger.ends_with("_embeddings"));
        if self.tensors.lora.is_empty() {
            return Err(wrong("its LoRA is empty".into()));
        }
        if self.tensors.embeddings.is_empty() && !plain {
            return Err(wrong("it has no `NAME_embeddings.safetensors`; a concept is both files".into()));
        }
        if self.tensors.embeddings.values().any(|rows| !matches!(rows.dims(), [1..=75, _])) {
            return Err(wrong("its embeddings are no tables of 1 to 75 tokens".into()));
        }
        if self.is_nonstandard() {
            return Ok(self);
        }
        let widths: &[(&str, usize)] = match family {
            Family::Sdxl => &[("clip_l", 768), ("clip_g", 1280)],
            Family::Sd15 => &[("emb_params", 768)],
        };
        if self.tokens() > 0 {
            for (key, width) in widths {
                let found = self.tensors.embeddings.get(*key).map(|rows| rows.dims().to_vec());
                match found.as_deref() {
                    Some([1..=75, found]) if found == width => {}
                    Some(found) => {
                        return Err(wrong(format!(
                            "its embeddings `{key}` have the shape {found:?}, not [1..75, {width}]"
                        )));
                    }
                    None => return Err(wrong(format!("its embeddings lack `{key}`"))),
                }
            }
        }
        let lora = lora::to_host(self.tensors.lora, family).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { tensors: ConceptTensors { lora, embeddings: self.tensors.embeddings }, ..self })
    }

    /// The same concept under another name for its files, with what its metadata says of that name.
    #[must_use]
    pub fn renamed(mut self, stem: &str) -> Self {
        let (before, after) = (format!("{}_embeddings", self.stem), format!("{stem}_embeddings"));
        for key in ["conceptd.trigger", "modelspec.trigger_phrase", "modelspec.usage_hint"] {
            if let Some(text) = self.metadata.get_mut(key) {
                *text = text.replace(&before, &after);
            }
        }
        self.stem = stem.to_owned();
        self
    }

    /// Its name as the user gave it.
    pub fn name(&self) -> &str {
        self.metadata.get("conceptd.name").map_or(&self.stem, String::as_str)
    }

    /// Side of the pictures that it was trained on, if it says so.
    pub fn resolution(&self) -> Option<usize> {
        self.metadata.get("modelspec.resolution")?.split('x').next()?.parse().ok()
    }

    /// What it is of, if it says so.
    pub fn mode(&self) -> Option<Mode> {
        match self.metadata.get("conceptd.mode")?.as_str() {
            "face" => Some(Mode::Face),
            "object" => Some(Mode::Object),
            "style" => Some(Mode::Style),
            _ => None,
        }
    }

    /// Number of new tokens.
    pub fn tokens(&self) -> usize {
        self.tensors.embeddings.values().next().and_then(|rows| rows.dims().first().copied()).unwrap_or(0)
    }

    /// Writes `STEM.tar` and the two loose files into `folder`, each whole or not at all.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_whole(&folder.join(format!("{}_lora.safetensors", self.stem)), &self.lora_file()?)?;
        if let Some(bytes) = self.embedding_file()? {
            write_whole(&folder.join(format!("{}_embeddings.safetensors", self.stem)), &bytes)?;
        }
        write_whole(&folder.join(format!("{}.tar", self.stem)), &self.to_tar()?)
    }
}

fn read_metadata(file: &[u8]) -> BTreeMap<String, String> {
    let header = file.first_chunk::<8>().and_then(|n| file.get(8..8 + u64::from_le_bytes(*n) as usize));
    let header: Option<serde_json::Value> = header.and_then(|header| serde_json::from_slice(header).ok());
    header.and_then(|h| serde_json::from_value(h.get("__metadata__")?.clone()).ok()).unwrap_or_default()
}
