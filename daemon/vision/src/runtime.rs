//! ONNX Runtime: found in places that the caller names, loaded by its whole path, once in the life of a process.
//!
//! The library is opened at run time, so that one binary serves every processor and card and is of use without it. It
//! is never searched for by name: Windows keeps an old `onnxruntime.dll` in System32, which wins over the PATH.

use std::cmp::Ordering;
use std::error::Error as StdError;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ort::environment::{Environment, GlobalThreadPoolOptions};
use ort::logging::LogLevel;
use ort::{LoadDynamicError, ep};

use crate::error::{Error, Result, chain};

/// Where a model runs. There is no falling back from one to the other: who asks for CUDA gets it or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor, on a pool of threads that all sessions share.
    Cpu,
    /// The first NVIDIA card, through ONNX Runtime's CUDA provider.
    Cuda,
}

/// The library that this process uses, and the environment that must live as long as the process.
struct Loaded {
    library: PathBuf,
    environment: Environment,
}

static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// Loads ONNX Runtime (1.17 or newer) from the file `library`. Again for the same file: nothing happens.
///
/// # Errors
/// When the file is not there, is no ONNX Runtime for this system, is too old, or when this process has loaded another one.
pub fn open(library: &Path) -> Result<()> {
    let library = std::path::absolute(library)
        .map_err(|error| Error::LibraryMissing { what: format!("{} is no path: {error}", library.display()) })?;
    if !library.is_file() {
        return Err(Error::LibraryMissing { what: format!("there is no file {}", library.display()) });
    }
    let mut loaded = loaded();
    if let Some(before) = loaded.as_ref() {
        return if before.library == library {
            Ok(())
        } else {
            let reason = format!("this process already uses {}", before.library.display());
            Err(Error::LibraryRefused { path: library, reason })
        };
    }
    let environment = environment_of(&library)?;
    *loaded = Some(Loaded { library, environment });
    Ok(())
}

/// The library that this process has loaded, if it has.
pub fn library() -> Option<PathBuf> {
    loaded().as_ref().map(|loaded| loaded.library.clone())
}

/// The process's environment, for sessions.
pub(crate) fn environment() -> Result<Environment> {
    let missing = || Error::LibraryMissing { what: "it has not been loaded yet".to_owned() };
    loaded().as_ref().map(|loaded| loaded.environment.clone()).ok_or_else(missing)
}

/// How a session is told to run on `device`. CUDA fails loudly: by default ONNX Runtime would use the CPU and say nothing.
pub(crate) fn provider(device: Device) -> Option<ep::ExecutionProviderDispatch> {
    match device {
        Device::Cpu => None,
        Device::Cuda => Some(ep::CUDA::default().build().error_on_failure()),
    }
}

fn loaded() -> MutexGuard<'static, Option<Loaded>> {
    // Nothing panics while it holds the lock and has changed something.
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn environment_of(library: &Path) -> Result<Environment> {
    let refused = |reason: String| Error::LibraryRefused { path: library.to_owned(), reason };
    let builder = ort::init_from(library).map_err(|error| refused(reason(&error)))?;
    // Threads that spin while they wait would take the processor from training; sessions of their own pools add up.
    let environment = GlobalThreadPoolOptions::default()
        .with_spin_control(false)
        .and_then(|pool| builder.with_name("vision").with_telemetry(false).with_global_thread_pool(pool).build())
        .map_err(|error| refused(error.to_string()))?;
    // What goes wrong comes back as an error; it need not be on the terminal too.
    environment.set_log_level(LogLevel::Fatal);
    Ok(environment)
}

fn reason(error: &LoadDynamicError) -> String {
    match error {
        // Its own text names the path once more and hides why behind `source`.
        LoadDynamicError::Dlopen { error, .. } => {
            let error: &dyn StdError = error;
            error.source().map_or_else(|| error.to_string(), chain)
        }
        LoadDynamicError::MissingApi { .. } => "it is another library (it has no `OrtGetApiBase`)".to_owned(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is version {version_str}, and 1.{}.0 is the oldest that will do", ort::MINOR_VERSION)
        }
        LoadDynamicError::InvalidVersionString => "it does not say its version".to_owned(),
    }
}

/// The first ONNX Runtime in `places`, in their order. A place is the library's file itself, the folder that holds it, or
/// the folder of an unpacked wheel or of a Python environment; of several versions in one folder it is the newest.
///
/// Windows' own folder is passed over, and nothing is searched that was not named.
pub fn find(places: &[PathBuf]) -> Option<PathBuf> {
    places.iter().filter_map(|place| std::path::absolute(place).ok()).filter(|place| !is_system(place)).find_map(
        |place| {
            if place.is_file() {
                return Some(place);
            }
            folders(&place).iter().find_map(|folder| newest(folder))
        },
    )
}

/// Whether a path lies in a folder of Windows, whose ONNX Runtime is part of the system and old.
fn is_system(place: &Path) -> bool {
    let system = |name: &str| ["system32", "syswow64"].iter().any(|folder| name.eq_ignore_ascii_case(folder));
    place.components().any(|part| part.as_os_str().to_str().is_some_and(system))
}

/// The folders of `place` where wheels and archives keep the library.
fn folders(place: &Path) -> Vec<PathBuf> {
    let capi = Path::new("onnxruntime").join("capi");
    let mut folders = vec![place.to_owned(), place.join(&capi), place.join("lib")];
    let mut pythons: Vec<PathBuf> = names(&place.join("lib"))
        .into_iter()
        .filter(|name| name.starts_with("python"))
        .map(|name| place.join("lib").join(name).join("site-packages").join(&capi))
        .collect();
    pythons.sort();
    folders.append(&mut pythons);
    folders.push(place.join("Lib").join("site-packages").join(&capi));
    folders
}

/// The newest library in a folder.
fn newest(folder: &Path) -> Option<PathBuf> {
    let libraries = names(folder).into_iter().filter_map(|name| Some((version(&name)?, name)));
    let newest = |a: &(Vec<u64>, String), b: &(Vec<u64>, String)| -> Ordering { a.cmp(b) };
    libraries.max_by(newest).map(|(_, name)| folder.join(name)).filter(|path| path.is_file())
}

/// The version in a library's name; empty where the name has none; `None` for other files.
fn version(name: &str) -> Option<Vec<u64>> {
    let number = if name.eq_ignore_ascii_case("onnxruntime.dll") {
        ""
    } else if let Some(rest) = name.strip_prefix("libonnxruntime.so") {
        rest
    } else {
        name.strip_prefix("libonnxruntime")?.strip_suffix(".dylib")?
    };
    match number.strip_prefix('.') {
        Some(parts) => parts.split('.').map(|part| part.parse().ok()).collect(),
        None => number.is_empty().then(Vec::new),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("a folder");
        fs::write(path, b"x").expect("a file");
    }

    #[test]
    fn the_newest_version_is_found_by_number() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in
            ["libonnxruntime.so", "libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime.so.old"]
        {
            touch(&folder.path().join(name));
        }
        touch(&folder.path().join("libonnxruntime_providers_shared.so"));
        assert_eq!(find(&[folder.path().to_owned()]), Some(folder.path().join("libonnxruntime.so.1.32.0")));
    }

    #[test]
    fn wheels_and_environments_are_looked_into_in_the_order_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let (venv, wheel, windows) =
            (folder.path().join("venv"), folder.path().join("wheel"), folder.path().join("win"));
        let unix = venv.join("lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.20.1");
        let mac = wheel.join("onnxruntime/capi/libonnxruntime.1.23.2.dylib");
        let dll = windows.join("Lib/site-packages/onnxruntime/capi/onnxruntime.dll");
        [&unix, &mac, &dll].into_iter().for_each(|path| touch(path));
        let nothing = folder.path().join("nothing");
        assert_eq!(find(&[nothing.clone(), venv, wheel.clone()]), Some(unix.clone()));
        assert_eq!(find(&[wheel]), Some(mac));
        assert_eq!(find(&[windows]), Some(dll));
        assert_eq!(find(std::slice::from_ref(&unix)), Some(unix));
        assert_eq!(find(&[nothing]), None);
    }

    #[test]
    fn the_one_of_windows_itself_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let system = folder.path().join("Windows").join("System32");
        touch(&system.join("onnxruntime.dll"));
        assert_eq!(find(&[system.clone(), system.join("onnxruntime.dll")]), None);
    }

    #[test]
    fn a_missing_library_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = open(&folder.path().join("libonnxruntime.so.1.32.0")).expect_err("there is none");
        let text = error.to_string();
        assert!(matches!(error, Error::LibraryMissing { .. }), "{text}");
        assert!(text.contains("pip install onnxruntime") && text.contains("ORT_DYLIB_PATH"), "{text}");
    }
}
