//! Weights in a safetensors file, each read when a model asks for it.
//!
//! The format: eight bytes with the length of the header, the header (JSON: name, type, shape, place), then the values. A
//! memory map would be shorter to write; but a mapped file that another program cuts short ends this one with a signal.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// No header of such a model is longer (bytes).
const MAX_HEADER: u64 = 2 << 20;
/// No tensor has more dimensions.
const MAX_DIMS: usize = 8;

/// A tensor in the file; `dtype` is `None` where no model here can use it.
struct Entry {
    dtype: Option<DType>,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

/// What the header says of a tensor.
#[derive(Deserialize)]
struct Stored {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// A safetensors file.
pub(crate) struct Weights {
    file: Mutex<File>,
    entries: HashMap<String, Entry>,
    aliases: HashMap<&'static str, &'static str>,
}

impl Weights {
    /// Reads the header; the values stay in the file.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| Error::model(path, format!("it can't be read ({error})"));
        let broken = |what: String| Error::model(path, format!("it is no sound safetensors file: {what}"));
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| broken("it is too short".to_owned()))?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER.min(length.saturating_sub(8)) {
            return Err(broken(format!("its header would have {size} bytes")));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        let data = 8 + size;
        let entries = entries(&header, data, length).map_err(broken)?;
        Ok(Self { file: Mutex::new(file), entries, aliases: HashMap::new() })
    }

    /// Where `name` is not in the file, `stored` is taken: tied weights are stored once.
    pub fn tied(mut self, name: &'static str, stored: &'static str) -> Self {
        if !self.entries.contains_key(name) {
            self.aliases.insert(name, stored);
        }
        self
    }

    /// Hands the weights to a model, as 32-bit floats.
    pub fn builder(self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), DType::F32, device.clone())
    }

    fn entry(&self, name: &str) -> CandleResult<&Entry> {
        let name = self.aliases.get(name).copied().unwrap_or(name);
        match self.entries.get(name) {
            Some(entry) => Ok(entry),
            None => bail!("it holds no `{name}`"),
        }
    }

    fn read(&self, name: &str, entry: &Entry, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let Some(stored) = entry.dtype else { bail!("`{name}` is of a type that is not known here") };
        let mut bytes = vec![0; entry.bytes];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(entry.start))?;
            file.read_exact(&mut bytes)?;
        }
        Tensor::from_raw_buffer(&bytes, stored, &entry.shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
    }
}

impl SimpleBackend for Weights {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let entry = self.entry(name)?;
        if entry.shape != shape.dims() {
            bail!("`{name}` has the shape {:?}, and config.json asks for {:?}", entry.shape, shape.dims());
        }
        self.read(name, entry, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        self.read(name, self.entry(name)?, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.entry(name).is_ok()
    }
}

/// All tensors of a header, each inside the file and as long as its shape and type say.
fn entries(header: &[u8], data: u64, length: u64) -> std::result::Result<HashMap<String, Entry>, String> {
    let all: HashMap<String, Value> =
        serde_json::from_slice(header).map_err(|error| format!("its header is no JSON ({error})"))?;
    let mut entries = HashMap::with_capacity(all.len());
    for (name, stored) in all {
        if name == "__metadata__" {
            continue;
        }
        let stored =
            serde_json::from_value(stored).map_err(|error| format!("`{name:.80}` is not described ({error})"))?;
        let entry =
            entry(stored, data, length).ok_or_else(|| format!("the place of `{name:.80}` does not fit its shape"))?;
        entries.insert(name, entry);
    }
    Ok(entries)
}

fn entry(stored: Stored, data: u64, length: u64) -> Option<Entry> {
    let (dtype, width) = match stored.dtype.as_str() {
        "F64" => (Some(DType::F64), 8),
        "F32" => (Some(DType::F32), 4),
        "F16" => (Some(DType::F16), 2),
        "BF16" => (Some(DType::BF16), 2),
        // Buffers such as `position_ids`, which no model here reads.
        _ => (None, 0),
    };
    let (from, to) = stored.data_offsets;
    let bytes = usize::try_from(to.checked_sub(from)?).ok()?;
    let start = data.checked_add(from)?;
    if stored.shape.len() > MAX_DIMS || data.checked_add(to)? > length {
        return None;
    }
    let fits = stored.shape.iter().try_fold(width, |size: usize, dim| size.checked_mul(*dim))? == bytes;
    (dtype.is_none() || fits).then_some(Entry { dtype, shape: stored.shape, start, bytes })
}
