//! The names of a graph's inputs and outputs, read from an ONNX file without loading it.
//!
//! An ONNX file is a protobuf message (onnx.proto3): `ModelProto.graph` is field 7; of `GraphProto` fields 11 and 12 are inputs
//! and outputs, each a `ValueInfoProto` whose field 1 is its name. Everything else is skipped, so a file of gigabytes costs a few
//! thousand seeks.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Fields looked at before giving up: real graphs have some thousand nodes and weights.
const MOST_FIELDS: u32 = 400_000;
/// Inputs and outputs kept.
const MOST_NAMES: usize = 512;
/// Bytes of a name.
const LONGEST_NAME: u64 = 512;

/// The names that a graph's inputs and outputs have. Old exports count weights among the inputs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
}

/// The signature of the ONNX file at `path`; `None` when it is not one.
pub(crate) fn signature(path: &Path) -> Option<Signature> {
    let file = File::open(path).ok()?;
    let end = file.metadata().ok()?.len();
    Reader { from: BufReader::new(file), at: 0, fields: 0 }.model(end)
}

struct Reader {
    from: BufReader<File>,
    at: u64,
    fields: u32,
}

/// A field's number, and its payload's length when it has one.
struct Field {
    number: u64,
    bytes: Option<u64>,
}

impl Reader {
    fn model(mut self, end: u64) -> Option<Signature> {
        while self.at < end {
            let field = self.field(end)?;
            match (field.number, field.bytes) {
                (7, Some(bytes)) => return self.graph(self.at + bytes),
                (_, bytes) => self.skip(bytes.unwrap_or(0))?,
            }
        }
        None
    }

    fn graph(&mut self, end: u64) -> Option<Signature> {
        let mut signature = Signature::default();
        while self.at < end {
            let field = self.field(end)?;
            match (field.number, field.bytes) {
                (11, Some(bytes)) => signature.inputs.push(self.name(bytes)?),
                (12, Some(bytes)) => signature.outputs.push(self.name(bytes)?),
                (_, bytes) => self.skip(bytes.unwrap_or(0))?,
            }
            if signature.inputs.len() + signature.outputs.len() > MOST_NAMES {
                return None;
            }
        }
        (!signature.inputs.is_empty() && !signature.outputs.is_empty()).then_some(signature)
    }

    /// The name in a `ValueInfoProto` of `bytes` bytes; leaves the reader behind the message.
    fn name(&mut self, bytes: u64) -> Option<String> {
        let end = self.at + bytes;
        let mut name = String::new();
        while self.at < end {
            let field = self.field(end)?;
            match (field.number, field.bytes) {
                (1, Some(bytes)) if bytes <= LONGEST_NAME => {
                    let mut text = vec![0; bytes as usize];
                    self.from.read_exact(&mut text).ok()?;
                    self.at += bytes;
                    name = String::from_utf8(text).ok()?;
                }
                (_, bytes) => self.skip(bytes.unwrap_or(0))?,
            }
        }
        Some(name)
    }

    /// The head of the next field; a number's value is read over. Its payload ends at `end` at the latest.
    fn field(&mut self, end: u64) -> Option<Field> {
        self.fields += 1;
        if self.fields > MOST_FIELDS {
            return None;
        }
        let key = self.varint()?;
        let bytes = match key & 7 {
            0 => {
                self.varint()?;
                None
            }
            1 => Some(8),
            2 => Some(self.varint()?),
            5 => Some(4),
            _ => return None,
        };
        let inside = self.at.checked_add(bytes.unwrap_or(0)).is_some_and(|stop| stop <= end);
        inside.then_some(Field { number: key >> 3, bytes })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.from.fill_buf().ok()?.first()?;
            self.from.consume(1);
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.at += bytes;
        match i64::try_from(bytes) {
            Ok(near) => self.from.seek_relative(near).ok(),
            Err(_) => self.from.seek(SeekFrom::Start(self.at)).ok().map(|_| ()),
        }
    }
}

/// Builds ONNX files that hold nothing but a signature.
#[cfg(test)]
pub(crate) mod fixture {
    /// A model with these inputs and outputs, some weights before them.
    pub(crate) fn model(inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
        let mut graph = message(5, &vec![7; 300]);
        graph.extend(message(2, b"graph"));
        for (number, names) in [(11, inputs), (12, outputs)] {
            for name in names {
                let mut info = message(1, name.as_bytes());
                info.extend(message(2, &[8, 1]));
                graph.extend(message(number, &info));
            }
        }
        let mut model = vec![0x08, 0x08];
        model.extend(message(7, &graph));
        model.extend(message(8, &[0x10, 0x11]));
        model
    }

    fn message(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = payload.len();
        while length > 0x7f {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Signature> {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).expect("writes");
        signature(&path)
    }

    #[test]
    fn inputs_and_outputs_are_read_past_the_weights() {
        let signature = read(&fixture::model(&["input.1", "w"], &["1959", "1960"])).expect("a model");
        assert_eq!(signature.inputs, ["input.1", "w"]);
        assert_eq!(signature.outputs, ["1959", "1960"]);
    }

    #[test]
    fn broken_files_are_none_and_never_panic() {
        let whole = fixture::model(&["input"], &["output"]);
        assert!(read(b"").is_none());
        assert!(read(b"version https://git-lfs.github.com/spec/v1\n").is_none());
        for cut in 0..whole.len() - 4 {
            assert!(read(&whole[..cut]).is_none(), "cut at {cut}");
        }
        // Lengths that promise more than there is, up to the largest number.
        for lead in [&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..], &[0x3a, 0x7f, 0x5a]] {
            assert!(read(lead).is_none());
        }
        let mut state = 1u32;
        for at in 0..whole.len() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut bytes = whole.clone();
            bytes[at] ^= (state >> 24) as u8 | 1;
            let _ = read(&bytes);
        }
    }

    #[test]
    fn endless_empty_fields_are_given_up() {
        let mut bytes = vec![0x3a, 0x80, 0x80, 0x80, 0x01];
        bytes.extend([0x52, 0x00].repeat(1 << 20));
        assert!(read(&bytes).is_none());
    }
}
