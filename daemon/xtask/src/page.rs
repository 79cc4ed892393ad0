//! `cargo xtask page`: builds the page that the daemon carries. Its files are checked in, so that `cargo build` needs no
//! Node; the checks build them again and compare.

use crate::test::{program_of, stage, status};
use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// What a browser loads at first, packed, at most.
const MOST_BYTES: usize = 150_000;
/// The types of the API, made from its document.
const SCHEMA: &str = "src/api/schema.ts";

/// Builds the page and the types of its client in place.
pub fn write(root: &Path) -> Result<()> {
    let page = Page::new(root)?;
    page.schema(&page.folder.join(SCHEMA))?;
    page.types()?;
    page.build(&page.folder.join("dist"))?;
    println!("the page: {} kB packed", page.packed()? / 1000);
    Ok(())
}

/// Fails if what is checked in is not what the sources make, or is too large.
pub fn check(root: &Path) -> Result<()> {
    stage("page");
    let page = Page::new(root)?;
    let built = tempfile::tempdir()?;
    page.schema(&built.path().join("schema.ts"))?;
    same(&built.path().join("schema.ts"), &page.folder.join(SCHEMA))?;
    page.types()?;
    let dist = built.path().join("dist");
    page.build(&dist)?;
    for name in names(&dist)?.into_iter().chain(names(&page.folder.join("dist"))?) {
        same(&dist.join(&name), &page.folder.join("dist").join(&name))?;
    }
    match page.packed()? {
        bytes if bytes > MOST_BYTES => bail!("the page has {bytes} bytes packed; {MOST_BYTES} are allowed"),
        _ => Ok(()),
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} is missing", folder.display()))?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

fn same(made: &Path, kept: &Path) -> Result<()> {
    // A checkout may have turned line ends.
    let plain =
        |path: &Path| fs::read(path).map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\r').collect::<Vec<_>>());
    if plain(made)? != plain(kept).unwrap_or_default() {
        bail!("{} is not what its sources make: run `cargo xtask page` and commit it", kept.display());
    }
    Ok(())
}

struct Page {
    folder: PathBuf,
    node: PathBuf,
}

impl Page {
    /// With the packages of the lock file installed.
    fn new(root: &Path) -> Result<Self> {
        let page = Self { folder: root.join("daemon/page"), node: program_of(root, "node")? };
        let lock = fs::read(page.folder.join("package-lock.json"))?;
        let stamp = page.folder.join("node_modules/.lock");
        if !fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            let mut npm = Command::new(program_of(root, "npm")?);
            npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&page.folder);
            status(&mut npm)?;
            fs::write(stamp, lock)?;
        }
        Ok(page)
    }

    /// Runs a tool among the packages; its words are shown if it fails.
    fn tool(&self, script: &str) -> Command {
        let mut command = Command::new(&self.node);
        command.arg(Path::new("node_modules").join(script)).current_dir(&self.folder);
        command
    }

    fn schema(&self, to: &Path) -> Result<()> {
        let mut generator = self.tool("openapi-typescript/bin/cli.js");
        generator.args(["../../schemas/openapi.json", "--root-types", "--root-types-no-schema-prefix", "-o"]).arg(to);
        quiet(&mut generator)
    }

    fn types(&self) -> Result<()> {
        quiet(self.tool("typescript/bin/tsc").arg("--noEmit"))
    }

    fn build(&self, to: &Path) -> Result<()> {
        quiet(self.tool("vite/bin/vite.js").args(["build", "--emptyOutDir", "--outDir"]).arg(to))
    }

    /// Bytes of everything that a browser loads at first.
    fn packed(&self) -> Result<usize> {
        let dist = self.folder.join("dist");
        let sizes = names(&dist)?.into_iter().map(|name| {
            let mut packer = GzEncoder::new(Vec::new(), Compression::default());
            packer.write_all(&fs::read(dist.join(name))?)?;
            Ok(packer.finish()?.len())
        });
        sizes.sum()
    }
}

fn quiet(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{:?} failed:\n{}", command.get_args().next().unwrap_or_default(), String::from_utf8_lossy(&said));
    }
    Ok(())
}
