//! `conceptd promote`.

use crate::{Failure, usage};
use anyhow::anyhow;
use clap::Args;
use concept::RunFolder;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Promote {
    /// The concept (`OUT/NAME.tar`) or its run (`OUT/.NAME.run`).
    run: PathBuf,
    /// The snapshot to deliver.
    #[arg(long)]
    step: u64,
}

impl Promote {
    pub fn run(self) -> Result<(), Failure> {
        let (folder, out, stem) = run_of(&self.run)?;
        concept::promote(&folder, self.step, &out)?;
        println!("{} is now step {}", out.join(format!("{stem}.tar")).display(), self.step);
        Ok(())
    }
}

/// The run of a concept or of a run's folder, where its result lies, and the name of the result's files.
pub fn run_of(path: &Path) -> Result<(RunFolder, PathBuf, String), Failure> {
    let out = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = file.strip_suffix(".tar").unwrap_or(&file);
    let stem = stem.strip_prefix('.').and_then(|s| s.strip_suffix(".run")).unwrap_or(stem);
    let folder = RunFolder::of(out, stem);
    if !folder.path().is_dir() {
        return Err(usage(anyhow!("{}: there is no run of that name beside it", path.display())));
    }
    Ok((folder, out.to_owned(), stem.to_owned()))
}
