//! Token lookup in a frozen table with new, trainable rows behind its end.

use crate::{
    Device, Result, Tensor, cuda,
    element::{Real, dispatch},
    frozen::Frozen,
    parallel::for_each_chunk,
    view::{build, read, write},
};
use candle_core::Error;

/// Token plus position embedding: ids below the table's size read the table, ids from there on the new rows.
///
/// `table [V, C]` (any float type), `rows [n, C]` if there are new tokens, `positions [N, C]`, `ids` row major `[B, N]`
/// -> `[B, N, C]`.
///
/// # Errors
/// If an id has no row, or shapes, types or devices disagree.
pub fn embed(table: &Tensor, rows: Option<&Tensor>, positions: &Tensor, ids: &[u32]) -> Result<Tensor> {
    if let Some(gpu) = positions.gpu() {
        return cuda::embedding::embed(gpu, table, rows, positions, ids);
    }
    let (length, channels) = positions.dims2()?;
    dispatch!(positions, "embedding", T => {
        let (table, positions) = (Frozen::<T>::new(table)?, read::<T>(positions)?);
        let new = rows.map(read::<T>).transpose()?;
        let known = table.rows + new.as_ref().map_or(0, |rows| rows.len() / channels);
        if let Some(id) = ids.iter().find(|&&id| id as usize >= known) {
            return Err(Error::Msg(format!("token id {id} has no embedding: there are {known}")));
        }
        build::<T, _>((ids.len() / length, length, channels), &Device::Cpu, |out| {
            for_each_chunk(out, length * channels, |sample, out| {
                let mut scratch = Vec::new();
                for (n, row) in out.chunks_exact_mut(channels).enumerate() {
                    let id = ids[sample * length + n] as usize;
                    match &new {
                        Some(rows) if id >= table.rows => {
                            row.copy_from_slice(&rows[(id - table.rows) * channels..][..channels]);
                        }
                        _ => row.copy_from_slice(&table.block((id, 1), (0, channels), &mut scratch).data[..channels]),
                    }
                    row.iter_mut().zip(&positions[n * channels..]).for_each(|(y, p)| *y += *p);
                }
            });
            Ok(())
        })
    })
}

/// Adds the gradient of the new rows: `target [n, C] += sum of grad [B, N, C]` where an id is `vocabulary + row`.
///
/// # Errors
/// If shapes or types disagree.
pub fn embed_backward(target: &Tensor, grad: &Tensor, ids: &[u32], vocabulary: usize) -> Result<()> {
    if let Some(gpu) = grad.gpu() {
        return cuda::embedding::embed_backward(gpu, target, grad, ids, vocabulary);
    }
    let channels = target.dim(1)?;
    if grad.elem_count() != ids.len() * channels {
        return Err(Error::Msg(format!("embedding backward: gradient {:?} for {} ids", grad.shape(), ids.len())));
    }
    dispatch!(grad, "embedding backward", T => {
        let grads = read::<T>(grad)?;
        write::<T>(target, |target| {
            for (&id, grad) in ids.iter().zip(grads.chunks_exact(channels)) {
                let Some(row) = (id as usize).checked_sub(vocabulary) else { continue };
                add_row(&mut target[row * channels..][..channels], grad);
            }
        })
    })
}

fn add_row<T: Real>(target: &mut [T], grad: &[T]) {
    target.iter_mut().zip(grad).for_each(|(t, g)| *t += *g);
}
