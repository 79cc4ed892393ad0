//! The browser that the tests of the page use.

use crate::test::{stage, status};
use anyhow::{Result, bail};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The variable that names it.
pub const CHROMIUM: &str = "CONCEPTD_CHROMIUM";

/// Where Chromium and its kin are called so.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "chrome", "msedge"];
/// Where they lie on Windows and macOS.
const PLACES: [&str; 4] = [
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A Chromium on this machine; a bare Debian or Ubuntu gets one where that needs nobody's word.
pub fn chromium() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if Path::new("/usr/bin/apt-get").exists() && is_root() {
        stage("apt-get install chromium");
        status(Command::new("apt-get").args(["update", "-qq"]))?;
        let mut install = Command::new("apt-get");
        install.args(["install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"]);
        status(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    match find() {
        Some(found) => Ok(found),
        None => bail!("the page is tested in Chromium, Chrome or Edge: install one, or name it in {CHROMIUM}"),
    }
}

fn find() -> Option<PathBuf> {
    if let Some(named) = env::var_os(CHROMIUM) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let with_suffix = on_path.map(|file| match env::consts::EXE_SUFFIX {
        "" => file,
        suffix => file.with_extension(&suffix[1..]),
    });
    with_suffix.chain(PLACES.map(PathBuf::from)).find(|file| file.is_file())
}

fn is_root() -> bool {
    let user = Command::new("id").arg("-u").output();
    user.is_ok_and(|user| user.stdout.trim_ascii() == b"0")
}
