//! The training step.

use crate::{
    Error, Result,
    contexts::{Contexts, encode_singly},
    loss_scale::LossScale,
    objective::Objective,
    optimizer::{Optimizer, OptimizerState, overwrite},
    tokens::TokenTarget,
    trainables::Trainables,
};
use diffusion::{
    Conditioning, Model,
    clip::TextBatch,
    layer::{Gradients, Tape, exact},
    tokenizer::TokenIds,
};
use kernels::{Device, Tensor};

/// What one forward and backward pass works on.
pub struct Batch {
    /// Clean latents as the UNet sees them, `[B, h, w, 4]`.
    pub latents: Tensor,
    /// Noise of the same shape.
    pub noise: Tensor,
    /// `[B, h, w, 1]`.
    pub mask: Option<Tensor>,
    /// Mean of each sample's mask; ones without masks.
    pub mask_means: Vec<f64>,
    /// `[B]`.
    pub timesteps: Vec<usize>,
    /// Token ids.
    pub text: TextBatch,
    /// `[B, 6]` row major; XL only.
    pub time_ids: Vec<f32>,
}

/// What a pass found.
pub struct Losses {
    /// The weighted error; one value.
    pub image: Tensor,
    /// The prediction, `[B, h, w, 4]`.
    pub prediction: Tensor,
}

/// Learning rates of one update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Of the UNet's adapters.
    pub unet: f64,
    /// Of the text encoders' adapters.
    pub text: f64,
    /// Of the tokens; zero freezes them, and the text encoders are no longer run backward.
    pub tokens: f64,
}

/// Adapters and tokens learning.
pub struct Trainer {
    model: Model,
    trainables: Trainables,
    objective: Objective,
    grads: Gradients,
    token_targets: Vec<TokenTarget>,
    text_optimizer: OptimizerState,
    unet_optimizer: OptimizerState,
    token_optimizer: OptimizerState,
    loss_scale: LossScale,
    recompute: bool,
    saved_bytes: usize,
    /// In place of the text encoders, once nothing in them learns any more.
    contexts: Option<Contexts>,
}

impl Trainer {
    /// A trainer of `trainables`, which are bound to `model`. With `recompute`, blocks run twice and keep less.
    ///
    /// # Errors
    /// If the device has no memory.
    pub fn new(
        model: Model,
        trainables: Trainables,
        objective: Objective,
        adapters: Optimizer,
        tokens: Optimizer,
        recompute: bool,
    ) -> Result<Self> {
        let grads = trainables.parameters.gradients()?;
        let mut token_targets = Vec::new();
        if objective.token_std > 0.0 {
            for ((_, encoder), rows) in model.text.encoders().zip(&trainables.tokens) {
                token_targets.push(TokenTarget::new(encoder.table(), &rows.value)?);
            }
        }
        let values = trainables.parameters.values();
        let state = |rule, range| OptimizerState::new(rule, trainables.part(values, range)?);
        Ok(Self {
            text_optimizer: state(adapters, &trainables.text)?,
            unet_optimizer: state(adapters, &trainables.unet)?,
            token_optimizer: state(tokens, &trainables.rows)?,
            loss_scale: LossScale::of(model.unet.compute()),
            model,
            trainables,
            objective,
            grads,
            token_targets,
            recompute,
            saved_bytes: 0,
            contexts: None,
        })
    }

    /// The model with everything bound to it.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What learns.
    pub fn trainables(&self) -> &Trainables {
        &self.trainables
    }

    /// The gradients so far.
    pub fn gradients(&self) -> &Gradients {
        &self.grads
    }

    /// Where the model lies.
    pub fn device(&self) -> &Device {
        self.model.unet.device()
    }

    /// Prodigy's estimates for the UNet's adapters and the tokens.
    pub fn estimates(&self) -> (f64, f64) {
        (self.unet_optimizer.estimate(), self.token_optimizer.estimate())
    }

    /// Everything that changes in training: named flat tensors, and four numbers of each optimizer.
    pub fn save(&self) -> (Vec<(String, Tensor)>, Vec<[f64; 4]>) {
        let mut tensors = vec![("values".to_owned(), self.trainables.parameters.values().clone())];
        let mut numbers = Vec::new();
        for (name, optimizer) in self.optimizers() {
            let (moments, state) = optimizer.save();
            tensors.extend(moments.into_iter().enumerate().map(|(i, t)| (format!("{name}.{i}"), t)));
            numbers.push(state);
        }
        numbers.push(self.loss_scale.save());
        (tensors, numbers)
    }

    /// Takes back what [`Self::save`] gave; `tensor` finds one by name.
    ///
    /// # Errors
    /// If something is missing or of another shape.
    pub fn restore(&mut self, mut tensor: impl FnMut(&str) -> Result<Tensor>, numbers: &[[f64; 4]]) -> Result<()> {
        overwrite(self.trainables.parameters.values(), &tensor("values")?)?;
        let optimizers = [
            ("unet", &mut self.unet_optimizer),
            ("text", &mut self.text_optimizer),
            ("tokens", &mut self.token_optimizer),
        ];
        for (i, (name, optimizer)) in optimizers.into_iter().enumerate() {
            let count = optimizer.save().0.len();
            let moments = (0..count).map(|j| tensor(&format!("{name}.{j}"))).collect::<Result<Vec<_>>>()?;
            let state = numbers.get(i).ok_or_else(|| Error::Invalid("the snapshot lacks an optimizer".into()))?;
            optimizer.restore(&moments, *state)?;
        }
        if let Some(&state) = numbers.get(3) {
            self.loss_scale.restore(state);
        }
        Ok(())
    }

    fn optimizers(&self) -> [(&'static str, &OptimizerState); 3] {
        [("unet", &self.unet_optimizer), ("text", &self.text_optimizer), ("tokens", &self.token_optimizer)]
    }

    /// Encodes `prompts`, all that will be asked for from now on, and gives the memory of the text encoders back: for when
    /// neither tokens nor adapters in them learn any more. Losses and gradients stay what they were, bit for bit.
    ///
    /// # Errors
    /// If a prompt cannot be encoded, or adapters sit in the text encoders.
    pub fn freeze_text(&mut self, prompts: &[TokenIds]) -> Result<()> {
        if self.contexts.is_some() {
            return Ok(());
        }
        if !self.trainables.text.is_empty() {
            return Err(Error::Invalid("bug: text encoders that learn cannot be unloaded".into()));
        }
        self.contexts = Some(Contexts::new(&self.model.text, prompts)?);
        Ok(self.model.text.unload()?)
    }

    /// What prompts mean to the UNet, where nothing is to be learnt from them.
    ///
    /// # Errors
    /// If one cannot be encoded, or was not named when the text encoders were unloaded.
    pub fn encode(&self, text: &TextBatch) -> Result<Conditioning> {
        match &self.contexts {
            Some(contexts) => contexts.of(text, self.model.unet.device()),
            None => encode_singly(&self.model.text, text),
        }
    }

    /// The loss of a batch without any gradient, its weights all one.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn plain_loss(&self, batch: &Batch) -> Result<f64> {
        let text = self.encode(&batch.text)?;
        let (noisy, target) = self.noisy(batch)?;
        let timesteps: Vec<f64> = batch.timesteps.iter().map(|&t| t as f64).collect();
        let prediction = self.model.unet.forward(&noisy, &timesteps, &text, &batch.time_ids, &mut Tape::off())?;
        let weights = vec![1.0; timesteps.len()];
        scalar(&kernels::weighted_squared_error(&prediction, &target, self.mask(batch)?.as_ref(), &weights)?.loss)
    }

    fn mask(&self, batch: &Batch) -> Result<Option<Tensor>> {
        Ok(batch.mask.as_ref().map(|mask| mask.to_device(self.device())).transpose()?)
    }

    /// (what the UNet sees, what it should say).
    fn noisy(&self, batch: &Batch) -> Result<(Tensor, Tensor)> {
        let objective = &self.objective;
        let (signal, noise): (Vec<f64>, Vec<f64>) = batch.timesteps.iter().map(|&t| objective.schedule.mix(t)).unzip();
        let (latents, noises) = (batch.latents.to_device(self.device())?, batch.noise.to_device(self.device())?);
        let noisy = kernels::add_noise(&latents, &noises, &signal, &noise)?;
        Ok((noisy, objective.target(&latents, &noises, &batch.timesteps)?))
    }

    /// Bytes that the last forward pass kept for its backward pass.
    pub fn saved_bytes(&self) -> usize {
        self.saved_bytes
    }

    /// One forward pass: (losses, what the backward pass needs).
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn forward(&mut self, batch: &Batch, learn_text: bool) -> Result<(Losses, Pass)> {
        let learn_text = learn_text && (!self.trainables.tokens.is_empty() || !self.trainables.text.is_empty());
        let mut text_tape = if learn_text { Tape::keep(self.recompute) } else { Tape::off() };
        // Encoded anew in every step: the new token rows learn through this call.
        let text = match learn_text {
            true => self.model.text.forward(&batch.text, &mut text_tape)?,
            false => self.encode(&batch.text)?,
        };
        let (noisy, target) = self.noisy(batch)?;

        let mut tape = Tape::keep(self.recompute);
        let timesteps: Vec<f64> = batch.timesteps.iter().map(|&t| t as f64).collect();
        let prediction = self.model.unet.forward(&noisy, &timesteps, &text, &batch.time_ids, &mut tape)?;
        let mask = self.mask(batch)?;
        let error = self.objective.error(&prediction, &target, mask.as_ref(), &batch.mask_means, &batch.timesteps)?;
        self.saved_bytes = tape.bytes() + text_tape.bytes();
        Ok((
            Losses { image: error.loss, prediction },
            Pass { grad: error.grad, text: learn_text.then_some(text), tape, text_tape },
        ))
    }

    /// The backward pass; gradients are added with weight `share`, that of this batch in an accumulated update.
    ///
    /// # Errors
    /// If the passes do not match.
    pub fn backward(&mut self, batch: &Batch, mut pass: Pass, share: f64) -> Result<()> {
        let share = share * self.loss_scale.factor();
        let grad = if share == 1.0 { pass.grad } else { kernels::scale(&pass.grad, share)? };
        let text_grad = self.model.unet.backward(&grad, pass.text.as_ref(), &mut pass.tape, &self.grads)?;
        if let Some(grad) = text_grad {
            self.model.text.backward(&batch.text, &grad, &mut pass.text_tape, &self.grads)?;
        }
        if !pass.tape.is_empty() || !pass.text_tape.is_empty() {
            return Err(Error::Invalid("bug: the backward pass left saved tensors behind".into()));
        }
        Ok(())
    }

    /// Adds the gradients of the penalties and returns their sum; one value. Once an update, not once a batch.
    ///
    /// # Errors
    /// If a kernel fails.
    pub fn penalize(&mut self, learn_tokens: bool) -> Result<Tensor> {
        self.loss_scale.settle(self.grads.values())?;
        let trainables = &self.trainables;
        let adapters = 0..trainables.unet.end;
        let mut penalty = Tensor::zeros((), exact(self.model.unet.compute()), self.model.unet.device())?;
        if self.objective.l1 > 0.0 && !adapters.is_empty() {
            let factor = self.objective.l1 / adapters.len() as f64;
            let values = trainables.part(trainables.parameters.values(), &adapters)?;
            kernels::add_sign(&trainables.part(self.grads.values(), &adapters)?, &values, factor)?;
            penalty = kernels::scale(&kernels::absolute_sum(&values)?, factor)?;
        }
        if learn_tokens {
            let encoders = self.token_targets.len() as f64;
            for (target, rows) in self.token_targets.iter().zip(&trainables.tokens) {
                let (grads, factor) = (self.grads.of(rows)?, self.objective.token_std / encoders);
                let pull = kernels::std_penalty(&rows.value, &grads, target.mean, target.variance, factor)?;
                penalty = kernels::add(&penalty, &pull)?;
            }
        }
        Ok(penalty)
    }

    /// Scales all gradients so that their norm is at most `limit`, and returns what it was.
    ///
    /// # Errors
    /// If a kernel fails.
    pub fn clip(&mut self, limit: f64) -> Result<f64> {
        let norm = scalar(&kernels::squared_sum(self.grads.values())?)?.sqrt();
        if norm > limit {
            kernels::scale_in_place(self.grads.values(), limit / norm)?;
        }
        Ok(norm)
    }

    /// Moves everything by the gathered gradients, which become zero.
    ///
    /// # Errors
    /// If a kernel fails.
    pub fn update(&mut self, rates: Rates) -> Result<()> {
        let grads = self.grads.values();
        if self.loss_scale.overflowed() {
            // The gradients are not finite: nothing moves, and the next step is scaled less.
            return Ok(self.grads.clear()?);
        }
        self.unet_optimizer.update(&self.trainables.part(grads, &self.trainables.unet)?, rates.unet)?;
        self.text_optimizer.update(&self.trainables.part(grads, &self.trainables.text)?, rates.text)?;
        if rates.tokens > 0.0 {
            self.token_optimizer.update(&self.trainables.part(grads, &self.trainables.rows)?, rates.tokens)?;
        }
        Ok(self.grads.clear()?)
    }
}

/// What lies between a forward and its backward pass.
pub struct Pass {
    grad: Tensor,
    text: Option<Conditioning>,
    tape: Tape,
    text_tape: Tape,
}

/// The number in a tensor of one value.
pub fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.to_scalar::<f64>()?)
}
