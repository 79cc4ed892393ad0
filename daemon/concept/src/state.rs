//! The folder of a run: what it is, where it stands, and its installable snapshots.

use crate::{Error, Result, bundle::Bundle, error::at, files::write_whole};
use candle_core::{Device, Tensor};
use diffusion::tensorfile;
use protocol::{BaseBits, MemoryLevel};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};
use trainer::Trainer;

/// `.NAME.run`, beside the result.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

/// How far a run is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Identity of the run: plan, pictures, base.
    pub identity: String,
    /// Updates made.
    pub step: u64,
    /// Loss of every update.
    pub losses: Vec<f64>,
    /// (step, held-out error) of every snapshot.
    pub held_out: Vec<(u64, f64)>,
    /// Numbers of each optimizer.
    pub optimizers: Vec<[f64; 4]>,
}

impl RunFolder {
    /// The run of `stem` in the folder `out`.
    pub fn of(out: &Path, stem: &str) -> Self {
        Self { path: out.join(format!(".{stem}.run")) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is something to resume.
    pub fn exists(&self) -> bool {
        self.state_file().exists()
    }

    /// Whether a run was begun here.
    pub fn begun(&self) -> bool {
        self.path.join("run.json").exists()
    }

    /// Takes the folder for this process; what else comes to it is refused as long as the result lives.
    pub(crate) fn occupy(&self) -> Result<Occupied> {
        fs::create_dir_all(&self.path).map_err(at(&self.path))?;
        let path = self.path.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Occupied { file: Some(file), folder: self.clone() }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Occupied(self.path.clone())),
            // Some network disks know no locks.
            Err(fs::TryLockError::Error(_)) => Ok(Occupied { file: None, folder: self.clone() }),
        }
    }

    fn state_file(&self) -> PathBuf {
        self.path.join("state.safetensors")
    }

    /// Stores what a run was asked, so that it can be resumed by name alone.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_description(&self, description: &serde_json::Value) -> Result<()> {
        let text = serde_json::to_string_pretty(description).map_err(|e| Error::Invalid(format!("bug: {e}")))?;
        write_whole(&self.path.join("run.json"), text.as_bytes())
    }

    /// What [`Self::write_description`] stored.
    ///
    /// # Errors
    /// If it is not there or damaged.
    pub fn description(&self) -> Result<serde_json::Value> {
        let path = self.path.join("run.json");
        let text = fs::read(&path).map_err(at(&path))?;
        serde_json::from_slice(&text).map_err(|e| Error::Invalid(format!("{}: damaged ({e})", path.display())))
    }

    /// Lets a run that took too much memory go on with less, and says how; none if there is nothing less.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn step_down(&self, bits: Option<BaseBits>) -> Result<Option<MemoryLevel>> {
        let mut description = self.description()?;
        let level = serde_json::from_value::<MemoryLevel>(description["memory"].clone()).unwrap_or_default();
        let next = level.next(bits);
        if let Some(next) = next {
            description["memory"] = serde_json::json!(next);
            self.write_description(&description)?;
        }
        Ok(next)
    }

    /// Writes everything that the next step depends on, replacing what was there at once.
    pub(crate) fn save(&self, trainer: &Trainer, progress: &Progress) -> Result<()> {
        let (tensors, optimizers) = trainer.save();
        let progress = Progress { optimizers, ..progress.clone() };
        let json = serde_json::to_string(&progress).map_err(|e| Error::Invalid(format!("bug: {e}")))?;
        let tensors: BTreeMap<String, Tensor> =
            tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.host()?))).collect::<Result<_>>()?;
        let metadata = BTreeMap::from([("progress".to_owned(), json)]);
        let bytes = tensorfile::serialize(&tensors, &metadata).map_err(at(&self.path))?;
        write_whole(&self.state_file(), &bytes)
    }

    /// Brings `trainer` back to the last snapshot and says how far that is.
    pub(crate) fn restore(&self, trainer: &mut Trainer, identity: &str) -> Result<Progress> {
        let path = self.state_file();
        let bytes = fs::read(&path).map_err(at(&path))?;
        let damaged =
            |what: &str| Error::Invalid(format!("{}: {what}; start the run anew without --resume", path.display()));
        let (_, header) = safetensors_header(&bytes).ok_or_else(|| damaged("the snapshot is damaged"))?;
        let json = header.get("progress").ok_or_else(|| damaged("the snapshot has no progress"))?;
        let progress: Progress =
            serde_json::from_str(json).map_err(|_| damaged("the snapshot's progress is damaged"))?;
        if progress.identity != identity {
            return Err(Error::Invalid(
                "this run cannot be resumed: its pictures, prompts, base or parameters have changed since. Put them back, or start \
                 anew without --resume"
                    .into(),
            ));
        }
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        trainer.restore(
            |name| {
                tensors
                    .get(name)
                    .map(|tensor| tensor.clone().into())
                    .ok_or_else(|| trainer::Error::Invalid(format!("the snapshot lacks `{name}`")))
            },
            &progress.optimizers,
        )?;
        Ok(progress)
    }

    /// Keeps an installable snapshot.
    pub(crate) fn keep(&self, step: u64, bundle: &Bundle) -> Result<()> {
        write_whole(&self.snapshot_file(step), &bundle.to_tar()?)
    }

    /// The bundle of a snapshot.
    pub fn snapshot_file(&self, step: u64) -> PathBuf {
        self.path.join(format!("step-{step:06}.tar"))
    }

    /// Steps of the snapshots that were kept.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn snapshots(&self) -> Result<Vec<u64>> {
        let mut steps: Vec<u64> = fs::read_dir(&self.path)
            .map_err(at(&self.path))?
            .filter_map(|entry| {
                entry.ok()?.file_name().to_str()?.strip_prefix("step-")?.strip_suffix(".tar")?.parse().ok()
            })
            .collect();
        steps.sort_unstable();
        Ok(steps)
    }
}

/// A folder that belongs to this process.
pub(crate) struct Occupied {
    file: Option<File>,
    folder: RunFolder,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        // Open files cannot be removed on Windows.
        drop(self.file.take());
        let _ = fs::remove_file(self.folder.path.join("lock"));
        // A run that never began leaves nothing; a folder that holds something stays.
        let _ = fs::remove_dir(&self.folder.path);
    }
}

/// (length, metadata) of a safetensors header.
fn safetensors_header(bytes: &[u8]) -> Option<(usize, BTreeMap<String, String>)> {
    let length = u64::from_le_bytes(*bytes.first_chunk::<8>()?) as usize;
    let header: serde_json::Value = serde_json::from_slice(bytes.get(8..8 + length)?).ok()?;
    let metadata = serde_json::from_value(header.get("__metadata__")?.clone()).ok()?;
    Some((length, metadata))
}
