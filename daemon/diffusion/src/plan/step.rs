//! What one step keeps and what it holds at most.
//!
//! The forward passes of [`crate::UNet`] and [`crate::TextEncoder`] are mirrored line by line, part by part. Of each part
//! three sizes are known: what it leaves on the tape, what lives while it runs forward, and what lives while it runs
//! backward. A step's peak is the largest sum of what earlier parts left, what a part holds and what waits beside it
//! (gradients of skip connections). Left out, as small: inner values of adapters beside the tape, gradients of the
//! context, statistics off the tape, and buffers inside kernels, for which planners add room.

use crate::{
    Family,
    checkpoint::{Architecture, ClipDims},
    layer::exact,
    lora::{LayerPath, Targets},
    tokenizer::LENGTH,
};
use candle_core::DType;

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

impl Default for StepShape {
    /// One latent of one short prompt, nothing trained.
    fn default() -> Self {
        Self {
            batch: 1,
            height: 1,
            width: 1,
            chunks: 1,
            targets: Targets::suffixes(Vec::new()),
            rank: 0,
            text: false,
            recompute: false,
        }
    }
}

/// Bytes that the forward pass keeps for the backward pass, activations being of type `compute`, statistics of norms and
/// attention at least f32.
pub fn saved_bytes(architecture: &Architecture, step: &StepShape, compute: DType) -> usize {
    let walk = Walk::through(architecture, step, compute);
    walk.text + walk.parts.iter().map(|part| part.kept).sum::<usize>()
}

/// The most bytes that a step's activations and their gradients hold at once, those that are saved included.
pub fn step_bytes(architecture: &Architecture, step: &StepShape, compute: DType) -> usize {
    let walk = Walk::through(architecture, step, compute);
    let (mut before, mut peak) = (walk.text, walk.text_peak);
    for part in &walk.parts {
        peak = peak.max(before + part.held + part.forward);
        before += part.kept;
    }
    let mut waiting = 0;
    for part in walk.parts.iter().rev() {
        before -= part.kept;
        waiting -= part.given;
        peak = peak.max(before + part.backward + waiting);
        waiting += part.taken;
    }
    peak
}

/// The most bytes that a forward pass of the UNet alone holds, of which nothing is kept but skip connections.
pub fn forward_bytes(architecture: &Architecture, step: &StepShape, compute: DType) -> usize {
    // Without a tape a block holds what it does where blocks run again.
    let step = StepShape { recompute: true, ..step.clone() };
    let walk = Walk::through(architecture, &step, compute);
    let given: usize = walk.parts.iter().map(|part| part.given).sum();
    // The first is given by the first convolution, which is no part.
    let mut waiting = walk.parts.iter().map(|part| part.taken).sum::<usize>() - given;
    let mut peak = 0;
    for part in &walk.parts {
        peak = peak.max(waiting + part.forward);
        waiting = waiting + part.given - part.taken;
    }
    peak
}

/// A part of the UNet, in bytes.
#[derive(Clone, Copy, Default)]
struct Part {
    /// Left on the tape.
    kept: usize,
    /// Alive while it runs forward, what it keeps included.
    forward: usize,
    /// Alive while it runs backward, what it kept included.
    backward: usize,
    /// Skip connections that wait off the tape while it runs forward.
    held: usize,
    /// The skip connection that it takes in: backward, its gradient waits from here on.
    taken: usize,
    /// The skip connection that it gives: backward, its gradient has waited until here.
    given: usize,
}

struct Walk<'a> {
    step: &'a StepShape,
    /// Bytes of an activation.
    unit: usize,
    /// Bytes of a statistic.
    fine: usize,
    /// What the text encoders leave on the tape, and the most they hold.
    text: usize,
    text_peak: usize,
    parts: Vec<Part>,
    held: usize,
}

impl<'a> Walk<'a> {
    fn through(architecture: &Architecture, step: &'a StepShape, compute: DType) -> Self {
        let (unit, fine) = (compute.size_in_bytes(), exact(compute).size_in_bytes());
        let mut walk = Self { step, unit, fine, text: 0, text_peak: 0, parts: Vec::new(), held: 0 };
        walk.encoders(architecture);
        walk.unet(architecture);
        walk
    }

    /// Positions of all prompts.
    fn words(&self) -> usize {
        self.step.batch * self.step.chunks * LENGTH
    }

    fn targeted(&self, name: &str) -> bool {
        self.step.targets.includes(&LayerPath::unet("", &format!("x.{name}")))
    }

    /// Values that an adapter keeps at `positions`: its inner ones, and its input unless something else keeps that.
    fn adapter(&self, name: &str, positions: usize, own_input: usize) -> usize {
        if self.targeted(name) { positions * (self.step.rank + own_input) } else { 0 }
    }

    /// Bytes of what a group norm keeps.
    fn group_norm(&self, pixels: usize, channels: usize) -> usize {
        self.step.batch * (pixels * channels * self.unit + 2 * kernels::GROUPS * self.fine)
    }

    fn push(&mut self, kept: usize, forward: usize, backward: usize) {
        let held = self.held;
        self.parts.push(Part {
            kept,
            forward: forward.max(kept),
            backward: backward.max(kept),
            held,
            ..Part::default()
        });
    }

    /// Marks the part pushed last as the end of an input block: its output, `bytes`, is a skip connection.
    fn gives(&mut self, bytes: usize) {
        if let Some(part) = self.parts.last_mut() {
            part.given = bytes;
        }
    }

    fn unet(&mut self, architecture: &Architecture) {
        let (dims, batch, recompute) = (&architecture.unet, self.step.batch, self.step.recompute);
        let heads = |width| dims.heads(architecture.family, width);
        let (mut height, mut width) = (self.step.height, self.step.width);
        // The time embedding: its sum, its added part's hidden state, and its activation, which all blocks share.
        let mut shared = batch * dims.time() * if dims.added.is_some() { 2 } else { 1 };
        if recompute || self.targeted("time_emb_proj") {
            shared += batch * dims.time();
        }
        if recompute || self.targeted("attn2.to_k") || self.targeted("attn2.to_v") {
            shared += self.words() * dims.context;
        }
        self.push(shared * self.unit, 0, 0);
        // Channels of each skip connection, and its bytes where only the list of skip connections keeps it: what enters a
        // residual block lies on the tape anyway, what enters a downsampling may not.
        let (mut channels, mut skips) = (dims.model_channels, vec![(dims.model_channels, 0)]);
        for (level, &level_width) in dims.widths.iter().enumerate() {
            let goes_down = level + 1 < dims.widths.len();
            let state = batch * height * width * level_width * self.unit;
            for i in 0..dims.res_blocks {
                self.res_block(height * width, channels, 0, level_width);
                channels = level_width;
                self.transformer(height * width, channels, heads(channels), dims.depths[level]);
                self.gives(state);
                let loose = goes_down && i + 1 == dims.res_blocks && !self.targeted("downsamplers.0.conv");
                let loose = if loose { state } else { 0 };
                self.held += loose;
                skips.push((channels, loose));
            }
            if goes_down {
                (height, width) = (height / 2, width / 2);
                // An adapter's input is larger than its output.
                let kept = self.adapter("downsamplers.0.conv", batch * height * width, 4 * channels) * self.unit;
                self.push(kept, kept + state / 4, kept + state + state / 4);
                self.gives(state / 4);
                skips.push((channels, 0));
            }
        }
        self.res_block(height * width, channels, 0, channels);
        self.transformer(height * width, channels, heads(channels), dims.middle_depth);
        self.res_block(height * width, channels, 0, channels);
        for (level, &level_width) in dims.widths.iter().enumerate().rev() {
            for i in 0..=dims.res_blocks {
                let (skip, loose) = skips.pop().unwrap_or_default();
                self.res_block(height * width, channels, skip, level_width);
                self.held -= loose;
                channels = level_width;
                self.transformer(height * width, channels, heads(channels), dims.depths[level]);
                if level > 0 && i == dims.res_blocks {
                    let before = batch * height * width * channels * self.unit;
                    (height, width) = (2 * height, 2 * width);
                    let kept = self.adapter("upsamplers.0.conv", batch * height * width, channels) * self.unit;
                    // The state, enlarged, convolved, and their gradients.
                    self.push(kept, kept + 9 * before, kept + 9 * before);
                }
            }
        }
        let state = batch * height * width * channels * self.unit;
        let kept = self.group_norm(height * width, channels);
        self.push(kept, kept + state, kept + 2 * state);
    }

    /// A residual block of `inputs` channels and `skip` more from a skip connection.
    fn res_block(&mut self, pixels: usize, inputs: usize, skip: usize, outputs: usize) {
        let (positions, unit) = (self.step.batch * pixels, self.unit);
        let (before, inputs) = (positions * inputs * unit, inputs + skip);
        let (x, y) = (positions * inputs * unit, positions * outputs * unit);
        let beside = inputs != outputs;
        let mut adapters = self.adapter("time_emb_proj", self.step.batch, 0)
            + self.adapter("conv1", positions, inputs)
            + self.adapter("conv2", positions, outputs);
        if beside {
            adapters += self.adapter("conv_shortcut", positions, 0);
        }
        let all = self.group_norm(pixels, inputs) + self.group_norm(pixels, outputs) + adapters * unit;
        let kept = if self.step.recompute { x } else { all };
        // Input, both norms' outputs, the first convolution's, the shortcut's and the result; what was joined to the input.
        let forward = 2 * x + if beside { 4 * y } else { 3 * y } + if skip > 0 { before } else { 0 };
        // Behind the second norm: all but what the second adapter kept, and three gradients. Behind the first: the input,
        // the gradients of both states, and three or four of the input's size.
        let own = if self.targeted("conv2") { y } else { 0 };
        let mut backward = (all - own + 3 * y).max(x + 2 * y + if beside { 3 * x } else { 2 * x });
        if self.step.recompute {
            backward = backward.max(forward + y);
        }
        self.push(kept, forward, backward);
        if let Some(part) = self.parts.last_mut() {
            part.taken = positions * skip * unit;
        }
    }

    fn transformer(&mut self, pixels: usize, width: usize, heads: usize, depth: usize) {
        if depth == 0 {
            return;
        }
        let (positions, unit) = (self.step.batch * pixels, self.unit);
        let state = positions * width * unit;
        let enters = self.group_norm(pixels, width) + self.adapter("proj_in", positions, width) * unit;
        self.push(enters, enters + 2 * state, enters + 3 * state);
        // The norm's output lives as long as the blocks run forward, the gradient of the whole as long as they run backward.
        let outside = if self.targeted("proj_in") { 0 } else { state };
        for _ in 0..depth {
            let mut values = 3 * positions * width;
            let (mut log_sums, mut read) = (0, [false; 2]);
            let attentions = [("attn1", true, positions), ("attn2", false, self.words())];
            for (i, (attention, own_keys, key_positions)) in attentions.into_iter().enumerate() {
                for (name, positions) in [("to_q", positions), ("to_k", key_positions), ("to_v", key_positions)] {
                    values += self.adapter(&format!("{attention}.{name}"), positions, 0);
                    let reads = own_keys || name == "to_q";
                    read[i] |= reads && self.targeted(&format!("{attention}.{name}"));
                }
                if read[i] {
                    values += positions * width;
                }
                // q, k, v, the output and the log-sums.
                values += 2 * positions * width + 2 * key_positions * width;
                log_sums += positions * heads;
                values += self.adapter(&format!("{attention}.to_out.0"), positions, 0);
            }
            values += self.adapter("ff.net.0.proj", positions, width);
            values += positions * 8 * width;
            values += self.adapter("ff.net.2", positions, 4 * width);
            let all = values * unit + log_sums * self.fine;
            let [ff_in, ff_out] = ["ff.net.0.proj", "ff.net.2"].map(|name| self.targeted(name));
            // Beside what a tape keeps: norms' outputs that nothing reads again, the gated state and the result.
            let unread = read.iter().filter(|read| !**read).count() + usize::from(!ff_in);
            let gated = if ff_out { 0 } else { 4 };
            let on_tape = all + (unread + gated + 1) * state;
            // Without one, queries, keys and values are gone when the state is gated: three states, three norms' outputs,
            // eight of the two halves, four gated, the result.
            let (kept, forward) = if self.step.recompute { (state, 19 * state) } else { (all, on_tape) };
            // Where the gate's gradient is made: the incoming one, four behind, eight before.
            let kept_there = if ff_out { all - 4 * state } else { all };
            let mut backward = kept_there + 13 * state;
            if self.step.recompute {
                backward = backward.max(on_tape + state);
            }
            self.push(kept, forward + outside, backward + state);
        }
        let leaves = self.adapter("proj_out", positions, width) * unit;
        self.push(leaves, leaves + 2 * state + outside, leaves + 3 * state);
    }

    fn encoders(&mut self, architecture: &Architecture) {
        let xl = architecture.family == Family::Sdxl;
        let (unit, step) = (self.unit, self.step);
        // XL's CLIP-L stops before its last block.
        let (mut kept, mut beside) = self.clip(&architecture.clip_l, if xl { 1 } else { 0 });
        if !xl {
            kept += self.words() * architecture.clip_l.hidden * unit;
        }
        if let Some(g) = &architecture.clip_g {
            let (more, also) = self.clip(g, 0);
            kept += more + step.batch * step.chunks * g.hidden * unit;
            beside = beside.max(also);
        }
        self.text = if step.text { kept } else { 0 };
        self.text_peak = self.text + beside;
    }

    /// (bytes that an encoder leaves on the tape, bytes beside them in the worst moment).
    fn clip(&self, dims: &ClipDims, left_out: usize) -> (usize, usize) {
        let (positions, width, unit) = (self.words(), dims.hidden, self.unit);
        let targeted = |name: &str| self.step.targets.includes(&LayerPath::text("te", &format!("x.{name}")));
        let reads = ["q_proj", "k_proj", "v_proj"].into_iter().filter(|name| targeted(name)).count();
        let (out, fc1, fc2) = (targeted("self_attn.out_proj"), targeted("mlp.fc1"), targeted("mlp.fc2"));
        let rank = self.step.rank;
        // Two norms' inputs, q, k, v, o, log-sums, the hidden state; then what adapters keep.
        let attention = reads * rank + if reads > 0 { width } else { 0 } + if out { rank } else { 0 };
        let mlp = if fc1 { width + rank } else { 0 } + if fc2 { dims.mlp + rank } else { 0 };
        let all = positions * ((6 * width + dims.mlp + attention + mlp) * unit + dims.heads() * self.fine);
        // The incoming gradient and those of the hidden state and of what was made of it.
        let gradients = positions * (2 * width + 2 * dims.mlp) * unit;
        let (block, beside) = match self.step.recompute {
            true => (positions * width * unit, all + gradients),
            false => (all, gradients),
        };
        ((dims.layers - left_out) * block, beside)
    }
}
