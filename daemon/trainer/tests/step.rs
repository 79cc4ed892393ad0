//! The training step as a whole, on tiny random checkpoints.

mod setup;

use candle_core::DType;
use diffusion::{
    layer::Precision,
    lora::Targets,
    plan::{self, StepShape},
    tokenizer::{LENGTH, TokenIds},
};
use kernels::Quantization;
use setup::{SIZE, Setup, flat, gradients, loss};
use trainer::{Batch, Rates, Trainer};

/// Adapters everywhere, in UNet and text encoders, and token rows: every kind of gradient by central differences in f64.
#[test]
fn the_gradient_of_the_whole_model_is_that_of_finite_differences() {
    let (xl, older) = (synthetic::tiny_xl, synthetic::tiny_15);
    for (architecture, chunks, quantized) in [
        (xl(), 1, None),
        (older(), 1, None),
        (xl(), 2, None),
        // A quantized base is another base, and its gradients are as exact.
        (xl(), 1, Some(Quantization::Nf4)),
        (older(), 1, Some(Quantization::Int8)),
    ] {
        let precision = Precision { compute: DType::F64, frozen: DType::F64, ..Precision::f32() }.with(quantized);
        let setup = Setup { targets: "all", text: true, precision, chunks, ..Setup::new(architecture) };
        let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 2));
        let analytic = gradients(&mut trainer, &[(&batch, 1.0)]);
        let scale = (analytic.iter().map(|g| g * g).sum::<f64>() / analytic.len() as f64).sqrt();
        let values = trainer.trainables().parameters.values().clone();
        let entries = trainer.trainables().parameters.entries().to_vec();
        // One element of every seventh tensor and of each token table, so that every kind of layer comes up.
        let each = if quantized.is_none() { 7 } else { 29 };
        let chosen = entries.iter().enumerate().filter(|(i, e)| i % each == 0 || e.name.starts_with("tokens"));
        for (i, entry) in chosen {
            let at = entry.start + (i * 131) % entry.range().len();
            let mut with = |delta: f64| {
                kernels::write::<f64>(&values, |values| values[at] += delta).expect("written");
                let loss = loss(&mut trainer, &batch);
                kernels::write::<f64>(&values, |values| values[at] -= delta).expect("written");
                loss
            };
            let step = 1e-5;
            let numeric = (with(step) - with(-step)) / (2.0 * step);
            let error = (numeric - analytic[at]).abs() / scale.max(analytic[at].abs());
            assert!(error < 1e-5, "{}: analytic {} numeric {numeric}", entry.name, analytic[at]);
        }
    }
}

#[test]
fn recomputation_changes_no_bit() {
    let setup = Setup { targets: "all", text: true, ..Setup::new(synthetic::tiny_xl()) };
    let batch = setup.batch(0, 2);
    let kept = gradients(&mut setup.trainer(), &[(&batch, 1.0)]);
    let setup = Setup { recompute: true, ..setup };
    assert_eq!(kept, gradients(&mut setup.trainer(), &[(&batch, 1.0)]));
}

#[test]
fn a_quantized_base_predicts_nearly_the_same_and_recomputes_no_bit_otherwise() {
    // DoRA reads the rows of what it corrects.
    for (architecture, dora) in [(synthetic::tiny_xl(), false), (synthetic::tiny_15(), true)] {
        let predicted = |quantized, recompute| {
            let precision = Precision::f32().with(quantized);
            let setup = Setup { targets: "all", precision, recompute, dora, ..Setup::new(architecture.clone()) };
            let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 2));
            let (losses, pass) = trainer.forward(&batch, true).expect("a forward pass");
            trainer.backward(&batch, pass, 1.0).expect("a backward pass");
            (flat(&losses.prediction), flat(trainer.gradients().values()))
        };
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let apart = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(a);
        let (plain, gradient) = predicted(None, false);
        // Weights are off by some 0.5 % and 9 % of their size; dozens of random layers in a row make four times that of it.
        for (kind, prediction_off, gradient_off) in [(Quantization::Int8, 0.03, 0.06), (Quantization::Nf4, 0.5, 1.0)] {
            let (few, few_gradient) = predicted(Some(kind), false);
            let off = (apart(&plain, &few), apart(&gradient, &few_gradient));
            println!(
                "{} {kind:?}: prediction off by {:.4}, gradient by {:.4}",
                architecture.family.name(),
                off.0,
                off.1
            );
            assert!(off.0 > 0.0 && off.0 < prediction_off, "{kind:?}: the prediction is off by {}", off.0);
            assert!(off.1 > 0.0 && off.1 < gradient_off, "{kind:?}: the gradient is off by {}", off.1);
            assert_eq!((few, few_gradient), predicted(Some(kind), true), "{kind:?}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        trainer::with_threads(threads, || {
            let setup = Setup { targets: "all", ..Setup::new(synthetic::tiny_xl()) };
            let mut trainer = setup.trainer();
            for step in 0..2 {
                let batch = setup.batch(step, 2);
                let (_, pass) = trainer.forward(&batch, true).expect("a forward pass");
                trainer.backward(&batch, pass, 1.0).expect("a backward pass");
                trainer.penalize(true).expect("penalties");
                trainer.clip(0.5).expect("clipped");
                trainer.update(Rates { unet: 1e-3, text: 0.0, tokens: 1e-3 }).expect("an update");
            }
            flat(trainer.trainables().parameters.values())
        })
        .expect("threads")
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn four_accumulated_steps_of_one_are_one_step_of_four() {
    let setup = Setup::new(synthetic::tiny_xl());
    let together = gradients(&mut setup.trainer(), &[(&setup.batch(0, 4), 1.0)]);
    let singles: Vec<Batch> = (0..4).map(|i| setup.batch(i, 1)).collect();
    let parts: Vec<(&Batch, f64)> = singles.iter().map(|batch| (batch, 0.25)).collect();
    let apart = gradients(&mut setup.trainer(), &parts);
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut together.iter().zip(&apart).map(|(a, b)| a - b)) / norm(&mut together.iter().copied());
    assert!(difference < 1e-5, "{difference:e}");
}

#[test]
fn what_a_step_keeps_is_known_beforehand() {
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        for (targets, text, recompute, chunks) in [
            ("attn", false, false, 1),
            ("eden", false, true, 2),
            ("transformer", true, false, 1),
            ("all", true, false, 2),
            ("all", true, true, 1),
        ] {
            let setup = Setup { targets, text, recompute, chunks, ..Setup::new(architecture.clone()) };
            let mut trainer = setup.trainer();
            loss(&mut trainer, &setup.batch(0, 3));
            let targets = Targets::named(setup.targets, text).expect("targets");
            let step =
                StepShape { batch: 3, height: SIZE, width: SIZE, chunks, targets, rank: 2, text: true, recompute };
            let planned = plan::saved_bytes(&setup.architecture, &step, DType::F32);
            let name = setup.architecture.family.name();
            assert_eq!(planned, trainer.saved_bytes(), "{name}, {}, recompute {recompute}", setup.targets);
        }
    }
}

#[test]
fn training_on_two_pictures_learns_them() {
    let setup = Setup::new(synthetic::tiny_xl());
    let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 2));
    let before = loss(&mut trainer, &batch);
    for _ in 0..40 {
        let (_, pass) = trainer.forward(&batch, true).expect("a forward pass");
        trainer.backward(&batch, pass, 1.0).expect("a backward pass");
        trainer.update(Rates { unet: 3e-3, text: 0.0, tokens: 3e-3 }).expect("an update");
    }
    let after = loss(&mut trainer, &batch);
    assert!(after < 0.7 * before, "{before} -> {after}");
}

#[test]
fn text_that_is_encoded_once_changes_no_bit() {
    for (architecture, chunks) in [(synthetic::tiny_xl(), 2), (synthetic::tiny_15(), 1)] {
        let setup = Setup { targets: "all", chunks, ..Setup::new(architecture) };
        let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 3));
        let step = |trainer: &mut Trainer| {
            trainer.gradients().clear().expect("cleared");
            let (losses, pass) = trainer.forward(&batch, false).expect("a forward pass");
            trainer.backward(&batch, pass, 1.0).expect("a backward pass");
            (flat(&losses.prediction), flat(trainer.gradients().values()), trainer.plain_loss(&batch).expect("a loss"))
        };
        let before = step(&mut trainer);
        let prompts: Vec<TokenIds> = (0..3)
            .map(|i| {
                let at = i * chunks * LENGTH..(i + 1) * chunks * LENGTH;
                let g = batch.text.g.get(at.clone()).unwrap_or_default().to_vec();
                TokenIds { l: batch.text.l[at].to_vec(), g, truncated: false }
            })
            .collect();
        trainer.freeze_text(&prompts).expect("frozen");
        assert!(before == step(&mut trainer), "{}", setup.architecture.family.name());
        trainer.freeze_text(&[]).expect("frozen already");
        let other = setup.batch(3, 1);
        assert!(trainer.forward(&other, false).is_err(), "a prompt that was not named");
        assert!(trainer.forward(&batch, true).is_err(), "nothing in them can learn any more");
    }
}

#[test]
fn frozen_tokens_neither_move_nor_run_the_text_encoders_backward() {
    let setup = Setup::new(synthetic::tiny_xl());
    let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 2));
    let rows = |trainer: &Trainer| trainer.trainables().tokens[1].value.to_vec::<f32>().expect("rows");
    let before = rows(&trainer);
    let (_, pass) = trainer.forward(&batch, false).expect("a forward pass");
    trainer.backward(&batch, pass, 1.0).expect("a backward pass");
    trainer.update(Rates { unet: 1e-3, text: 0.0, tokens: 0.0 }).expect("an update");
    assert_eq!(before, rows(&trainer));
}
