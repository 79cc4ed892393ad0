//! One update of a run, and what is wrong with a run that diverges.

use super::{Batches, Plan};
use crate::{Error, Result, Stopwatch, state::Progress};
use kernels::Tensor;
use protocol::Part;
use trainer::{Batch, Rates, Trainer, scalar};

/// The passes of an update, each with its share.
pub(super) type Passes = Vec<(Batch, f64)>;

/// The loss of an update that a GPU may still be at.
pub(super) struct Loss(Vec<(f64, Tensor)>);

impl Loss {
    /// Waits for it; penalties are left out.
    pub fn read(&self) -> Result<f64> {
        let mut loss = 0.0;
        for (share, value) in &self.0 {
            loss += share * scalar(value)?;
        }
        Ok(loss)
    }
}

/// Asks for one update. Nothing in it waits for the device unless gradients are clipped, so that the caller can put the
/// next batch together meanwhile.
pub(super) fn update(
    trainer: &mut Trainer,
    passes: Passes,
    batches: &Batches,
    plan: &Plan,
    step: u64,
    watch: &Stopwatch,
) -> Result<Loss> {
    let recipe = &plan.recipe;
    let completion = batches.completion(step);
    let rates = Rates {
        unet: recipe.unet_rate.at(step, recipe.steps, completion),
        text: recipe.text_rate.at(step, recipe.steps, completion),
        tokens: recipe.token_rate.at(step, recipe.steps, completion),
    };
    let learn_text = rates.tokens > 0.0 || recipe.text_adapters;
    let mut losses = Vec::with_capacity(passes.len());
    for (batch, share) in passes {
        let (found, pass) = watch.time(Part::Forward, || trainer.forward(&batch, learn_text))?;
        watch.time(Part::Backward, || trainer.backward(&batch, pass, share))?;
        losses.push((share, found.image));
    }
    watch.time(Part::Update, || -> Result<()> {
        trainer.penalize(rates.tokens > 0.0)?;
        if let Some(limit) = recipe.clip_norm {
            trainer.clip(limit)?;
        }
        Ok(trainer.update(rates)?)
    })?;
    Ok(Loss(losses))
}

/// Fails if the loss is no number, or has risen far above where it began.
pub(super) fn check_divergence(loss: f64, progress: &Progress) -> Result<()> {
    let diverged = trainer::Error::Diverged { step: progress.step, loss };
    let recent = progress.losses.len().saturating_sub(20);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let first = mean(&progress.losses[..progress.losses.len().min(20)]);
    if !loss.is_finite() || (progress.losses.len() > 40 && mean(&progress.losses[recent..]) > 10.0 * first) {
        return Err(diverged.into());
    }
    Ok(())
}

/// Fails if the held-out error says that the model is broken: nothing of it is kept.
pub(super) fn check_held_out(held_out: f64, progress: &Progress) -> Result<()> {
    let first = progress.held_out.first().map_or(f64::INFINITY, |(_, error)| *error);
    if held_out.is_finite() && held_out <= 2.0 * first {
        return Ok(());
    }
    Err(Error::from(trainer::Error::Diverged { step: progress.step, loss: held_out }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_model_is_noticed() {
        let progress = Progress { held_out: vec![(0, 0.1)], ..Progress::default() };
        assert!(check_held_out(0.15, &progress).is_ok());
        assert!(check_held_out(0.21, &progress).is_err() && check_held_out(f64::NAN, &progress).is_err());
        let losses = [vec![0.1; 25], vec![2.0; 25]].concat();
        let progress = Progress { losses, ..Progress::default() };
        assert!(check_divergence(2.0, &progress).is_err() && check_divergence(f64::NAN, &Progress::default()).is_err());
        assert!(check_divergence(0.1, &Progress { losses: vec![0.1; 50], ..Progress::default() }).is_ok());
    }

    #[test]
    fn the_loss_of_several_passes_is_their_weighted_sum() {
        let value = |x: f32| Tensor::new(x, &kernels::Device::Cpu).expect("a number");
        assert_eq!(Loss(vec![(0.75, value(2.0)), (0.25, value(4.0))]).read().expect("read"), 2.5);
    }
}
