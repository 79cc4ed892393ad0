//! House rules that a compiler does not know.

use anyhow::{Result, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Lines of a source file, at most.
const LONGEST: usize = 400;

/// Which of our crates each crate may use: arrows point down only.
const ARROWS: [(&str, &[&str]); 15] = [
    ("protocol", &[]),
    ("kernels", &[]),
    ("dataset", &[]),
    ("vision", &[]),
    ("models", &[]),
    ("caption", &["dataset"]),
    ("examiner", &["dataset", "protocol"]),
    ("diffusion", &["kernels"]),
    ("synthetic", &["diffusion"]),
    ("trainer", &["diffusion", "kernels"]),
    ("concept", &["caption", "dataset", "diffusion", "kernels", "protocol", "trainer"]),
    ("preparation", &["caption", "dataset", "diffusion", "examiner", "models", "protocol", "vision"]),
    ("server", &["concept", "diffusion", "models", "protocol"]),
    (
        "conceptd",
        &[
            "caption",
            "concept",
            "dataset",
            "diffusion",
            "kernels",
            "models",
            "preparation",
            "protocol",
            "server",
            "trainer",
            "vision",
        ],
    ),
    ("xtask", &["diffusion", "kernels", "protocol", "server", "synthetic", "trainer", "vision"]),
];

/// Fails with every breach of the rules.
pub fn check(root: &Path) -> Result<()> {
    let mut breaches = Vec::new();
    for (name, allowed) in ARROWS {
        let folder = root.join("daemon").join(name);
        let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap_or_default();
        for (other, _) in ARROWS {
            if dependencies.lines().any(|line| line.starts_with(&format!("{other}."))) && !allowed.contains(&other) {
                breaches.push(format!("daemon/{name} may not depend on {other}"));
            }
        }
        let mut files = Vec::new();
        sources(&folder, &["rs"], &mut files)?;
        for file in files {
            let text = fs::read_to_string(&file)?;
            let file = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            if !text.starts_with("//! ") {
                breaches.push(format!("{file} does not begin with what it is for (`//! ...`)"));
            }
            if text.lines().count() > LONGEST {
                breaches.push(format!("{file} has more than {LONGEST} lines: give its parts files of their own"));
            }
        }
    }
    page(root, &mut breaches)?;
    let known: BTreeMap<&str, _> = ARROWS.into_iter().collect();
    for entry in fs::read_dir(root.join("daemon"))?.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !known.contains_key(name.as_str()) && name != "page" {
            breaches.push(format!("daemon/{name} has no place among the arrows of xtask's tidy.rs"));
        }
    }
    if !breaches.is_empty() {
        bail!("untidy:\n  {}", breaches.join("\n  "));
    }
    Ok(())
}

/// The page keeps the same rules; what is generated and the list of its words are as long as they are.
fn page(root: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let mut files = Vec::new();
    sources(&root.join("daemon/page/src"), &["ts", "tsx", "css"], &mut files)?;
    for file in files.into_iter().filter(|file| !file.ends_with("api/schema.ts")) {
        let text = fs::read_to_string(&file)?;
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        if !text.starts_with("// ") && !text.starts_with("/* ") {
            breaches.push(format!("{shown} does not begin with what it is for"));
        }
        if text.lines().count() > LONGEST && !file.ends_with("text.ts") {
            breaches.push(format!("{shown} has more than {LONGEST} lines: give its parts files of their own"));
        }
    }
    Ok(())
}

fn sources(folder: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, extensions, files)?;
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|one| extension == *one)) {
            files.push(path);
        }
    }
    Ok(())
}
