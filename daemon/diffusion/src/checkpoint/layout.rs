//! The names and shapes of all tensors of a checkpoint, from its sizes: the published single-file (ldm, sgm) layout.

use super::{Architecture, ClipDims, Family, Source, UnetDims, VAE_PREFIX, VaeDims};
use crate::{
    Error, Result,
    tokenizer::{LENGTH, VOCABULARY},
};

/// Where the parts of a checkpoint lie.
pub(crate) fn clip_l_prefix(family: Family) -> &'static str {
    match family {
        Family::Sd15 => "cond_stage_model.transformer.text_model",
        Family::Sdxl => "conditioner.embedders.0.transformer.text_model",
    }
}

pub(crate) const CLIP_G_PREFIX: &str = "conditioner.embedders.1.model";
pub(crate) const UNET_PREFIX: &str = "model.diffusion_model";

/// Every tensor that a model of `architecture` needs, with its shape, in the order of the network.
pub fn tensors(architecture: &Architecture) -> Vec<(String, Vec<usize>)> {
    let mut list = List(Vec::new());
    unet(&mut list, &architecture.unet);
    vae(&mut list, VAE_PREFIX, &architecture.vae);
    clip_l(&mut list, clip_l_prefix(architecture.family), &architecture.clip_l);
    if let Some(dims) = &architecture.clip_g {
        clip_g(&mut list, CLIP_G_PREFIX, dims);
    }
    list.0
}

/// Fails unless `source` has every tensor of `architecture` in its shape and in a type that can be computed with.
pub(super) fn check(source: &dyn Source, architecture: &Architecture) -> Result<()> {
    compare(source, &tensors(architecture), architecture.family.name())
}

/// Fails unless `source` has every tensor of a VAE below `prefix`.
pub(super) fn check_vae(source: &dyn Source, prefix: &str, dims: &VaeDims) -> Result<()> {
    let mut list = List(Vec::new());
    vae(&mut list, prefix, dims);
    compare(source, &list.0, "a VAE")
}

fn compare(source: &dyn Source, wanted: &[(String, Vec<usize>)], model: &'static str) -> Result<()> {
    let missing: Vec<&String> = wanted.iter().map(|(key, _)| key).filter(|key| source.info(key).is_none()).collect();
    if let Some(example) = missing.first() {
        let (path, example) = (source.path().to_owned(), (*example).clone());
        return Err(Error::Missing { path, count: missing.len(), model, example });
    }
    for (key, shape) in wanted {
        let Some(info) = source.info(key) else { continue };
        // Published VAEs store the attention's projections as [C, C, 1, 1] or as [C, C].
        let trimmed = |shape: &[usize]| shape.strip_suffix(&[1, 1]).unwrap_or(shape).to_vec();
        if trimmed(&info.shape) != trimmed(shape) {
            let path = source.path().to_owned();
            return Err(Error::Shape { path, key: key.clone(), found: info.shape.clone(), expected: shape.clone() });
        }
        // Known here, before anything is done with the file, and not when the first such tensor is read.
        if info.float().is_none() {
            let what =
                format!("tensor `{key}` is stored as {:?}; get the model's fp16, bf16 or fp32 version", info.dtype);
            return Err(Error::Refused { path: source.path().to_owned(), what });
        }
    }
    Ok(())
}

struct List(Vec<(String, Vec<usize>)>);

impl List {
    fn add(&mut self, key: String, shape: &[usize]) {
        self.0.push((key, shape.to_vec()));
    }

    fn norm(&mut self, at: &str, channels: usize) {
        self.add(format!("{at}.weight"), &[channels]);
        self.add(format!("{at}.bias"), &[channels]);
    }

    fn linear(&mut self, at: &str, inputs: usize, outputs: usize) {
        self.add(format!("{at}.weight"), &[outputs, inputs]);
        self.add(format!("{at}.bias"), &[outputs]);
    }

    fn conv(&mut self, at: &str, inputs: usize, outputs: usize, kernel: usize) {
        self.add(format!("{at}.weight"), &[outputs, inputs, kernel, kernel]);
        self.add(format!("{at}.bias"), &[outputs]);
    }
}

fn unet(list: &mut List, dims: &UnetDims) {
    let (p, time) = (UNET_PREFIX, dims.time());
    list.linear(&format!("{p}.time_embed.0"), dims.model_channels, time);
    list.linear(&format!("{p}.time_embed.2"), time, time);
    if let Some(added) = dims.added {
        list.linear(&format!("{p}.label_emb.0.0"), added, time);
        list.linear(&format!("{p}.label_emb.0.2"), time, time);
    }
    list.conv(&format!("{p}.input_blocks.0.0"), VaeDims::LATENT, dims.model_channels, 3);
    let (mut skips, mut channels, mut n) = (vec![dims.model_channels], dims.model_channels, 1);
    for (level, &width) in dims.widths.iter().enumerate() {
        for _ in 0..dims.res_blocks {
            res_block(list, &format!("{p}.input_blocks.{n}.0"), channels, width, time);
            transformer(list, &format!("{p}.input_blocks.{n}.1"), dims, width, dims.depths[level]);
            channels = width;
            skips.push(channels);
            n += 1;
        }
        if level + 1 < dims.widths.len() {
            list.conv(&format!("{p}.input_blocks.{n}.0.op"), channels, channels, 3);
            skips.push(channels);
            n += 1;
        }
    }
    res_block(list, &format!("{p}.middle_block.0"), channels, channels, time);
    transformer(list, &format!("{p}.middle_block.1"), dims, channels, dims.middle_depth);
    res_block(list, &format!("{p}.middle_block.2"), channels, channels, time);
    n = 0;
    for (level, &width) in dims.widths.iter().enumerate().rev() {
        for i in 0..=dims.res_blocks {
            let skip = skips.pop().unwrap_or(0);
            res_block(list, &format!("{p}.output_blocks.{n}.0"), channels + skip, width, time);
            transformer(list, &format!("{p}.output_blocks.{n}.1"), dims, width, dims.depths[level]);
            channels = width;
            if level > 0 && i == dims.res_blocks {
                let place = if dims.depths[level] > 0 { 2 } else { 1 };
                list.conv(&format!("{p}.output_blocks.{n}.{place}.conv"), channels, channels, 3);
            }
            n += 1;
        }
    }
    list.norm(&format!("{p}.out.0"), channels);
    list.conv(&format!("{p}.out.2"), channels, VaeDims::LATENT, 3);
}

fn res_block(list: &mut List, at: &str, inputs: usize, outputs: usize, time: usize) {
    list.norm(&format!("{at}.in_layers.0"), inputs);
    list.conv(&format!("{at}.in_layers.2"), inputs, outputs, 3);
    list.linear(&format!("{at}.emb_layers.1"), time, outputs);
    list.norm(&format!("{at}.out_layers.0"), outputs);
    list.conv(&format!("{at}.out_layers.3"), outputs, outputs, 3);
    if inputs != outputs {
        list.conv(&format!("{at}.skip_connection"), inputs, outputs, 1);
    }
}

fn transformer(list: &mut List, at: &str, dims: &UnetDims, width: usize, depth: usize) {
    if depth == 0 {
        return;
    }
    let project = |list: &mut List, name: &str| {
        let at = format!("{at}.{name}");
        if dims.linear_projections { list.linear(&at, width, width) } else { list.conv(&at, width, width, 1) }
    };
    list.norm(&format!("{at}.norm"), width);
    project(list, "proj_in");
    for i in 0..depth {
        let at = format!("{at}.transformer_blocks.{i}");
        for (attention, keys) in [("attn1", width), ("attn2", dims.context)] {
            list.add(format!("{at}.{attention}.to_q.weight"), &[width, width]);
            list.add(format!("{at}.{attention}.to_k.weight"), &[width, keys]);
            list.add(format!("{at}.{attention}.to_v.weight"), &[width, keys]);
            list.linear(&format!("{at}.{attention}.to_out.0"), width, width);
        }
        list.linear(&format!("{at}.ff.net.0.proj"), width, 8 * width);
        list.linear(&format!("{at}.ff.net.2"), 4 * width, width);
        for norm in ["norm1", "norm2", "norm3"] {
            list.norm(&format!("{at}.{norm}"), width);
        }
    }
    project(list, "proj_out");
}

fn vae(list: &mut List, prefix: &str, dims: &VaeDims) {
    let (first, last) = (dims.widths[0], dims.widths[dims.widths.len() - 1]);
    let e = format!("{prefix}encoder");
    list.conv(&format!("{e}.conv_in"), 3, first, 3);
    let mut channels = first;
    for (level, &width) in dims.widths.iter().enumerate() {
        for i in 0..dims.res_blocks {
            vae_block(list, &format!("{e}.down.{level}.block.{i}"), channels, width);
            channels = width;
        }
        if level + 1 < dims.widths.len() {
            list.conv(&format!("{e}.down.{level}.downsample.conv"), channels, channels, 3);
        }
    }
    vae_middle(list, &e, channels);
    list.norm(&format!("{e}.norm_out"), channels);
    list.conv(&format!("{e}.conv_out"), channels, 2 * VaeDims::LATENT, 3);

    let d = format!("{prefix}decoder");
    list.conv(&format!("{d}.conv_in"), VaeDims::LATENT, last, 3);
    vae_middle(list, &d, last);
    channels = last;
    for (level, &width) in dims.widths.iter().enumerate().rev() {
        for i in 0..=dims.res_blocks {
            vae_block(list, &format!("{d}.up.{level}.block.{i}"), channels, width);
            channels = width;
        }
        if level > 0 {
            list.conv(&format!("{d}.up.{level}.upsample.conv"), channels, channels, 3);
        }
    }
    list.norm(&format!("{d}.norm_out"), channels);
    list.conv(&format!("{d}.conv_out"), channels, 3, 3);
    list.conv(&format!("{prefix}quant_conv"), 2 * VaeDims::LATENT, 2 * VaeDims::LATENT, 1);
    list.conv(&format!("{prefix}post_quant_conv"), VaeDims::LATENT, VaeDims::LATENT, 1);
}

fn vae_block(list: &mut List, at: &str, inputs: usize, outputs: usize) {
    list.norm(&format!("{at}.norm1"), inputs);
    list.conv(&format!("{at}.conv1"), inputs, outputs, 3);
    list.norm(&format!("{at}.norm2"), outputs);
    list.conv(&format!("{at}.conv2"), outputs, outputs, 3);
    if inputs != outputs {
        list.conv(&format!("{at}.nin_shortcut"), inputs, outputs, 1);
    }
}

fn vae_middle(list: &mut List, at: &str, channels: usize) {
    vae_block(list, &format!("{at}.mid.block_1"), channels, channels);
    list.norm(&format!("{at}.mid.attn_1.norm"), channels);
    for name in ["q", "k", "v", "proj_out"] {
        list.conv(&format!("{at}.mid.attn_1.{name}"), channels, channels, 1);
    }
    vae_block(list, &format!("{at}.mid.block_2"), channels, channels);
}

fn clip_l(list: &mut List, p: &str, dims: &ClipDims) {
    let h = dims.hidden;
    list.add(format!("{p}.embeddings.token_embedding.weight"), &[VOCABULARY, h]);
    list.add(format!("{p}.embeddings.position_embedding.weight"), &[LENGTH, h]);
    for i in 0..dims.layers {
        let at = format!("{p}.encoder.layers.{i}");
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            list.linear(&format!("{at}.self_attn.{name}"), h, h);
        }
        list.norm(&format!("{at}.layer_norm1"), h);
        list.linear(&format!("{at}.mlp.fc1"), h, dims.mlp);
        list.linear(&format!("{at}.mlp.fc2"), dims.mlp, h);
        list.norm(&format!("{at}.layer_norm2"), h);
    }
    list.norm(&format!("{p}.final_layer_norm"), h);
}

fn clip_g(list: &mut List, p: &str, dims: &ClipDims) {
    let h = dims.hidden;
    list.add(format!("{p}.token_embedding.weight"), &[VOCABULARY, h]);
    list.add(format!("{p}.positional_embedding"), &[LENGTH, h]);
    list.add(format!("{p}.text_projection"), &[h, dims.projection.unwrap_or(h)]);
    for i in 0..dims.layers {
        let at = format!("{p}.transformer.resblocks.{i}");
        list.add(format!("{at}.attn.in_proj_weight"), &[3 * h, h]);
        list.add(format!("{at}.attn.in_proj_bias"), &[3 * h]);
        list.linear(&format!("{at}.attn.out_proj"), h, h);
        list.norm(&format!("{at}.ln_1"), h);
        list.linear(&format!("{at}.mlp.c_fc"), h, dims.mlp);
        list.linear(&format!("{at}.mlp.c_proj"), dims.mlp, h);
        list.norm(&format!("{at}.ln_2"), h);
    }
    list.norm(&format!("{p}.ln_final"), h);
}
