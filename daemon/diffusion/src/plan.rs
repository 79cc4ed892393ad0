//! What a training step will keep in memory, stated from sizes alone before anything is allocated.
//!
//! These sums mirror the forward passes of [`crate::UNet`] and [`crate::TextEncoder`] line by line; a test holds them
//! against what the tape really kept.

use crate::{
    Family,
    checkpoint::{Architecture, ClipDims, tensors},
    lora::{LayerPath, Targets},
    tokenizer::LENGTH,
};

/// The sizes of a step.
#[derive(Clone, Debug)]
pub struct StepShape {
    /// Samples of one forward pass.
    pub batch: usize,
    /// Height of the latents.
    pub height: usize,
    /// Width of the latents.
    pub width: usize,
    /// Parts of 75 tokens that each prompt has.
    pub chunks: usize,
    /// Which layers have adapters.
    pub targets: Targets,
    /// Rank of the adapters.
    pub rank: usize,
    /// Whether gradients reach the text encoders.
    pub text: bool,
    /// Whether blocks run again backward.
    pub recompute: bool,
}

/// Bytes of everything in a checkpoint that a training step holds: text encoders and UNet, at `frozen` bytes for each
/// value of a matrix (norms and biases are counted alike; they are few).
pub fn weight_bytes(architecture: &Architecture, frozen: usize) -> usize {
    let held = tensors(architecture).into_iter().filter(|(key, _)| !key.starts_with("first_stage_model."));
    held.map(|(_, shape)| shape.iter().product::<usize>() * frozen).sum()
}

/// Bytes that the forward pass keeps for the backward pass, activations being f32.
pub fn saved_bytes(architecture: &Architecture, step: &StepShape) -> usize {
    let mut count = Count { step, values: 0 };
    count.unet(architecture);
    if step.text {
        count.text(architecture);
    }
    count.values * size_of::<f32>()
}

/// Values of the adapters that `targets` choose, at `rank`.
pub fn trainable_values(architecture: &Architecture, targets: &Targets, rank: usize) -> usize {
    // Targets are suffixes of diffusers' paths, which end unlike the checkpoint's in residual blocks only.
    const ENDINGS: [(&str, &str); 5] = [
        ("in_layers.2", "conv1"),
        ("out_layers.3", "conv2"),
        ("emb_layers.1", "time_emb_proj"),
        ("skip_connection", "conv_shortcut"),
        ("0.op", "downsamplers.0.conv"),
    ];
    let unet = tensors(architecture).into_iter().filter_map(|(key, shape)| {
        let path = key.strip_prefix("model.diffusion_model.")?.strip_suffix(".weight")?;
        let renamed = ENDINGS.iter().find_map(|(ours, theirs)| Some(format!("{}{theirs}", path.strip_suffix(ours)?)));
        let path = LayerPath::unet(path, &renamed.unwrap_or_else(|| path.to_owned()));
        let kernel = shape.get(2..).unwrap_or_default().iter().product::<usize>();
        (shape.len() > 1 && targets.includes(&path)).then(|| rank * (shape[1] * kernel + shape[0]))
    });
    let clips = [Some(&architecture.clip_l), architecture.clip_g.as_ref()];
    let text = clips.into_iter().flatten().map(|clip| {
        let sizes = [
            ("self_attn.q_proj", clip.hidden + clip.hidden),
            ("self_attn.k_proj", clip.hidden + clip.hidden),
            ("self_attn.v_proj", clip.hidden + clip.hidden),
            ("self_attn.out_proj", clip.hidden + clip.hidden),
            ("mlp.fc1", clip.hidden + clip.mlp),
            ("mlp.fc2", clip.hidden + clip.mlp),
        ];
        let targeted = |name: &str| targets.includes(&LayerPath::text("te", &format!("x.{name}")));
        clip.layers * sizes.iter().filter(|(name, _)| targeted(name)).map(|(_, size)| rank * size).sum::<usize>()
    });
    unet.sum::<usize>() + text.sum::<usize>()
}

struct Count<'a> {
    step: &'a StepShape,
    values: usize,
}

impl Count<'_> {
    /// Positions of all prompts.
    fn words(&self) -> usize {
        self.step.batch * self.step.chunks * LENGTH
    }

    fn add(&mut self, values: usize) {
        self.values += values;
    }

    fn targeted(&self, name: &str) -> bool {
        self.step.targets.includes(&LayerPath::unet("", &format!("x.{name}")))
    }

    /// The inner values of an adapter at `positions`, and its input unless something else keeps that.
    fn adapter(&mut self, name: &str, positions: usize, own_input: usize) -> bool {
        let there = self.targeted(name);
        if there {
            self.add(positions * (self.step.rank + own_input));
        }
        there
    }

    fn unet(&mut self, architecture: &Architecture) {
        let (dims, batch) = (&architecture.unet, self.step.batch);
        let heads = |width| dims.heads(architecture.family, width);
        let (mut height, mut width) = (self.step.height, self.step.width);
        // The time embedding: its sum, its added part's hidden state, and its activation, which all blocks share.
        self.add(batch * dims.time() * if dims.added.is_some() { 2 } else { 1 });
        if self.step.recompute || self.targeted("time_emb_proj") {
            self.add(batch * dims.time());
        }
        let context_kept = self.step.recompute || self.targeted("attn2.to_k") || self.targeted("attn2.to_v");
        if context_kept {
            self.add(self.words() * dims.context);
        }
        let (mut channels, mut skips) = (dims.model_channels, vec![dims.model_channels]);
        for (level, &level_width) in dims.widths.iter().enumerate() {
            for _ in 0..dims.res_blocks {
                self.res_block(height * width, channels, level_width);
                channels = level_width;
                self.transformer(height * width, channels, heads(channels), dims.depths[level]);
                skips.push(channels);
            }
            if level + 1 < dims.widths.len() {
                let before = batch * height * width;
                (height, width) = (height / 2, width / 2);
                if self.adapter("downsamplers.0.conv", batch * height * width, 0) {
                    self.add(before * channels);
                }
                skips.push(channels);
            }
        }
        self.res_block(height * width, channels, channels);
        self.transformer(height * width, channels, heads(channels), dims.middle_depth);
        self.res_block(height * width, channels, channels);
        for (level, &level_width) in dims.widths.iter().enumerate().rev() {
            for i in 0..=dims.res_blocks {
                self.res_block(height * width, channels + skips.pop().unwrap_or(0), level_width);
                channels = level_width;
                self.transformer(height * width, channels, heads(channels), dims.depths[level]);
                if level > 0 && i == dims.res_blocks {
                    (height, width) = (2 * height, 2 * width);
                    self.adapter("upsamplers.0.conv", batch * height * width, channels);
                }
            }
        }
        self.group_norm(height * width, channels);
    }

    fn group_norm(&mut self, pixels: usize, channels: usize) {
        self.add(self.step.batch * (pixels * channels + 2 * kernels::GROUPS));
    }

    fn res_block(&mut self, pixels: usize, inputs: usize, outputs: usize) {
        let positions = self.step.batch * pixels;
        if self.step.recompute {
            return self.add(positions * inputs);
        }
        self.adapter("time_emb_proj", self.step.batch, 0);
        self.group_norm(pixels, inputs);
        self.adapter("conv1", positions, inputs);
        self.group_norm(pixels, outputs);
        if inputs != outputs {
            self.adapter("conv_shortcut", positions, 0);
        }
        self.adapter("conv2", positions, outputs);
    }

    fn transformer(&mut self, pixels: usize, width: usize, heads: usize, depth: usize) {
        if depth == 0 {
            return;
        }
        let positions = self.step.batch * pixels;
        self.group_norm(pixels, width);
        self.adapter("proj_in", positions, width);
        for _ in 0..depth {
            if self.step.recompute {
                self.add(positions * width);
                continue;
            }
            self.add(3 * positions * width);
            for (attention, own_keys, key_positions) in [("attn1", true, positions), ("attn2", false, self.words())] {
                let mut read = self.adapter(&format!("{attention}.to_q"), positions, 0);
                for name in ["to_k", "to_v"] {
                    read |= self.adapter(&format!("{attention}.{name}"), key_positions, 0) && own_keys;
                }
                if read {
                    self.add(positions * width);
                }
                // q, k, v, the output and the log-sums.
                self.add(2 * positions * width + 2 * key_positions * width + positions * heads);
                self.adapter(&format!("{attention}.to_out.0"), positions, 0);
            }
            self.adapter("ff.net.0.proj", positions, width);
            self.add(positions * 8 * width);
            self.adapter("ff.net.2", positions, 4 * width);
        }
        self.adapter("proj_out", positions, width);
    }

    fn text(&mut self, architecture: &Architecture) {
        let xl = architecture.family == Family::Sdxl;
        // XL's CLIP-L stops before its last block.
        self.clip(&architecture.clip_l, if xl { 1 } else { 0 });
        if !xl {
            self.add(self.words() * architecture.clip_l.hidden);
        }
        if let Some(g) = &architecture.clip_g {
            self.clip(g, 0);
            self.add(self.step.batch * self.step.chunks * g.hidden);
        }
    }

    fn clip(&mut self, dims: &ClipDims, left_out: usize) {
        let (positions, width) = (self.words(), dims.hidden);
        let targeted = |name: &str| self.step.targets.includes(&LayerPath::text("te", &format!("x.{name}")));
        let reads = ["q_proj", "k_proj", "v_proj"].into_iter().filter(|name| targeted(name)).count();
        let (out, fc1, fc2) = (targeted("self_attn.out_proj"), targeted("mlp.fc1"), targeted("mlp.fc2"));
        let rank = self.step.rank;
        let block = if self.step.recompute {
            width
        } else {
            // Two norms' inputs, q, k, v, o, log-sums, the hidden state; then what adapters keep.
            let plain = 6 * width + dims.heads() + dims.mlp;
            let attention = reads * rank + if reads > 0 { width } else { 0 } + if out { rank } else { 0 };
            let mlp = if fc1 { width + rank } else { 0 } + if fc2 { dims.mlp + rank } else { 0 };
            plain + attention + mlp
        };
        self.add((dims.layers - left_out) * positions * block);
    }
}
