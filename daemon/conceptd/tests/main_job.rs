//! The main job through the real program: pictures in, a concept out, on a random base with the layout of XL.

use candle_core::{Device, safetensors::load_buffer};
use image::{Rgb, RgbImage};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};
use synthetic::{Random, Stored};
use tempfile::TempDir;

/// A folder with pictures and a base, made once for all tests.
struct World(TempDir);

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut base = BufWriter::new(File::create(folder.path().join("base.safetensors")).expect("a file"));
        Random::new(&synthetic::tiny_xl(), 1, Stored::F16, 1.0).write(&mut base).expect("written");
        base.flush().expect("flushed");
        let pictures = folder.path().join("pictures");
        fs::create_dir(&pictures).expect("made");
        for i in 0..4u8 {
            let picture = RgbImage::from_fn(70, 64, |x, y| Rgb([x as u8 * 3, y as u8 * 2, i * 60]));
            picture.save(pictures.join(format!("{i}.png"))).expect("saved");
            fs::write(pictures.join(format!("{i}.txt")), format!("a photo of Zorb number {i}")).expect("written");
        }
        World(folder)
    })
}

impl World {
    fn base(&self) -> PathBuf {
        self.0.path().join("base.safetensors")
    }

    fn pictures(&self) -> PathBuf {
        self.0.path().join("pictures")
    }

    /// The command with nothing but what it must have.
    fn bare(&self, out: &Path) -> Command {
        let mut command = self.conceptd();
        command.arg("train").arg(self.pictures()).args(["--name", "Zorb", "--mode", "object"]);
        command.arg("--base").arg(self.base()).arg("--out").arg(out);
        command
    }

    /// The program, unable to find a daemon of the user's.
    fn conceptd(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conceptd"));
        command.env("CONCEPTD_HOME", self.0.path().join("home"));
        command
    }

    fn train(&self, out: &Path) -> Command {
        let mut command = self.bare(out);
        command.args([
            "--resolution",
            "64",
            "--steps",
            "6",
            "--batch-size",
            "2",
            "--lora-rank",
            "2",
            "--save-every",
            "2",
        ]);
        command
    }
}

fn good(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn refused(command: &mut Command, code: i32) -> String {
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn pictures_become_a_concept_that_draws() {
    let (world, out) = (world(), tempfile::tempdir().expect("a folder"));
    good(world.train(out.path()).args(["--sample-prompt", "Zorb on grass"]));
    for file in
        ["zorb.tar", "zorb_lora.safetensors", "zorb_embeddings.safetensors", "zorb.png", "zorb.json", "zorb-loss.png"]
    {
        assert!(out.path().join(file).is_file(), "{file}");
    }
    let tar = out.path().join("zorb.tar");
    let mut archive = tar::Archive::new(File::open(&tar).expect("opened"));
    let mut members = Vec::new();
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes, fs::read(out.path().join(&name)).expect("the loose file"), "{name}");
        members.push((name, bytes));
    }
    assert_eq!(
        members.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["zorb_lora.safetensors", "zorb_embeddings.safetensors"]
    );
    let embeddings = load_buffer(&members[1].1, &Device::Cpu).expect("tensors");
    assert_eq!((embeddings["clip_l"].dims(), embeddings["clip_g"].dims()), (&[3, 64][..], &[3, 128][..]));
    let text = String::from_utf8_lossy(&members[0].1[..20_000]).into_owned();
    assert!(
        text.contains("sdxl_base_v1-0")
            && text.contains("zorb_lora")
            && !text.contains(&out.path().display().to_string())
    );

    let picture = out.path().join("drawn.png");
    let mut create = world.conceptd();
    create.args(["create", "a photo of zorb", "--steps", "2", "--count", "2"]).arg("--base").arg(world.base());
    good(create.arg("--concept").arg(format!("{}:0.5", tar.display())).arg("--out").arg(&picture));
    assert_eq!(image::image_dimensions(&picture).expect("a picture"), (64, 64));
    assert!(out.path().join("drawn-2.png").is_file());

    let mut verify = world.conceptd();
    good(verify.arg("verify").arg(&tar).arg(world.pictures()).arg("--base").arg(world.base()));
    let mut verify = world.conceptd();
    let other = tempfile::tempdir().expect("a folder");
    RgbImage::new(64, 64).save(other.path().join("a.png")).expect("saved");
    assert!(refused(verify.arg("verify").arg(&tar).arg(other.path()), 1).contains("pictures changed"));

    // The same recipe from the bundle: the same bytes under a new name's files, so compare a fresh folder.
    let again = tempfile::tempdir().expect("a folder");
    let mut repeat = world.conceptd();
    repeat
        .arg("train")
        .arg(world.pictures())
        .args(["--name", "Zorb", "--no-samples", "--threads", "1"])
        .arg("--from")
        .arg(&tar);
    good(repeat.arg("--base").arg(world.base()).arg("--out").arg(again.path()));
    assert_eq!(fs::read(&tar).expect("read"), fs::read(again.path().join("zorb.tar")).expect("read"));

    // A second training does not touch the first; it may begin with its weights.
    good(world.train(out.path()).args(["--no-samples", "--sample-every", "4", "--continue"]).arg(&tar));
    assert!(out.path().join("zorb-v2.tar").is_file());
    assert!(out.path().join(".zorb-v2.run/sample-000004.png").is_file());

    let mut grid = world.conceptd();
    grid.arg("grid").arg(&tar).args(["--steps", "1", "--strength", "0.5", "--strength", "1"]);
    good(grid.arg("--base").arg(world.base()).arg("--out").arg(out.path().join("grid.png")));
    let (width, height) = image::image_dimensions(out.path().join("grid.png")).expect("a picture");
    assert!(width > 128 && height > 192, "two strengths beside each other, three snapshots below: {width} x {height}");

    let mut promote = world.conceptd();
    good(promote.arg("promote").arg(&tar).args(["--step", "2"]));
    assert_ne!(fs::read(&tar).expect("read"), fs::read(again.path().join("zorb.tar")).expect("read"));
    let mut promote = world.conceptd();
    assert!(refused(promote.arg("promote").arg(&tar).args(["--step", "3"]), 1).contains("2, 4, 6"));
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let (world, out) = (world(), tempfile::tempdir().expect("a folder"));
    let (whole, cut) = (out.path().join("whole"), out.path().join("cut"));
    good(world.train(&whole).args(["--no-samples", "--threads", "2"]));
    // Killed as soon as it reports its third, its first and its fifth step.
    for kill_at in [3, 1, 5] {
        let mut child = world
            .train(&cut)
            .args(["--no-samples", "--json", "--resume"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            if line.expect("text").contains(&format!("\"event\":\"step\",\"step\":{kill_at},")) {
                break;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    good(world.train(&cut).args(["--no-samples", "--resume", "--threads", "1"]));
    assert_eq!(fs::read(whole.join("zorb.tar")).expect("read"), fs::read(cut.join("zorb.tar")).expect("read"));
    // Resuming with other parameters is refused, not mixed.
    let error = refused(world.train(&cut).args(["--no-samples", "--resume", "--seed", "9"]), 1);
    assert!(error.contains("cannot be resumed"), "{error}");
}

/// The tokens are frozen behind the eighth of ten steps, and the text encoders gone.
#[test]
fn a_packed_base_trains_and_goes_on_without_its_text_encoders() {
    let (world, out) = (world(), tempfile::tempdir().expect("a folder"));
    let train = |folder: &str, bits: &str| {
        let mut command = world.bare(&out.path().join(folder));
        command.args(["--resolution", "64", "--batch-size", "2", "--lora-rank", "2", "--no-samples", "--resume"]);
        command.args(["--steps", "10", "--save-every", "2", "--sample-every", "9", "--sample-prompt", "Zorb"]);
        command.args(["--base-bits", bits]);
        command
    };
    good(&mut train("whole", "4"));
    for kill_at in [9, 10] {
        let mut child = train("cut", "4").arg("--json").stdout(Stdio::piped()).spawn().expect("it starts");
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            if line.expect("text").contains(&format!("\"event\":\"step\",\"step\":{kill_at},")) {
                break;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    good(&mut train("cut", "4"));
    let bytes = |folder: &str| fs::read(out.path().join(folder).join("zorb.tar")).expect("read");
    assert_eq!(bytes("whole"), bytes("cut"));
    assert!(out.path().join("whole/.zorb.run/sample-000009.png").is_file());
    let says = |folder: &str, what: &str| bytes(folder).windows(what.len()).any(|part| part == what.as_bytes());
    assert!(says("whole", "\"conceptd.base_bits\":\"4\""));
    // Other bits are another run.
    assert!(refused(&mut train("cut", "8"), 1).contains("cannot be resumed"));
    good(&mut train("plain", "16"));
    assert!(!says("plain", "conceptd.base_bits\":\"4") && bytes("plain") != bytes("whole"));
}

#[test]
fn plans_say_which_level_fits_a_card() {
    let world = world();
    let plan = |flags: &[&str]| -> serde_json::Value {
        let output = good(world.conceptd().args(["plans", "--json"]).args(flags));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let xl = plan(&[]);
    let peaks: Vec<u64> = xl["levels"].as_array().expect("levels").iter().flat_map(|l| l["peak"].as_u64()).collect();
    assert!(peaks.len() == 5 && peaks.windows(2).all(|two| two[1] <= two[0]), "{peaks:?}");
    assert!(xl["cards"].as_array().expect("cards").iter().all(|card| !card["level"].is_null()), "SDXL fits 8 GB: {xl}");
    assert_eq!(plan(&["--cards", "1"])["cards"][0]["level"], serde_json::Value::Null);
    let own = world.base().display().to_string();
    assert!(plan(&["--base", &own, "--resolution", "64"])["levels"][0]["peak"].as_u64() < peaks.last().copied());
    let text = String::from_utf8(good(world.conceptd().args(["plans", "--family", "sd15"])).stdout).expect("text");
    assert!(text.contains("Stable Diffusion 1.5 at 512 px") && text.contains("chosen"), "{text}");
}

#[test]
fn two_trainings_of_a_name_do_not_mix() {
    let (world, out) = (world(), tempfile::tempdir().expect("a folder"));
    let mut first = world.bare(out.path());
    first.args(["--no-samples", "--json", "--resolution", "64", "--batch-size", "2", "--steps", "1000"]);
    let mut first = first.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(first.stdout.take().expect("piped")).lines();
    while !lines.next().expect("a line").expect("text").contains("\"training\"") {}
    let error = refused(world.train(out.path()).args(["--no-samples", "--resume"]), 1);
    assert!(error.contains("another training of this name"), "{error}");
    first.kill().expect("killed");
    first.wait().expect("gone");
}

#[test]
fn mistakes_are_named_and_cost_nothing() {
    let (world, out) = (world(), tempfile::tempdir().expect("a folder"));
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--lora-rank", "0"], 2, "--lora-rank 0"),
        (&["--resolution", "100"], 2, "multiple of 64"),
        (&["--lora-targets", "most"], 2, "attn, eden, transformer, all"),
        (&["--optimizer", "sgd"], 2, "adamw, prodigy"),
        (&["--device", "cuda"], 2, "the GPU cannot be used"),
        (&["--steps", "many"], 2, "auto"),
        (&["--caption-dropout", "2"], 2, "caption-dropout"),
        (&["--learning-rate", "nan"], 2, "learning-rate"),
    ];
    for (flags, code, wanted) in cases {
        let error = refused(world.bare(out.path()).args(["--no-samples"]).args(*flags), *code);
        assert!(error.contains(wanted), "{flags:?}: {error}");
    }
    let mut face = world.conceptd();
    face.arg("train").arg(world.pictures()).args(["--name", "Zorb", "--mode", "face", "--random-flip", "true"]);
    let error = refused(face.arg("--base").arg(world.base()).arg("--out").arg(out.path()), 2);
    assert!(error.contains("never mirrored"), "{error}");
    for name in ["../x", "", "a/b"] {
        let mut command = world.conceptd();
        command.arg("train").arg(world.pictures()).args(["--name", name, "--mode", "object"]);
        refused(command.arg("--base").arg(world.base()).arg("--out").arg(out.path()), 2);
    }
    assert!(!out.path().join("zorb.tar").exists());
}
