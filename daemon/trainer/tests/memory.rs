//! What a training was said to hold, against what it had allocated: an allocator that counts, around steps and drawing.

use candle_core::DType;
use diffusion::{
    Checkpoint, Model, Vae,
    checkpoint::{Architecture, Prediction},
    clip::TextBatch,
    layer::{Precision, Tape},
    lora::{self, Targets},
    plan::{self, Need, StepShape, Storage},
    schedule::NoiseSchedule,
    tokenizer::{END, LENGTH},
};
use kernels::{Device, Quantization};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use synthetic::{Random, Stored};
use trainer::{Batch, Draw, Objective, Rates, Recipe, Trainables, Trainer};

/// Counts what lives, and the most that did.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator, with two counters beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the tests of this file count is counted alone.
static ALONE: Mutex<()> = Mutex::new(());

struct Case {
    architecture: Architecture,
    targets: &'static str,
    recompute: bool,
    quantized: Option<Quantization>,
    batch: usize,
    side: usize,
}

impl Case {
    fn precision(&self) -> Precision {
        Precision::f32().with(self.quantized)
    }

    fn shape(&self) -> StepShape {
        StepShape {
            batch: self.batch,
            height: self.side,
            width: self.side,
            chunks: 1,
            targets: Targets::named(self.targets, false).expect("targets"),
            rank: 4,
            text: true,
            recompute: self.recompute,
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::of(Arc::new(Random::new(&self.architecture, 3, Stored::F32, 1.0))).expect("a checkpoint")
    }

    fn model(&self) -> Model {
        Model::load(&self.checkpoint(), &self.precision()).expect("a model")
    }

    fn trainer(&self) -> Trainer {
        let recipe = Recipe { rank: 4, ..Recipe::conceptd(false) };
        let mut model = self.model();
        let sites = lora::sites(&mut model, &Targets::named(self.targets, false).expect("targets"), recipe.rank);
        let rows = model.text.encoders().map(|(_, encoder)| vec![0.01; 2 * encoder.width()]).collect();
        let first = |_: &str, shape: &[usize]| vec![0.01; shape.iter().product()];
        let trainables = Trainables::bind(&mut model, sites, false, recipe.alpha, first, rows).expect("trainables");
        let schedule = NoiseSchedule::new(Prediction::Epsilon);
        let objective = Objective { schedule, snr: recipe.snr, l1: recipe.l1, token_std: recipe.token_std };
        let (adapters, tokens) = (recipe.lora_optimizer(), recipe.token_optimizer());
        Trainer::new(model, trainables, objective, adapters, tokens, self.recompute).expect("a trainer")
    }

    fn batch(&self) -> Batch {
        let noise = |seed: u64| Draw::new(seed, 0).noise((self.batch, self.side, self.side, 4), 0.0).expect("noise");
        let xl = self.architecture.clip_g.is_some();
        let ids = vec![END; self.batch * LENGTH];
        Batch {
            latents: noise(1).into(),
            noise: noise(2).into(),
            mask: None,
            mask_means: vec![1.0; self.batch],
            timesteps: vec![500; self.batch],
            text: TextBatch { g: if xl { ids.clone() } else { Vec::new() }, l: ids, chunks: 1 },
            time_ids: if xl { [128.0, 128.0, 0.0, 0.0, 128.0, 128.0].repeat(self.batch) } else { Vec::new() },
        }
    }
}

/// Bytes that live after `make` and did not before.
fn grown<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Relaxed);
    let made = make();
    (made, LIVE.load(Relaxed) - before)
}

/// The most bytes that lived at once while `work` ran, beside those that lived before.
fn most<T>(work: impl FnOnce() -> diffusion::Result<T>) -> usize {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work().expect("it works");
    PEAK.load(Relaxed) - before
}

#[test]
fn a_model_weighs_what_is_said_beforehand() {
    let _alone = ALONE.lock();
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        let mut plain = None;
        for quantized in [None, Some(Quantization::Int8), Some(Quantization::Nf4)] {
            let case = Case {
                architecture: architecture.clone(),
                targets: "eden",
                recompute: false,
                quantized,
                batch: 1,
                side: 8,
            };
            // Names, shapes and counters of a few hundred tensors.
            let (model, weighed) = grown(|| case.model());
            let stated = plan::weight_bytes(&architecture, &Storage::of(&case.precision()));
            let (stated, name) = (stated.unet + stated.text, architecture.family.name());
            let beside = weighed - stated;
            println!("{name} {quantized:?}: {stated} bytes of {weighed}");
            assert!(beside < 800_000, "{name} {quantized:?}: {stated} bytes were stated, {weighed} are there");
            // What lies beside is the same however matrices are stored, to a few bytes of each.
            let usual: usize = *plain.get_or_insert(beside);
            assert!(beside.abs_diff(usual) < 100_000, "{name} {quantized:?}: {beside} bytes beside, {usual} unpacked");
            drop(model);
        }
    }
}

#[test]
fn a_step_holds_what_is_said_beforehand_within_a_tenth() {
    let _alone = ALONE.lock();
    let (xl, older) = (synthetic::tiny_xl, synthetic::tiny_15);
    let mut worst: f64 = 0.0;
    for (architecture, targets, recompute, quantized, batch, side) in [
        (xl(), "eden", false, None, 4, 32),
        (xl(), "eden", true, None, 4, 32),
        (xl(), "all", false, None, 2, 32),
        (xl(), "all", true, Some(Quantization::Int8), 2, 32),
        (xl(), "attn", false, Some(Quantization::Nf4), 4, 32),
        (older(), "eden", false, None, 4, 32),
        (older(), "eden", true, Some(Quantization::Nf4), 4, 32),
        (older(), "transformer", true, None, 2, 32),
    ] {
        let case = Case { architecture, targets, recompute, quantized, batch, side };
        let name = format!("{} {targets}, recompute {recompute}, {quantized:?}", case.architecture.family.name());
        // One thread: each has buffers of its own, which planners add room for.
        let (trained, held, measured) = trainer::with_threads(1, || {
            let (mut trainer, held) = grown(|| case.trainer());
            let batch = case.batch();
            let mut peak = 0;
            for _ in 0..2 {
                let before = LIVE.load(Relaxed);
                PEAK.store(before, Relaxed);
                let (_, pass) = trainer.forward(&batch, true).expect("a forward pass");
                trainer.backward(&batch, pass, 1.0).expect("a backward pass");
                trainer.update(Rates { unet: 1e-3, text: 0.0, tokens: 1e-3 }).expect("an update");
                peak = PEAK.load(Relaxed) - before;
            }
            (trainer.trainables().parameters.values().elem_count(), held, peak)
        })
        .expect("threads");
        let need = Need::of(&case.architecture, &case.shape(), &Storage::of(&case.precision()), trained, 2);
        let (stated, step) = (need.saved + need.working, measured);
        let off = stated as f64 / step as f64 - 1.0;
        let whole = need.peak() as f64 / (held + step) as f64 - 1.0;
        println!(
            "{name}: step {stated} stated, {step} measured ({:+.1} %); all {} stated, {} measured ({:+.1} %)",
            100.0 * off,
            need.peak(),
            held + step,
            100.0 * whole
        );
        worst = worst.max(off.abs()).max(whole.abs());
        assert!(off.abs() < 0.1, "{name}: a step was to hold {stated} bytes, it held {step}");
        assert!(whole.abs() < 0.1, "{name}: {} bytes were stated, {} were held", need.peak(), held + step);
    }
    println!("largest difference: {:.1} %", 100.0 * worst);
}

#[test]
fn drawing_holds_what_is_said_beforehand_within_a_tenth() {
    let _alone = ALONE.lock();
    for architecture in [synthetic::tiny_xl(), synthetic::tiny_15()] {
        let name = architecture.family.name();
        let case = Case { architecture, targets: "eden", recompute: false, quantized: None, batch: 2, side: 32 };
        let (batch, dims) = (case.batch(), &case.architecture.vae);
        let (guided, decoded, encoded) = trainer::with_threads(1, || {
            let model = case.model();
            let vae = Vae::load(&case.checkpoint(), &Device::Cpu).expect("a VAE");
            let text = model.text.forward(&batch.text, &mut Tape::off()).expect("a context");
            let latents = batch.latents.narrow(0, 0, 1).expect("one");
            let image = vae.decode(&latents).expect("a picture");
            let timesteps = [500.0; 2];
            (
                most(|| model.unet.forward(&batch.latents, &timesteps, &text, &batch.time_ids, &mut Tape::off())),
                most(|| vae.decode(&latents)),
                most(|| vae.encode(&image)),
            )
        })
        .expect("threads");
        let positions = case.side * case.side;
        for (what, stated, measured) in [
            ("a guided pass", plan::forward_bytes(&case.architecture, &case.shape(), DType::F32), guided),
            ("decoding", plan::decode_bytes(dims, positions), decoded),
            ("encoding", plan::encode_bytes(dims, positions), encoded),
        ] {
            let off = stated as f64 / measured as f64 - 1.0;
            println!("{name}: {what} {stated} stated, {measured} measured ({:+.1} %)", 100.0 * off);
            assert!(off.abs() < 0.1, "{name}: {what} was to hold {stated} bytes, it held {measured}");
        }
    }
}
