//! Prompts of several parts: the encoders see each by itself, the UNet all in a row.

use diffusion::{
    Checkpoint, Model,
    clip::TextBatch,
    layer::{Precision, Tape},
    tokenizer::{LENGTH, TokenIds, Tokenizer},
};
use kernels::Tensor;
use std::sync::Arc;
use synthetic::{Random, Stored};

/// Equal but for the order of sums, which follows from the number of rows.
fn near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().expect("f32")
}

#[test]
fn a_long_prompt_is_what_hosts_make_of_it() {
    let checkpoint = Checkpoint::of(Arc::new(Random::new(&synthetic::tiny_xl(), 7, Stored::F32, 1.0)));
    let model = Model::load(&checkpoint.expect("a checkpoint"), &Precision::f32()).expect("a model");
    let ids = Tokenizer::new(&[]).and_then(|t| t.encode(&"a red fox in the snow, ".repeat(15))).expect("ids");
    assert_eq!(ids.chunks(), 2);
    let encode =
        |prompts: &[TokenIds]| model.text.forward(&TextBatch::new(prompts), &mut Tape::off()).expect("conditions");
    let part = |i: usize| {
        let of = |ids: &[u32]| ids[i * LENGTH..(i + 1) * LENGTH].to_vec();
        TokenIds { l: of(&ids.l), g: of(&ids.g), truncated: false }
    };
    let (whole, first, second) = (encode(std::slice::from_ref(&ids)), encode(&[part(0)]), encode(&[part(1)]));
    assert_eq!(whole.context.dims()[1], 2 * LENGTH);
    let both = [values(&first.context), values(&second.context)].concat();
    assert!(near(&values(&whole.context), &both));
    let pooled = |text: &diffusion::Conditioning| values(text.pooled.as_ref().expect("XL pools"));
    assert!(near(&pooled(&whole), &pooled(&first)), "hosts pool the first part");
    // A short prompt beside a long one gets an empty part.
    let short = Tokenizer::new(&[]).and_then(|t| t.encode("a fox")).expect("ids");
    let batch = encode(&[ids, short.clone()]);
    assert_eq!(batch.context.dims()[..2], [2, 2 * LENGTH]);
    assert!(near(&pooled(&batch)[pooled(&first).len()..], &pooled(&encode(&[short]))));
}
