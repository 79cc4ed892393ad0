//! Writing safetensors files, byte for byte the same every time.
//!
//! The safetensors crate keeps metadata in a map of random order; bundles must not differ from run to run, so the
//! header is written here. Reading is the crate's.

use candle_core::{DType, Tensor};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// Name, type and shape of a tensor to be written.
pub struct Header {
    /// Its key.
    pub key: String,
    /// Its type.
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl Header {
    /// Bytes of the tensor's values.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size_in_bytes()
    }
}

fn dtype_name(dtype: DType) -> io::Result<&'static str> {
    Ok(match dtype {
        DType::F64 => "F64",
        DType::F32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::I64 => "I64",
        other => return Err(io::Error::other(format!("bug: {other:?} is not written to files"))),
    })
}

/// Sorts headers as the safetensors crate lays tensors out: wider types first, then by key.
pub fn sort(headers: &mut [Header]) {
    headers.sort_by(|a, b| {
        // Types of one width keep the crate's order of its enumeration: I64 behind F64, F16 before BF16.
        let rank = |dtype| match dtype {
            DType::I64 => 1,
            DType::F64 => 0,
            DType::F32 => 2,
            DType::F16 => 4,
            _ => 5,
        };
        rank(a.dtype).cmp(&rank(b.dtype)).then_with(|| a.key.cmp(&b.key))
    });
}

/// Writes the header for tensors in the given order; their values must follow in that order.
///
/// # Errors
/// If writing fails.
pub fn write_header(out: &mut impl Write, headers: &[Header], metadata: &BTreeMap<String, String>) -> io::Result<()> {
    let mut text = String::from("{");
    if !metadata.is_empty() {
        text += &format!("\"__metadata__\":{}", serde_json::to_string(metadata)?);
    }
    let mut offset = 0;
    for header in headers {
        if text.len() > 1 {
            text.push(',');
        }
        let key = Value::String(header.key.clone());
        let shape = json!(header.shape);
        let end = offset + header.bytes();
        let dtype = dtype_name(header.dtype)?;
        text += &format!("{key}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{offset},{end}]}}");
        offset = end;
    }
    text.push('}');
    while text.len() % 8 != 0 {
        text.push(' ');
    }
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// Serialises CPU tensors with metadata.
///
/// # Errors
/// If a tensor's type has no place in a file.
pub fn serialize(tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let header = |(key, tensor): (&String, &Tensor)| Header {
        key: key.clone(),
        dtype: tensor.dtype(),
        shape: tensor.dims().to_vec(),
    };
    let mut headers: Vec<Header> = tensors.iter().map(header).collect();
    sort(&mut headers);
    let mut out = Vec::new();
    write_header(&mut out, &headers, metadata)?;
    for header in &headers {
        tensors[&header.key].write_bytes(&mut out).map_err(io::Error::other)?;
    }
    Ok(out)
}
