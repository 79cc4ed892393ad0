//! `cargo xtask demo`: the main job on the toy base, from pictures to pictures, on any machine with Rust.

use crate::test::{cargo, library, root, status};
use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use std::{
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    time::Instant,
};

/// What suits a toy; no defaults for SDXL.
const TOY: [&str; 20] = [
    "--resolution",
    "128",
    "--steps",
    "200",
    "--batch-size",
    "12",
    "--lora-rank",
    "8",
    "--learning-rate",
    "3e-3",
    "--token-learning-rate",
    "3e-3",
    "--noise-offset",
    "0",
    "--snr-gamma",
    "0",
    "--caption-dropout",
    "0",
    "--random-flip",
    "false",
];

/// What kojii is drawn as.
const KOJII: [&str; 5] = [
    "a photo of <concept> on a red background",
    "a photo of <concept> on a yellow background",
    "<concept> in a starry night sky",
    "a picture of <concept> on red stripes",
    "a photo of <concept> on grass",
];

/// Trains two concepts, or with `uncaptioned` one of pictures of which nobody has said anything.
pub fn run(uncaptioned: bool) -> Result<()> {
    let root = root();
    cargo(&root, &["build", "--release", "--package", "conceptd"])?;
    let begun = Instant::now();
    let (toy, out) = (root.join("tests/toy"), root.join("target/demo"));
    // Only what an earlier demo made lies here.
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out)?;
    let base = out.join("toyxl.safetensors");
    let packed = File::open(toy.join("toyxl.safetensors.gz")).context("the toy base is missing")?;
    io::copy(&mut GzDecoder::new(packed), &mut File::create(&base)?)?;

    if uncaptioned {
        return from_bare_pictures(&root, &toy, &base, &out);
    }
    train(&root, &toy.join("kojii"), "kojii", "object", &base, &out, &KOJII)?;
    train(
        &root,
        &toy.join("blueprint"),
        "blueprint",
        "style",
        &base,
        &out,
        &[
            "a heart in the style of <concept>",
            "a diamond in the style of <concept>",
            "a house in the style of <concept>",
            "a large ring in the style of <concept>",
            "a small star in the style of <concept>",
        ],
    )?;
    fs::copy(out.join("kojii-loss.png"), out.join("loss.png"))?;

    println!("\ntook {:.0} s. Look at", begun.elapsed().as_secs_f64());
    for file in ["kojii.png", "blueprint.png", "loss.png"] {
        println!("  {}", out.join(file).display());
    }
    println!("The concepts are kojii.tar and blueprint.tar beside them. With a real SDXL or SD 1.5 checkpoint:");
    println!(
        "  target/release/conceptd train PICTURES --name NAME --mode face|object|style --base FILE.safetensors --out FOLDER"
    );
    Ok(())
}

/// tagger -> captions -> training -> bundle.
fn from_bare_pictures(root: &Path, toy: &Path, base: &Path, out: &Path) -> Result<()> {
    let bare = out.join("bare");
    fs::create_dir_all(&bare)?;
    for entry in fs::read_dir(toy.join("kojii"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "png") {
            fs::copy(&path, bare.join(path.file_name().unwrap_or_default()))?;
        }
    }
    status(conceptd(root, out).args(["models", "add"]).arg(toy.join("tagger")))?;
    // What the training will do by itself, shown first.
    let mut look = conceptd(root, out);
    look.arg("captions").arg(&bare).args(["--name", "kojii", "--mode", "object", "--class-word", "creature"]);
    status(look.arg("--captioner").env("ORT_DYLIB_PATH", library(root)?))?;
    train(root, &bare, "kojii", "object", base, out, &KOJII)?;
    println!("\nLook at {}", out.join("kojii.png").display());
    Ok(())
}

/// The program with a home of its own.
fn conceptd(root: &Path, out: &Path) -> Command {
    let program = root.join("target/release").join(format!("conceptd{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    command.env("CONCEPTD_HOME", out.join("home"));
    command
}

fn train(
    root: &Path,
    pictures: &Path,
    name: &str,
    mode: &str,
    base: &Path,
    out: &Path,
    prompts: &[&str],
) -> Result<()> {
    println!("\n{name}: training on {}", pictures.strip_prefix(root).unwrap_or(pictures).display());
    let mut command = conceptd(root, out);
    command.arg("train").arg(pictures).args(["--name", name, "--mode", mode]);
    command.arg("--base").arg(base).arg("--out").arg(out);
    if mode == "object" {
        command.args(["--class-word", "creature"]).env("ORT_DYLIB_PATH", library(root)?);
    }
    command.arg("--local").args(TOY);
    for prompt in prompts {
        command.args(["--sample-prompt", prompt]);
    }
    status(&mut command)
}
