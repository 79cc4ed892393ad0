//! Where tensors come from: a safetensors file under a memory map, or any other collection that can name them.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::SafeTensors;
use std::{
    collections::BTreeMap,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
};

/// A collection of named tensors.
pub trait Source: Send + Sync {
    /// What errors call it.
    fn path(&self) -> &Path;
    /// The tensor `key`, if there is one.
    fn info(&self, key: &str) -> Option<&TensorInfo>;
    /// All names, sorted.
    fn keys(&self) -> Vec<&str>;
    /// The value of a metadata key.
    fn metadata(&self, key: &str) -> Option<&str>;
    /// Reads the tensor `key` in the type it is stored in.
    ///
    /// # Errors
    /// If it is absent or of a type that cannot be used.
    fn tensor(&self, key: &str) -> Result<Tensor>;
    /// The bytes of the tensor `key` where they lie in memory as they are stored, little-endian.
    fn bytes(&self, _key: &str) -> Option<&[u8]> {
        None
    }
}

/// Type and shape of a stored tensor.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Its stored type.
    pub dtype: safetensors::Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// The type that weights are read as; `None` if they cannot be computed with, such as fp8 and packed integers.
    pub(super) fn float(&self) -> Option<DType> {
        match self.dtype {
            safetensors::Dtype::F16 => Some(DType::F16),
            safetensors::Dtype::BF16 => Some(DType::BF16),
            safetensors::Dtype::F32 => Some(DType::F32),
            safetensors::Dtype::F64 => Some(DType::F64),
            _ => None,
        }
    }
}

/// A safetensors file, memory-mapped: opening costs its header, tensors are paged in as they are read.
pub struct MappedFile {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, (TensorInfo, Range<usize>)>,
    metadata: BTreeMap<String, String>,
}

/// Headers above this size are refused: real ones stay below two megabytes.
const LARGEST_HEADER: u64 = 100_000_000;

impl MappedFile {
    /// Maps a file and reads its header.
    ///
    /// # Errors
    /// If the file cannot be opened, is truncated, or is no safetensors file; the message says what it is instead.
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |source| Error::Open { path: path.to_owned(), source };
        let refused = |what: &str| Error::Refused { path: path.to_owned(), what: what.to_owned() };
        if path.is_dir() {
            return Err(refused("this is a folder; name the .safetensors file itself"));
        }
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        if length == 0 {
            return Err(refused("this file is empty; download or copy it again"));
        }
        // SAFETY: the map is read-only. A file that another program shortens meanwhile would fault, as with any map;
        // checkpoints are written once.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        if let Some(what) = other_format(&map) {
            return Err(refused(what));
        }
        let header = map.first_chunk::<8>().map(|n| u64::from_le_bytes(*n));
        let Some(header) = header.filter(|&n| n <= LARGEST_HEADER) else {
            return Err(refused("this is not a safetensors file"));
        };
        if 8 + header > length {
            return Err(Error::Truncated { path: path.to_owned(), expected: 8 + header, found: length });
        }
        let start = 8 + header as usize;
        let parsed = SafeTensors::read_metadata(&map);
        let (_, parsed) = match parsed {
            Ok(parsed) => parsed,
            Err(safetensors::SafeTensorError::MetadataIncompleteBuffer) => {
                let expected = promised_length(&map[8..start]).map_or(length + 1, |n| n + start as u64);
                return Err(Error::Truncated { path: path.to_owned(), expected, found: length });
            }
            Err(error) => return Err(refused(&format!("its safetensors header is damaged ({error})"))),
        };
        let tensors = parsed.tensors().into_iter().map(|(key, info)| {
            let range = start + info.data_offsets.0..start + info.data_offsets.1;
            (key, (TensorInfo { dtype: info.dtype, shape: info.shape.clone() }, range))
        });
        let tensors: BTreeMap<_, _> = tensors.collect();
        let end = tensors.values().map(|(_, range)| range.end).max().unwrap_or(start);
        if end as u64 > length {
            return Err(Error::Truncated { path: path.to_owned(), expected: end as u64, found: length });
        }
        let metadata = parsed.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path: path.to_owned(), map, tensors, metadata })
    }
}

/// The end of the last tensor that a header names.
fn promised_length(header: &[u8]) -> Option<u64> {
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    header.values().filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64()).max()
}

/// What a file is, if its first bytes say that it is no safetensors file.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let pickle = "this is a pickle checkpoint (.ckpt, .pt), which can run code when it is opened; get the .safetensors \
                  version of the model, or convert it with a tool that you trust";
    match bytes {
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Some(pickle),
        [b'G', b'G', b'U', b'F', ..] => Some("this is a GGUF file; get the .safetensors version of the model"),
        [b'<', ..] => Some("this is a web page, not a model: the download went wrong; download it again"),
        _ if bytes.starts_with(b"version https://git-lfs") => {
            Some("this is a Git LFS pointer, not the model itself; run `git lfs pull` or download the file")
        }
        _ => None,
    }
}

impl Source for MappedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn info(&self, key: &str) -> Option<&TensorInfo> {
        self.tensors.get(key).map(|(info, _)| info)
    }

    fn keys(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.tensors.get(key).map(|(_, range)| &self.map[range.clone()])
    }

    fn tensor(&self, key: &str) -> Result<Tensor> {
        let Some((info, range)) = self.tensors.get(key) else {
            let (path, example) = (self.path.clone(), key.to_owned());
            return Err(Error::Missing { path, count: 1, model: "the model", example });
        };
        let dtype = match (info.float(), info.dtype) {
            (Some(float), _) => float,
            (None, safetensors::Dtype::I64) => DType::I64,
            (None, other) => {
                let what = format!("tensor `{key}` is stored as {other:?}, which cannot be read");
                return Err(Error::Refused { path: self.path.clone(), what });
            }
        };
        Ok(Tensor::from_raw_buffer(&self.map[range.clone()], dtype, &info.shape, &Device::Cpu)?)
    }
}
