//! The walk over a step.

use super::{Part, Passes, Widths, Work};
use crate::{
    Family,
    checkpoint::{Architecture, ClipDims},
    lora::LayerPath,
    plan::{StepShape, trainable_values},
    tokenizer::LENGTH,
};
use std::collections::BTreeMap;

/// Bytes of a trainable value, its gradient, a log-sum: f32 whatever activations are.
const EXACT: usize = 4;

pub(super) fn step(architecture: &Architecture, step: &StepShape, widths: Widths) -> BTreeMap<Part, Passes> {
    let mut walk = Walk { step, widths, parts: BTreeMap::new(), again: false, text: None };
    walk.unet(architecture);
    walk.encoders(architecture);
    walk.optimizer(architecture);
    walk.parts
}

struct Walk<'a> {
    step: &'a StepShape,
    widths: Widths,
    parts: BTreeMap<Part, Passes>,
    /// Inside a block that recomputation runs again.
    again: bool,
    /// In a text encoder; whether it is run backward.
    text: Option<bool>,
}

/// A frozen map at `positions` positions.
#[derive(Clone, Copy)]
struct Map<'a> {
    name: &'a str,
    positions: usize,
    /// Values that it reads.
    inputs: usize,
    /// Columns of its matrix, every tap counted.
    fan_in: usize,
    outputs: usize,
    /// Whether anything trainable lies before it.
    input_gradient: bool,
    /// Whether something of the output's size is added on the way.
    residual: bool,
    convolution: bool,
}

impl<'a> Map<'a> {
    fn linear(name: &'a str, positions: usize, fan_in: usize, outputs: usize) -> Self {
        let inputs = positions * fan_in;
        let (input_gradient, residual, convolution) = (true, false, false);
        Self { name, positions, inputs, fan_in, outputs, input_gradient, residual, convolution }
    }

    /// 3 x 3, from `pixels` pixels in all to `positions`.
    fn conv(name: &'a str, pixels: usize, positions: usize, channels: usize, outputs: usize) -> Self {
        let map = Self::linear(name, positions, 9 * channels, outputs);
        Self { inputs: pixels * channels, convolution: true, ..map }
    }
}

impl Walk<'_> {
    fn batch(&self) -> usize {
        self.step.batch
    }

    fn words(&self) -> usize {
        self.step.batch * self.step.chunks * LENGTH
    }

    /// Adds work to a part: activations, frozen weights and exact values moved, and multiplications.
    fn work(&self, multiplications: usize, activations: usize, frozen: usize, exact: usize) -> Work {
        let bytes = activations * self.widths.activation + frozen * self.widths.frozen + exact * EXACT;
        Work { multiplications: multiplications as u64, bytes: bytes as u64 }
    }

    fn forward(&mut self, part: Part, work: Work) {
        let again = self.again && self.step.recompute && self.text != Some(false);
        let passes = self.parts.entry(self.part(part)).or_default();
        passes.forward += work;
        if again {
            passes.again += work;
        }
    }

    fn backward(&mut self, part: Part, work: Work) {
        if self.text != Some(false) {
            self.parts.entry(self.part(part)).or_default().backward += work;
        }
    }

    fn part(&self, part: Part) -> Part {
        if self.text.is_some() && part != Part::Adapters { Part::Text } else { part }
    }

    fn targeted(&self, name: &str) -> bool {
        let path = format!("x.{name}");
        let path = if self.text.is_some() { LayerPath::text("te", &path) } else { LayerPath::unet("", &path) };
        self.step.targets.includes(&path)
    }

    fn map(&mut self, map: Map) {
        let Map { positions, inputs, fan_in, outputs, .. } = map;
        let part = if map.convolution { Part::Convolutions } else { Part::Linear };
        let (product, output) = (positions * fan_in * outputs, positions * outputs);
        let beside = if map.residual { output } else { 0 };
        self.forward(part, self.work(product, inputs + output + beside, fan_in * outputs + outputs, 0));
        if map.input_gradient {
            self.backward(part, self.work(product, output + inputs, fan_in * outputs, 0));
        }
        if !self.targeted(map.name) {
            return;
        }
        let (rank, inner) = (self.step.rank, positions * self.step.rank);
        let (down, up) = (inner * fan_in, inner * outputs);
        // The inner values are made by a pass over the input; what they add to the output is part of its own pass.
        self.forward(Part::Adapters, self.work(down + up, inputs + 2 * inner, 0, rank * (fan_in + outputs)));
        // Gradients of up, of the inner values and of down, and the inner values' share of the input's gradient.
        let products = 2 * up + down + if map.input_gradient { down } else { 0 };
        let activations = 2 * output + inputs + 4 * inner;
        self.backward(Part::Adapters, self.work(products, activations, 0, 4 * rank * (fan_in + outputs)));
    }

    /// Attention of `queries` positions to `keys`, of all samples together; each query meets `seen` keys.
    fn attention(&mut self, queries: usize, keys: usize, seen: usize, width: usize, heads: usize) {
        let product = queries * seen * width;
        let (q, k) = (queries * width, keys * width);
        self.forward(Part::Attention, self.work(2 * product, 2 * q + 2 * k, 0, queries * heads));
        // Scores again, their gradient, and those of v, k and q; reads q, k, v, o and the gradient, writes three.
        self.backward(Part::Attention, self.work(5 * product, 4 * q + 4 * k, 0, queries * heads));
    }

    /// Passes over memory of `reads` and `writes` values.
    fn elementwise(&mut self, forward: usize, backward: usize) {
        self.forward(Part::Elementwise, self.work(0, forward, 0, 0));
        self.backward(Part::Elementwise, self.work(0, backward, 0, 0));
    }

    /// Forward: twice read, once written. Backward: gradient and input twice, once written, and what passed beside.
    fn group_norm(&mut self, values: usize, beside: bool) {
        self.elementwise(3 * values, (5 + usize::from(beside)) * values);
    }

    fn layer_norm(&mut self, values: usize) {
        self.elementwise(2 * values, 4 * values);
    }

    fn unet(&mut self, architecture: &Architecture) {
        let (dims, batch) = (&architecture.unet, self.batch());
        let heads = |width| dims.heads(architecture.family, width);
        let (mut height, mut width) = (self.step.height, self.step.width);
        self.time(architecture);
        let trained = self.step.text && dims.added.is_some();
        let mut pixels = batch * height * width;
        let first = Map::conv("conv_in", pixels, pixels, 4, dims.model_channels);
        self.map(Map { input_gradient: false, ..first });
        let (mut channels, mut skips) = (dims.model_channels, vec![dims.model_channels]);
        for (level, &level_width) in dims.widths.iter().enumerate() {
            for i in 0..dims.res_blocks {
                self.res_block(pixels, channels, level_width, dims.time(), trained, level + i == 0);
                channels = level_width;
                self.transformer(pixels, channels, heads(channels), dims.context, dims.depths[level]);
                skips.push(channels);
            }
            if level + 1 < dims.widths.len() {
                let before = pixels;
                (height, width) = (height / 2, width / 2);
                pixels = batch * height * width;
                self.map(Map::conv("downsamplers.0.conv", before, pixels, channels, channels));
                skips.push(channels);
            }
        }
        self.res_block(pixels, channels, channels, dims.time(), trained, false);
        self.transformer(pixels, channels, heads(channels), dims.context, dims.middle_depth);
        self.res_block(pixels, channels, channels, dims.time(), trained, false);
        for (level, &level_width) in dims.widths.iter().enumerate().rev() {
            for i in 0..=dims.res_blocks {
                let skip = skips.pop().unwrap_or(0);
                // Joined forward and split backward; there the skip's gradient is added to its state's.
                self.elementwise(2 * pixels * (channels + skip), pixels * (2 * channels + 5 * skip));
                self.res_block(pixels, channels + skip, level_width, dims.time(), trained, false);
                channels = level_width;
                self.transformer(pixels, channels, heads(channels), dims.context, dims.depths[level]);
                if level > 0 && i == dims.res_blocks {
                    (height, width) = (2 * height, 2 * width);
                    let values = pixels * channels;
                    pixels = batch * height * width;
                    self.elementwise(5 * values, 5 * values);
                    self.map(Map::conv("upsamplers.0.conv", pixels, pixels, channels, channels));
                }
            }
        }
        self.group_norm(pixels * channels, false);
        self.map(Map::conv("conv_out", pixels, pixels, channels, 4));
    }

    /// The embedding of timesteps, pooled text and sizes, which only the pooled text's gradient passes.
    fn time(&mut self, architecture: &Architecture) {
        let (dims, batch, text) = (&architecture.unet, self.batch(), self.step.text);
        let mut mlp = |inputs: usize, learnt: bool| {
            for (fan_in, outputs) in [(inputs, dims.time()), (dims.time(), dims.time())] {
                self.map(Map { input_gradient: learnt, ..Map::linear("embedding", batch, fan_in, outputs) });
            }
        };
        mlp(dims.model_channels, false);
        if let Some(added) = dims.added {
            mlp(added, text);
        }
    }

    /// `pixels` counts all samples. `trained`: a gradient flows to the time embedding. `first`: nothing lies before it.
    fn res_block(&mut self, pixels: usize, inputs: usize, outputs: usize, time: usize, trained: bool, first: bool) {
        self.again = true;
        self.map(Map { input_gradient: trained, ..Map::linear("time_emb_proj", self.batch(), time, outputs) });
        if trained || self.targeted("time_emb_proj") {
            self.elementwise(0, pixels * outputs);
        }
        self.group_norm(pixels * inputs, true);
        let conv1 = Map::conv("conv1", pixels, pixels, inputs, outputs);
        self.map(Map { input_gradient: !first, ..conv1 });
        self.group_norm(pixels * outputs, false);
        if inputs != outputs {
            let shortcut = Map::linear("conv_shortcut", pixels, inputs, outputs);
            self.map(Map { input_gradient: !first, convolution: true, ..shortcut });
        }
        self.map(Map { residual: true, ..Map::conv("conv2", pixels, pixels, outputs, outputs) });
        self.again = false;
    }

    fn transformer(&mut self, pixels: usize, width: usize, heads: usize, context: usize, depth: usize) {
        if depth == 0 {
            return;
        }
        self.group_norm(pixels * width, true);
        self.map(Map::linear("proj_in", pixels, width, width));
        self.again = true;
        let (words, per_sample) = (self.words(), pixels / self.batch());
        for _ in 0..depth {
            for (attention, keys, seen, source) in
                [("attn1", pixels, per_sample, width), ("attn2", words, words / self.batch(), context)]
            {
                self.layer_norm(pixels * width);
                self.map(Map::linear(&format!("{attention}.to_q"), pixels, width, width));
                // The text's gradient ends here where no text is learnt.
                let input_gradient = attention == "attn1" || self.step.text;
                for name in ["to_k", "to_v"] {
                    let name = format!("{attention}.{name}");
                    self.map(Map { input_gradient, ..Map::linear(&name, keys, source, width) });
                }
                self.attention(pixels, keys, seen, width, heads);
                let name = format!("{attention}.to_out.0");
                self.map(Map { residual: true, ..Map::linear(&name, pixels, width, width) });
            }
            self.layer_norm(pixels * width);
            self.map(Map::linear("ff.net.0.proj", pixels, width, 8 * width));
            // GEGLU: 8 in, 4 out; backward 8 and 4 in, 8 out.
            self.elementwise(12 * pixels * width, 20 * pixels * width);
            self.map(Map { residual: true, ..Map::linear("ff.net.2", pixels, 4 * width, width) });
        }
        self.again = false;
        self.map(Map { residual: true, ..Map::linear("proj_out", pixels, width, width) });
    }

    fn encoders(&mut self, architecture: &Architecture) {
        let xl = architecture.family == Family::Sdxl;
        self.text = Some(self.step.text);
        // XL's CLIP-L stops before its last block; 1.5's is normed at the end.
        self.clip(&architecture.clip_l, if xl { 1 } else { 0 });
        if !xl {
            self.layer_norm(self.words() * architecture.clip_l.hidden);
        }
        if let Some(g) = &architecture.clip_g {
            self.clip(g, 0);
            let projection = g.projection.unwrap_or(g.hidden);
            self.map(Map::linear("text_projection", self.batch() * self.step.chunks, g.hidden, projection));
        }
        self.text = None;
    }

    fn clip(&mut self, dims: &ClipDims, left_out: usize) {
        let (words, width) = (self.words(), dims.hidden);
        self.elementwise(2 * words * width, words * width);
        self.again = true;
        for _ in 0..dims.layers - left_out {
            self.layer_norm(words * width);
            for name in ["q_proj", "k_proj", "v_proj"] {
                self.map(Map::linear(&format!("self_attn.{name}"), words, width, width));
            }
            self.attention(words, words, LENGTH, width, dims.heads());
            self.map(Map { residual: true, ..Map::linear("self_attn.out_proj", words, width, width) });
            self.layer_norm(words * width);
            self.map(Map::linear("mlp.fc1", words, width, dims.mlp));
            self.elementwise(2 * words * dims.mlp, 3 * words * dims.mlp);
            self.map(Map { residual: true, ..Map::linear("mlp.fc2", words, dims.mlp, width) });
        }
        self.again = false;
    }

    /// AdamW reads four tensors and writes three; the gradients are cleared, and the penalty reads values and gradients and
    /// writes gradients, and reads the values once more for its sum.
    fn optimizer(&mut self, architecture: &Architecture) {
        let values = trainable_values(architecture, &self.step.targets, self.step.rank);
        self.backward(Part::Optimizer, self.work(0, 0, 0, (7 + 1 + 3 + 1) * values));
    }
}
