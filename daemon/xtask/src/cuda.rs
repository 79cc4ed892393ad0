//! The GPU's kernels: compiled for every chip on a machine that has none, and run in an emulator for tests.

use crate::test::{cargo, cargo_command, python, root, stage, status};
use anyhow::{Context, Result, bail};
use clap::Args;
use flate2::{Compression, write::GzEncoder};
use kernels::cuda::image::{self, VARIABLE};
use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The compiler, as Python packages; a newer one writes code that a driver of the 580 series refuses.
const TOOLKIT: [&str; 4] =
    ["nvidia-cuda-nvcc==13.0.88", "nvidia-nvvm==13.0.88", "nvidia-cuda-crt==13.0.88", "nvidia-cuda-runtime==13.0.96"];
/// Chips with machine code of their own: RTX 20, A100, RTX 30, RTX 40, H100, RTX 50.
const CHIPS: [u32; 6] = [75, 80, 86, 89, 90, 120];
/// What later chips translate for themselves.
const PORTABLE: [u32; 2] = [90, 120];
/// What all files together may weigh.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Args)]
pub struct CudaBuild {
    /// Only these chips, such as 86.
    #[arg(long, value_delimiter = ',')]
    chips: Vec<u32>,
    /// Compile the kernels alone, not the program beside them.
    #[arg(long)]
    kernels_only: bool,
}

impl CudaBuild {
    /// Leaves the program and its kernels in `target/cuda`.
    pub fn run(&self) -> Result<()> {
        let (root, chips) = (root(), if self.chips.is_empty() { &CHIPS[..] } else { &self.chips });
        let out = root.join("target/cuda");
        // What an earlier build left there would be taken for this one's.
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out)?;
        let file = out.join(image::name());
        compile(&root, chips, &file)?;
        let mut all = fs::metadata(&file)?.len();
        println!("{}: {:.1} MB for {chips:?}", file.display(), all as f64 / 1e6);
        if !self.kernels_only {
            for package in ["conceptd", "xtask"] {
                cargo(&root, &["build", "--release", "--quiet", "--package", package])?;
                let name = format!("{package}{}", env::consts::EXE_SUFFIX);
                fs::copy(root.join("target/release").join(&name), out.join(&name))?;
            }
            for (name, test) in device_tests(&root)? {
                fs::copy(test, out.join(format!("{name}{}", env::consts::EXE_SUFFIX)))?;
            }
            let program = out.join(format!("conceptd{}", env::consts::EXE_SUFFIX));
            all += fs::metadata(&program)?.len();
            println!("{}: {:.1} MB with its kernels", program.display(), all as f64 / 1e6);
        }
        if all > MOST_BYTES {
            bail!("{all} bytes are more than {MOST_BYTES}");
        }
        Ok(())
    }
}

/// Compiles all kernels for `chips` into one file.
fn compile(root: &Path, chips: &[u32], file: &Path) -> Result<()> {
    let toolkit = toolkit(root)?;
    let mut nvcc = Command::new(toolkit.join("bin").join(format!("nvcc{}", env::consts::EXE_SUFFIX)));
    nvcc.args(["-std=c++17", "-O3", "-fatbin", "--threads", "2", "-Werror", "all-warnings"]);
    nvcc.arg("-I").arg(sources(root));
    for chip in chips {
        nvcc.arg("-gencode").arg(format!("arch=compute_{chip},code=sm_{chip}"));
    }
    for chip in PORTABLE.iter().filter(|chip| chips.contains(chip)) {
        nvcc.arg("-gencode").arg(format!("arch=compute_{chip},code=compute_{chip}"));
    }
    stage(&format!("nvcc for {chips:?}"));
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("kernels.fatbin");
    status(nvcc.arg(sources(root).join("conceptd.cu")).arg("-o").arg(&raw))
        .context("the kernels do not compile; nvcc needs the system's C++ compiler (g++, or cl.exe on Windows)")?;
    // nvcc's own compression leaves three times as much.
    let mut packed = GzEncoder::new(fs::File::create(file)?, Compression::default());
    io::copy(&mut fs::File::open(raw)?, &mut packed)?;
    Ok(packed.finish()?.sync_all()?)
}

fn sources(root: &Path) -> PathBuf {
    root.join("daemon/kernels/cuda")
}

/// The folder of the compiler, installed on first use.
fn toolkit(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/cuda-toolkit");
    let (stamp, list) = (folder.join("packages"), TOOLKIT.join("\n"));
    let toolkit = folder.join("nvidia/cu13");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == list) {
        return Ok(toolkit);
    }
    stage("the CUDA compiler, once (100 MB)");
    let mut pip = Command::new(python(root)?);
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--no-compile", "--upgrade"]);
    status(pip.arg("--target").arg(&folder).args(TOOLKIT)).context("the CUDA compiler cannot be installed")?;
    fs::write(stamp, list)?;
    Ok(toolkit)
}

/// Builds the emulated GPU and returns what a process needs in its environment to find it.
pub fn emulator(root: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let folder = root.join("target/emulator");
    fs::create_dir_all(&folder)?;
    let (library, stamp, image) = (folder.join("libcuda.so"), folder.join("made"), folder.join("kernels.gz"));
    let machine = ["machine.h", "machine.cpp", "driver.cpp"].map(|name| sources(root).join("emulator").join(name));
    let texts = machine.iter().map(fs::read_to_string).collect::<io::Result<Vec<_>>>()?;
    let wanted = format!("{}\n{}", image::name(), texts.concat());
    if !(library.exists() && fs::read_to_string(&stamp).is_ok_and(|made| made == wanted)) {
        stage("the emulated GPU");
        let mut compiler = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        compiler.args(["-std=c++17", "-O2", "-DEMULATOR", "-Wall", "-Wno-unknown-pragmas", "-shared", "-fPIC"]);
        compiler.args(["-pthread", "-I"]).arg(sources(root)).args(["-x", "c++"]).arg(sources(root).join("conceptd.cu"));
        compiler.args(&machine[1..]);
        status(compiler.arg("-o").arg(&library))
            .context("the emulated GPU cannot be built; it needs a C++ compiler")?;
        // What it runs was compiled in; a file of kernels is read all the same, an empty one.
        GzEncoder::new(fs::File::create(&image)?, Compression::default()).finish()?;
        fs::write(&stamp, wanted)?;
    }
    Ok(vec![("LD_LIBRARY_PATH", folder.into()), (VARIABLE, image.into())])
}

/// Tests every kernel, and a training step, on the emulated GPU.
pub fn test_kernels(root: &Path) -> Result<()> {
    let variables = emulator(root)?;
    stage("the emulated GPU");
    for (name, test) in device_tests(root)? {
        // Kernels from the last lane to the first, a step from the first to the last: a kernel that leans on one order fails.
        let order = if name.starts_with("device_") { "backward" } else { "forward" };
        let mut run = Command::new(test);
        run.args(["--ignored", "--quiet"]).envs(variables.iter().cloned()).env("EMULATED_ORDER", order);
        status(&mut run).with_context(|| format!("{name} failed on the emulated GPU"))?;
    }
    Ok(())
}

/// The tests that want a GPU: (name, program).
fn device_tests(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo_command(root);
    // Of the whole workspace: another choice of packages chooses other features, and builds half the crates again.
    build.args(["test", "--release", "--workspace", "--test", "device*"]);
    build.args(["--no-run", "--message-format=json"]);
    let output = build.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the tests of the kernels do not compile");
    }
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let tests = messages.filter_map(|message| {
        let message = message.ok()?;
        Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
    });
    let tests: Vec<_> = tests.collect();
    if tests.is_empty() {
        bail!("there are no tests of the kernels");
    }
    Ok(tests)
}
