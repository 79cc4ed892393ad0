//! The training step on a GPU against the CPU's. `cargo xtask test` runs these on an emulated GPU, a machine with a real one
//! by `--ignored`.

mod setup;

use candle_core::DType;
use diffusion::layer::Precision;
use kernels::{Device, Quantization, cuda::Gpu};
use setup::{Setup, flat, gradients, loss};
use trainer::Rates;

fn gpu() -> Device {
    Device::cuda(0).expect("a GPU, or the emulated one")
}

fn precision(compute: DType) -> Precision {
    Precision { compute, frozen: compute, quantized: None, device: gpu() }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// |a - b| / |b|.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(b)
}

#[test]
#[ignore = "wants a GPU"]
fn gradients_of_the_whole_model_are_the_cpus() {
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        let host = Setup { targets: "all", text: true, ..Setup::new(architecture) };
        let batch = host.batch(0, 2);
        let mut trainer = host.trainer();
        let (expected, expected_loss) = (gradients(&mut trainer, &[(&batch, 1.0)]), loss(&mut trainer, &batch));
        // In f32 only the order of sums differs; halves keep 8 or 11 bits of each activation. They want heads of at least
        // eight columns, which the tiny 1.5 has not.
        let half = gpu().gpu().map_or(DType::F16, Gpu::half);
        let cases = [(DType::F32, 1e-5), (half, 0.05)];
        for (compute, bound) in &cases[..if host.architecture.clip_g.is_some() { 2 } else { 1 }] {
            let (compute, bound) = (*compute, *bound);
            let setup = Setup { precision: precision(compute), ..host.clone() };
            let mut trainer = setup.trainer();
            let found = loss(&mut trainer, &batch);
            assert!((found / expected_loss - 1.0).abs() < bound / 10.0, "{compute:?}: {found} {expected_loss}");
            let found = distance(&gradients(&mut trainer, &[(&batch, 1.0)]), &expected);
            println!("{compute:?}: gradients differ by {found:.1e} of their size");
            assert!(found < bound, "{compute:?}: {found}");
        }
    }
}

#[test]
#[ignore = "wants a GPU"]
fn a_base_of_few_bits_is_the_cpus() {
    for kind in [Quantization::Int8, Quantization::Nf4] {
        let on = |precision: Precision| Setup {
            targets: "all",
            precision: Precision { quantized: Some(kind), ..precision },
            ..Setup::new(synthetic::tiny_xl())
        };
        let (host, device) = (on(Precision::f32()), on(precision(DType::F32)));
        let batch = host.batch(0, 1);
        let expected = gradients(&mut host.trainer(), &[(&batch, 1.0)]);
        let found = distance(&gradients(&mut device.trainer(), &[(&batch, 1.0)]), &expected);
        assert!(found < 1e-5, "{kind:?}: {found}");
    }
}

#[test]
#[ignore = "wants a GPU"]
fn recomputation_changes_no_bit() {
    let setup =
        Setup { precision: precision(gpu().gpu().map_or(DType::F16, Gpu::half)), ..Setup::new(synthetic::tiny_xl()) };
    let batch = setup.batch(0, 1);
    let kept = gradients(&mut setup.trainer(), &[(&batch, 1.0)]);
    let again = gradients(&mut setup.trainer(), &[(&batch, 1.0)]);
    assert_eq!(kept, again, "a run is repeatable");
    let setup = Setup { recompute: true, ..setup };
    assert_eq!(kept, gradients(&mut setup.trainer(), &[(&batch, 1.0)]));
}

#[test]
#[ignore = "wants a GPU"]
fn a_run_in_f16_goes_as_the_cpus() {
    let host = Setup::new(synthetic::tiny_xl());
    let run = |setup: &Setup| {
        let (mut trainer, batch) = (setup.trainer(), setup.batch(0, 1));
        for _ in 0..2 {
            let (_, pass) = trainer.forward(&batch, true).expect("a forward pass");
            trainer.backward(&batch, pass, 1.0).expect("a backward pass");
            trainer.penalize(true).expect("penalties");
            trainer.update(Rates { unet: 1e-3, text: 0.0, tokens: 1e-3 }).expect("an update");
        }
        (loss(&mut trainer, &batch), flat(trainer.trainables().parameters.values()))
    };
    let (expected, values) = run(&host);
    let (found, moved) = run(&Setup { precision: precision(DType::F16), ..host.clone() });
    assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
    assert!(distance(&moved, &values) < 0.01, "{}", distance(&moved, &values));
}
