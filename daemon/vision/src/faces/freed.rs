//! CenterFace's public file declares that it takes ten pictures of 32 x 32 pixels, and takes any: those are only the sizes
//! of its export. ONNX Runtime holds a model to what it declares, so the declaration is taken back in the file's bytes.
//!
//! Numbers of fields are those of `onnx.proto`: ModelProto.graph 7; GraphProto.initializer 5, input 11, output 12, value_info
//! 13; ValueInfoProto.type 2; TypeProto.tensor_type 1; Tensor.shape 2; TensorShapeProto.dim 1; TensorProto.name 8.

use std::collections::BTreeSet;

/// `model` (ONNX) with any batch, height and width for each input and output of four dimensions, and without what its
/// exporter noted of sizes in between. `None` when these are not the bytes of a model.
pub(super) fn freed(model: &[u8]) -> Option<Vec<u8>> {
    let mut seen = false;
    let changed = edited(model, &mut |number, graph| {
        (number == 7).then(|| {
            seen = true;
            free_graph(graph).map(Some)
        })
    })?;
    seen.then_some(changed)
}

fn free_graph(graph: &[u8]) -> Option<Vec<u8>> {
    // Old exports list their weights among the inputs too; those keep their sizes.
    let mut weights = BTreeSet::new();
    for field in fields(graph) {
        if let Field { number: 5, content: Some(tensor), .. } = field? {
            weights.extend(text(tensor, 8));
        }
    }
    edited(graph, &mut |number, value| match number {
        13 => Some(Some(None)),
        11 if text(value, 1).is_some_and(|name| weights.contains(&name)) => None,
        11 | 12 => Some(free_value(value).map(Some)),
        _ => None,
    })
}

fn free_value(value: &[u8]) -> Option<Vec<u8>> {
    within(value, 2, &|kind| within(kind, 1, &|tensor| within(tensor, 2, &free_shape)))
}

fn free_shape(shape: &[u8]) -> Option<Vec<u8>> {
    let count = fields(shape).filter(|field| matches!(field, Some(Field { number: 1, .. }))).count();
    let mut places = 0..;
    edited(shape, &mut |number, _| {
        let place = if number == 1 { places.next() } else { None };
        (count == 4 && matches!(place, Some(0 | 2 | 3))).then(|| Some(Some(Vec::new())))
    })
}

/// `message` with the content of each field `number` changed.
fn within(message: &[u8], number: u64, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    edited(message, &mut |field, content| (field == number).then(|| change(content).map(Some)))
}

/// What becomes of a field with content: `None` it stays, `Some(None)` it can't be changed, `Some(Some(None))` it is left
/// out, else its new content.
type Edit<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Option<Option<Option<Vec<u8>>>>;

fn edited(message: &[u8], edit: Edit<'_>) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(message.len());
    for field in fields(message) {
        let field = field?;
        match field.content.and_then(|content| edit(field.number, content)) {
            None => whole.extend_from_slice(field.bytes),
            Some(change) => {
                if let Some(content) = change? {
                    put(&mut whole, field.number << 3 | 2);
                    put(&mut whole, content.len() as u64);
                    whole.extend_from_slice(&content);
                }
            }
        }
    }
    Some(whole)
}

struct Field<'a> {
    number: u64,
    /// The field with its key.
    bytes: &'a [u8],
    /// What is in it when it is of those with a length.
    content: Option<&'a [u8]>,
}

/// The fields of a message; ends with a `None` where it is damaged.
fn fields(message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(rest);
        rest = field.as_ref().map_or(&[], |field| &rest[field.bytes.len()..]);
        Some(field)
    })
}

fn field(message: &[u8]) -> Option<Field<'_>> {
    let (key, mut at) = varint(message)?;
    let mut content = None;
    match key & 7 {
        0 => at += varint(&message[at..])?.1,
        1 => at += 8,
        2 => {
            let (length, bytes) = varint(&message[at..])?;
            let start = at + bytes;
            at = start.checked_add(usize::try_from(length).ok()?)?;
            content = Some(message.get(start..at)?);
        }
        5 => at += 4,
        _ => return None,
    }
    Some(Field { number: key >> 3, bytes: message.get(..at)?, content })
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * place as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn text(message: &[u8], number: u64) -> Option<Vec<u8>> {
    fields(message).find_map(|field| match field {
        Some(Field { number: found, content: Some(content), .. }) if found == number => Some(content.to_vec()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, content) in parts {
            put(&mut bytes, number << 3 | 2);
            put(&mut bytes, content.len() as u64);
            bytes.extend_from_slice(content);
        }
        bytes
    }

    fn value(name: &str, dims: &[u8]) -> Vec<u8> {
        let dims: Vec<Vec<u8>> = dims.iter().map(|size| vec![8, *size]).collect();
        let shape: Vec<(u64, &[u8])> = dims.iter().map(|dim| (1, dim.as_slice())).collect();
        let tensor = [vec![8, 1], message(&[(2, &message(&shape))])].concat();
        message(&[(1, name.as_bytes()), (2, &message(&[(1, &tensor)]))])
    }

    #[test]
    fn sizes_of_pictures_are_freed_and_those_of_weights_kept() {
        let weight = message(&[(8, b"w")]);
        let graph = |picture: &[u8], between: Option<&[u8]>| {
            let mut parts: Vec<(u64, &[u8])> = vec![(5, &weight), (11, picture)];
            let listed = value("w", &[4, 3, 3, 3]);
            parts.push((11, &listed));
            parts.extend(between.map(|bytes| (13, bytes)));
            message(&[(7, &message(&parts))])
        };
        let tensor = [vec![8, 1], message(&[(2, &message(&[(1, &[]), (1, &[8, 3]), (1, &[]), (1, &[])]))])].concat();
        let free = message(&[(1, b"input"), (2, &message(&[(1, &tensor)]))]);
        let between = value("between", &[10, 8, 8, 8]);
        let before = graph(&value("input", &[10, 3, 32, 32]), Some(&between));
        assert_eq!(freed(&before).expect("a sound model"), graph(&free, None));
    }

    #[test]
    fn damaged_bytes_give_nothing_and_no_panic() {
        let model = message(&[(7, &message(&[(11, &value("input", &[10, 3, 32, 32]))]))]);
        for end in 0..model.len() {
            assert_eq!(freed(&model[..end]), None, "{end}");
        }
        for at in 0..model.len() {
            for bit in 0..8 {
                let mut damaged = model.clone();
                damaged[at] ^= 1 << bit;
                // Whatever it says, it ends.
                let _ = freed(&damaged);
            }
        }
        assert_eq!(freed(&[0xff; 40]), None);
    }
}
