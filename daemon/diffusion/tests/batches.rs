//! What a batch does to its members: guidance in one pass or two, pictures encoded together or alone.

use diffusion::{
    Checkpoint, Conditioning, Model, Vae,
    checkpoint::Prediction,
    clip::TextBatch,
    layer::{Precision, Tape},
    sampler::{Guidance, Sampler, Steps, sample},
    schedule::NoiseSchedule,
    tokenizer::Tokenizer,
};
use kernels::{Device, Tensor};
use std::sync::Arc;
use synthetic::{Random, Stored};

fn checkpoint() -> Checkpoint {
    Checkpoint::of(Arc::new(Random::new(&synthetic::tiny_xl(), 7, Stored::F32, 1.0))).expect("a checkpoint")
}

/// Numbers in -1..1 that look like none.
fn numbers(shape: (usize, usize, usize, usize), seed: f32) -> Tensor {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    let values = (0..count).map(|i| (seed + i as f32 * 12.9898).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("numbers")
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_vec().expect("f32")
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// One step of Euler's method with guidance, by two passes through the UNet, is x + (next - sigma) e; the sampler's own
/// result is the same whether it makes one pass (prompts of one length) or two.
#[test]
fn guidance_is_the_same_in_one_pass_and_in_two() {
    let model = Model::load(&checkpoint(), &Precision::f32()).expect("a model");
    let tokenizer = Tokenizer::new(&[]).expect("a tokenizer");
    let encode = |prompt: &str| -> Conditioning {
        let ids = tokenizer.encode(prompt).expect("ids");
        model.text.forward(&TextBatch::new(&[ids]), &mut Tape::off()).expect("conditions")
    };
    let schedule = NoiseSchedule::new(Prediction::Epsilon);
    let steps = Steps::trailing(&schedule, 1).expect("steps");
    let (sigma, scale, time_ids) = (steps.sigmas[0], 5.0, [64.0, 64.0, 0.0, 0.0, 64.0, 64.0]);
    let x = kernels::scale(&numbers((1, 8, 8, 4), 1.0), sigma).expect("noise");
    let positive = encode("a red fox");
    for negative in [encode("blurry"), encode(&"blurry, dark, ".repeat(30))] {
        let guidance = Guidance { positive: &positive, negative: &negative, scale, time_ids: &time_ids };
        let x = x.clone();
        let input = kernels::scale(&x, 1.0 / (sigma * sigma + 1.0).sqrt()).expect("scaled");
        let ask = |text: &Conditioning| {
            let predicted = model.unet.forward(&input, &steps.timesteps, text, &time_ids, &mut Tape::off());
            values(&predicted.expect("a prediction"))
        };
        let (with, without) = (ask(&positive), ask(&negative));
        let expected: Vec<f32> = values(&x)
            .iter()
            .zip(with.iter().zip(&without))
            .map(|(x, (p, n))| x - sigma as f32 * (n + scale as f32 * (p - n)))
            .collect();
        let drawn = sample(&model.unet, &schedule, Sampler::Euler, &steps, &guidance, x, |_, _| Ok(())).expect("drawn");
        let (error, size) = (furthest(&values(&drawn), &expected), expected.iter().fold(0f32, |m, x| m.max(x.abs())));
        assert!(error < 1e-5 * size, "{error:e} of {size}");
    }
}

/// On the CPU the order of sums follows from the number of rows, so the last digits may differ, and no more.
#[test]
fn pictures_are_encoded_alike_alone_and_together() {
    let vae = Vae::load(&checkpoint(), &Device::Cpu).expect("a VAE");
    let pictures: Vec<Tensor> = (0..3u8).map(|i| numbers((1, 64, 96, 3), f32::from(i))).collect();
    let together = vae.encode(&Tensor::cat(&pictures).expect("joined")).expect("encoded");
    for (i, picture) in pictures.iter().enumerate() {
        let alone = vae.encode(picture).expect("encoded");
        for (one, all) in [(&alone.mean, &together.mean), (&alone.std, &together.std)] {
            let all = all.narrow(0, i, 1).and_then(|t| t.contiguous()).expect("a part");
            let error = furthest(&values(&one.clone().into()), &values(&all.into()));
            println!("picture {i}: {error:e}");
            assert!(error < 1e-5, "picture {i}: {error:e}");
        }
    }
}

/// Group norms of a tile see that tile alone; latents without structure look much the same everywhere.
#[test]
fn a_picture_in_tiles_is_nearly_the_whole_one() {
    let vae = Vae::load(&checkpoint(), &Device::Cpu).expect("a VAE");
    let latents = numbers((1, 16, 90, 4), 1.0);
    let whole = vae.decode(&latents).expect("decoded");
    let tiled = vae.decode_in_tiles(&latents, 64).expect("decoded");
    assert_eq!(whole.dims(), tiled.dims());
    let (whole, tiled) = (values(&whole), values(&tiled));
    let mean = |values: &mut dyn Iterator<Item = f32>| values.sum::<f32>() / whole.len() as f32;
    let size = mean(&mut whole.iter().map(|x| x.abs()));
    let error = mean(&mut whole.iter().zip(&tiled).map(|(a, b)| (a - b).abs()));
    println!("{error:e} of {size:e}");
    assert!(error > 0.0 && error < 0.02 * size, "{error:e} of {size:e}");
}

/// What one pass for both prompts wins; run with `--ignored --nocapture` on a quiet machine.
#[test]
#[ignore = "measures"]
fn one_pass_for_both_prompts_beside_two() {
    let checkpoint = Checkpoint::of(Arc::new(Random::new(&synthetic::sd15(), 7, Stored::F32, 1.0)));
    let unet = diffusion::UNet::load(&checkpoint.expect("a checkpoint"), &Precision::f32()).expect("a UNet");
    for side in [16, 32] {
        let (x, context) = (numbers((1, side, side, 4), 1.0), numbers((1, 1, 77, 768), 2.0));
        let context = context.reshape((1, 77, 768)).expect("a context");
        let mut fastest = [f64::INFINITY; 2];
        for _ in 0..5 {
            for (passes, fastest) in [2, 1].into_iter().zip(&mut fastest) {
                let batch = 3 - passes;
                let join = |tensor: &Tensor| Tensor::cat(&vec![tensor.clone(); batch]).expect("joined");
                let (x, text) = (join(&x), Conditioning { context: join(&context), pooled: None });
                let begun = std::time::Instant::now();
                for _ in 0..passes {
                    unet.forward(&x, &vec![500.0; batch], &text, &[], &mut Tape::off()).expect("a prediction");
                }
                *fastest = fastest.min(begun.elapsed().as_secs_f64());
            }
        }
        let [two, one] = fastest;
        println!("sd15, {} px: two passes {two:.3} s, one {one:.3} s, {:.2} times as fast", 8 * side, two / one);
    }
}
