//! Pictures as the UNet sees them, encoded once: the distribution of each picture's latents, upright and mirrored.

use crate::{Error, Result, error::at, plan::Plan, prompts::training_prompt};
use candle_core::{Device, Tensor};
use dataset::Photo;
use diffusion::{Vae, vae::LatentDistribution};
use image::imageops;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Latents that are held in memory, at most; what comes behind goes to disk.
const IN_MEMORY: usize = 1 << 30;
/// Pixels that a GPU encodes in one pass, at most: one view of 1024 px, for which the VAE holds some 2 GiB, or four of
/// 512 px. That many keep every part of a GPU busy.
const TOGETHER: usize = 1 << 20;
/// Pixels of pictures that wait for others of their size, at most: 48 MiB.
const MOST_WAITING: usize = 16 << 20;

/// A picture ready for training.
pub(crate) struct Example {
    upright: Place,
    mirrored: Option<Place>,
    /// `[1, h, w, 1]`, and its mirror image.
    mask: Option<(Tensor, Tensor)>,
    /// Height and width of its latents.
    pub size: (usize, usize),
    /// Its prompt, with `<concept>` in it.
    pub prompt: String,
    /// Original height and width, crop top and left, target height and width.
    pub time_ids: [f32; 6],
    pub repeats: usize,
    /// Name for messages.
    pub name: String,
    /// Of the picture; decides the order of training, which must not hang on names of files.
    pub digest: [u8; 32],
}

/// Where a distribution is.
enum Place {
    Memory(LatentDistribution),
    /// At this offset of the file: mean, then deviation.
    Disk(u64),
}

/// Every picture of a run, encoded.
pub(crate) struct Latents {
    /// Every picture.
    pub examples: Vec<Example>,
    /// Factor between the VAE's latents and the UNet's.
    pub scale: f64,
    in_memory: usize,
    used: usize,
    path: PathBuf,
    file: Option<Mutex<File>>,
    /// Pictures that are not encoded yet, by their size.
    waiting: BTreeMap<(u32, u32), Vec<Photo>>,
}

impl Latents {
    /// None yet. What does not fit into memory goes to a file in `folder`.
    pub fn new(scale: f64, folder: &Path) -> Self {
        let path = folder.join("latents.bin");
        Self { examples: Vec::new(), scale, in_memory: IN_MEMORY, used: 0, path, file: None, waiting: BTreeMap::new() }
    }

    /// Takes a picture, and encodes it as soon as enough of its size are there (see [`Self::finish`]).
    ///
    /// # Errors
    /// If the VAE gives values that are not finite, or the disk refuses.
    pub fn add(&mut self, photo: Photo, vae: &Vae, plan: &Plan) -> Result<()> {
        let size = photo.image.dimensions();
        let waiting = self.waiting.entry(size).or_default();
        waiting.push(photo);
        if waiting.len() * views(plan) >= together(size, vae) {
            let photos = std::mem::take(waiting);
            return self.encode(photos, vae, plan);
        }
        let pixels: usize = self.waiting.iter().map(|(&size, photos)| photos.len() * area(size)).sum();
        if pixels > MOST_WAITING { self.finish(vae, plan) } else { Ok(()) }
    }

    /// Encodes the pictures that still wait for others of their size.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(&mut self, vae: &Vae, plan: &Plan) -> Result<()> {
        std::mem::take(&mut self.waiting).into_values().try_for_each(|photos| self.encode(photos, vae, plan))
    }

    /// Encodes pictures of one size, each upright and, if the plan says so, mirrored.
    fn encode(&mut self, photos: Vec<Photo>, vae: &Vae, plan: &Plan) -> Result<()> {
        let mut views = Vec::new();
        for photo in &photos {
            views.push(pixels(&photo.image)?);
            if plan.random_flip {
                views.push(pixels(&imageops::flip_horizontal(&photo.image))?);
            }
        }
        let mut encoded = Vec::new();
        for part in views.chunks(photos.first().map_or(1, |photo| together(photo.image.dimensions(), vae))) {
            encoded.extend(split(&vae.encode(&kernels::Tensor::cat(part)?)?)?);
        }
        let mut encoded = encoded.into_iter();
        for photo in photos {
            let mut next = || -> Result<LatentDistribution> {
                let distribution =
                    encoded.next().ok_or_else(|| Error::Invalid("bug: fewer latents than views".into()))?;
                if distribution.mean.flatten_all()?.to_vec1::<f32>()?.iter().all(|x| x.is_finite()) {
                    return Ok(distribution);
                }
                let name = &photo.name;
                Err(Error::Invalid(format!("{name}: the VAE gives values that are not finite; try another with --vae")))
            };
            let upright = next()?;
            let mirrored = if plan.random_flip { Some(next()?) } else { None };
            let (_, h, w, _) = upright.mean.dims4()?;
            let (width, height) = photo.image.dimensions();
            let (original_width, original_height) = photo.original;
            let example = Example {
                upright: self.keep(upright)?,
                mirrored: mirrored.map(|mirrored| self.keep(mirrored)).transpose()?,
                mask: mask(&photo, (h, w), plan)?,
                size: (h, w),
                prompt: training_prompt(photo.caption.as_deref(), &plan.name, plan.mode),
                time_ids: [
                    // At least the target: hosts never send less when they draw.
                    original_height.max(height) as f32,
                    original_width.max(width) as f32,
                    photo.crop.1 as f32,
                    photo.crop.0 as f32,
                    height as f32,
                    width as f32,
                ],
                repeats: photo.repeats.max(1),
                name: photo.name,
                digest: photo.digest,
            };
            self.examples.push(example);
        }
        Ok(())
    }

    fn keep(&mut self, distribution: LatentDistribution) -> Result<Place> {
        let bytes = 2 * distribution.mean.elem_count() * size_of::<f32>();
        if self.used + bytes <= self.in_memory {
            self.used += bytes;
            return Ok(Place::Memory(distribution));
        }
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder).map_err(at(folder))?;
            }
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&self.path);
            self.file = Some(Mutex::new(file.map_err(at(&self.path))?));
        }
        let values = [&distribution.mean, &distribution.std]
            .map(|tensor| Ok(tensor.flatten_all()?.to_vec1::<f32>()?))
            .into_iter()
            .collect::<Result<Vec<_>>>()?
            .concat();
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.on_disk(|file| {
            let offset = file.seek(SeekFrom::End(0))?;
            file.write_all(&raw)?;
            Ok(offset)
        })
        .map(Place::Disk)
    }

    fn on_disk<R>(&self, work: impl FnOnce(&mut File) -> std::io::Result<R>) -> Result<R> {
        let file = self.file.as_ref().and_then(|file| file.lock().ok());
        let mut file = file.ok_or_else(|| Error::Invalid("bug: latents on disk without a file".into()))?;
        work(&mut file).map_err(at(&self.path))
    }

    /// (distribution, mask) of a picture, upright or mirrored.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn view(&self, index: usize, flipped: bool) -> Result<(LatentDistribution, Option<&Tensor>)> {
        let example = &self.examples[index];
        let (place, mask) = match (&example.mirrored, flipped) {
            (Some(mirrored), true) => (mirrored, example.mask.as_ref().map(|(_, mirrored)| mirrored)),
            _ => (&example.upright, example.mask.as_ref().map(|(upright, _)| upright)),
        };
        let distribution = match place {
            Place::Memory(distribution) => distribution.clone(),
            Place::Disk(offset) => self.read(*offset, example.size)?,
        };
        Ok((distribution, mask))
    }

    fn read(&self, offset: u64, (h, w): (usize, usize)) -> Result<LatentDistribution> {
        const CHANNELS: usize = 4;
        let count = h * w * CHANNELS;
        let mut raw = vec![0; 2 * count * size_of::<f32>()];
        self.on_disk(|file| {
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut raw)
        })?;
        let values: Vec<f32> = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let tensor = |part: &[f32]| Tensor::from_vec(part.to_vec(), (1, h, w, CHANNELS), &Device::Cpu);
        Ok(LatentDistribution { mean: tensor(&values[..count])?, std: tensor(&values[count..])? })
    }
}

impl Drop for Latents {
    fn drop(&mut self) {
        // Open files cannot be removed on Windows.
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Views of a size that are encoded in one pass.
///
/// On the CPU one: products there are added up in an order that follows from the number of rows, so that the last digits of
/// a latent would depend on the pictures beside it, and with them a run on the names of files; and nothing is won. Their
/// difference is below 1e-5 (`diffusion/tests/batches.rs`), which is what a GPU may show.
fn together(size: (u32, u32), vae: &Vae) -> usize {
    if vae.device().is_cpu() { 1 } else { (TOGETHER / area(size).max(1)).max(1) }
}

/// Views of a picture that are learnt.
fn views(plan: &Plan) -> usize {
    if plan.random_flip { 2 } else { 1 }
}

fn area((width, height): (u32, u32)) -> usize {
    width as usize * height as usize
}

/// The distributions of the pictures of a batch, each a tensor of its own.
fn split(batch: &LatentDistribution) -> Result<Vec<LatentDistribution>> {
    let one = |tensor: &Tensor, i: usize| tensor.narrow(0, i, 1)?.force_contiguous();
    (0..batch.mean.dim(0)?)
        .map(|i| Ok(LatentDistribution { mean: one(&batch.mean, i)?, std: one(&batch.std, i)? }))
        .collect()
}

/// The picture's mask at the size of its latents, and its mirror image.
fn mask(photo: &Photo, (h, w): (usize, usize), plan: &Plan) -> Result<Option<(Tensor, Tensor)>> {
    let Some(mask) = &photo.mask else { return Ok(None) };
    let small = imageops::resize(mask, w as u32, h as u32, imageops::FilterType::Triangle);
    let values = |image: &image::GrayImage| -> Result<Tensor> {
        let values: Vec<f32> = image.as_raw().iter().map(|&b| f32::from(b) / 255.0).collect();
        let values = match plan.recipe.mask_floor {
            Some(floor) => trainer::normalize_mask(&values, floor)?,
            None => values,
        };
        Ok(Tensor::from_vec(values, (1, h, w, 1), &Device::Cpu)?)
    };
    Ok(Some((values(&small)?, values(&imageops::flip_horizontal(&small))?)))
}

/// `[1, H, W, 3]` in -1..1.
pub(crate) fn pixels(image: &image::RgbImage) -> Result<kernels::Tensor> {
    let (width, height) = image.dimensions();
    let values: Vec<f32> = image.as_raw().iter().map(|&b| f32::from(b) / 127.5 - 1.0).collect();
    let shape = (1, height as usize, width as usize, 3);
    Ok(kernels::Tensor::from_vec(values, shape, &kernels::Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_on_disk_are_those_that_went_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut latents = Latents::new(1.0, folder.path());
        latents.in_memory = 2 * 24 * 4;
        let tensor = |start: f32| Tensor::arange(start, start + 24.0, &Device::Cpu)?.reshape((1, 2, 3, 4));
        let places: Vec<Place> = (0..3u8)
            .map(|i| {
                let mean = tensor(f32::from(i)).expect("a mean");
                latents.keep(LatentDistribution { mean, std: tensor(100.0).expect("a deviation") }).expect("kept")
            })
            .collect();
        let [Place::Memory(_), Place::Disk(first), Place::Disk(second)] = places[..] else {
            panic!("one in memory, two on disk")
        };
        for (offset, start) in [(second, 2.0), (first, 1.0)] {
            let read = latents.read(offset, (2, 3)).expect("read");
            let values = |tensor: &Tensor| tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
            assert_eq!(values(&read.mean), values(&tensor(start).expect("a mean")));
            assert_eq!(values(&read.std)[23], 123.0);
        }
        drop(latents);
        assert!(!folder.path().join("latents.bin").exists(), "nothing stays behind");
    }
}
