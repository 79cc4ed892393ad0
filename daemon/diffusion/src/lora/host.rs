//! Keys of LoRA files that others wrote, brought to the style that every host loads, and checked against the model.

use crate::{
    Error, Family, Result,
    checkpoint::{Architecture, tensors},
};
use candle_core::Tensor;
use std::collections::BTreeMap;

/// Names of adapters (`lora_unet_...`) with the dimensions of the weights that they adapt.
type Sites = BTreeMap<String, Vec<usize>>;

/// Brings the keys of a LoRA for a published model to the style that every host loads: kohya's, with the checkpoint's own
/// paths for XL and diffusers' paths for 1.5. Reads that style, diffusers' paths with underscores, and PEFT's dotted keys.
///
/// # Errors
/// If a key fits no layer or a shape is wrong; the message names the key.
pub fn to_host(lora: BTreeMap<String, Tensor>, family: Family) -> Result<BTreeMap<String, Tensor>> {
    let sites = sites(&Architecture::published(family));
    let mut out = BTreeMap::new();
    for (key, tensor) in lora {
        let unknown = || Error::Invalid(format!("`{key}` fits no layer of {}", family.name()));
        let (name, part) = split(&key).ok_or_else(unknown)?;
        let (model, path) = model_and_path(&name).ok_or_else(unknown)?;
        if model != "unet" {
            // Text encoders have one naming everywhere.
            out.insert(format!("lora_{model}_{path}.{part}"), tensor);
            continue;
        }
        let original = to_original(&path).into_iter().chain([path.clone()]).find(|path| sites.contains_key(path));
        let original = original.ok_or_else(unknown)?;
        check(&key, part, &tensor, &sites[&original])?;
        // A path in diffusers' layout stays for 1.5.
        let path = if family == Family::Sd15 && original != path { path } else { original };
        out.insert(format!("lora_unet_{path}.{part}"), tensor);
    }
    Ok(out)
}

/// Every weight of the UNet that an adapter may sit on, by its path with underscores.
fn sites(architecture: &Architecture) -> Sites {
    let path = |key: &str| Some(key.strip_prefix("model.diffusion_model.")?.strip_suffix(".weight")?.replace('.', "_"));
    let weights = tensors(architecture).into_iter().filter(|(_, shape)| shape.len() > 1);
    weights.filter_map(|(key, shape)| Some((path(&key)?, shape))).collect()
}

/// A key as the adapter's name and the part of it, as kohya calls parts.
fn split(key: &str) -> Option<(String, &'static str)> {
    const PARTS: [(&str, &str); 9] = [
        (".lora_down.weight", "lora_down.weight"),
        (".lora_up.weight", "lora_up.weight"),
        (".alpha", "alpha"),
        (".lora_A.weight", "lora_down.weight"),
        (".lora_B.weight", "lora_up.weight"),
        (".lora.down.weight", "lora_down.weight"),
        (".lora.up.weight", "lora_up.weight"),
        (".lora_linear_layer.down.weight", "lora_down.weight"),
        (".lora_linear_layer.up.weight", "lora_up.weight"),
    ];
    PARTS.iter().find_map(|(suffix, part)| Some((key.strip_suffix(suffix)?.to_owned(), *part)))
}

/// The model (`unet`, `te`, `te1`, `te2`) and the path with underscores of an adapter's name.
fn model_and_path(name: &str) -> Option<(&'static str, String)> {
    const MODELS: [(&str, &str); 8] = [
        ("lora_unet_", "unet"),
        ("lora_te1_", "te1"),
        ("lora_te2_", "te2"),
        ("lora_te_", "te"),
        ("base_model.model.unet.", "unet"),
        ("unet.", "unet"),
        ("text_encoder_2.", "te2"),
        ("text_encoder.", "te1"),
    ];
    MODELS.iter().find_map(|(prefix, model)| {
        let path = name.strip_prefix(prefix)?.replace(".processor", "").replace('.', "_");
        Some((*model, path.replace("_to_out_lora", "_to_out_0")))
    })
}

/// The checkpoint's paths that a path in diffusers' layout may stand for. Blocks of a level are numbered on, three a
/// level; an upsampler stands behind the attention where there is one.
fn to_original(path: &str) -> Vec<String> {
    let number = |text: &str| text.parse::<usize>().ok();
    let two = |rest: &str, kind: &str| -> Option<(usize, usize, String)> {
        let (level, rest) = rest.split_once('_')?;
        let rest = rest.strip_prefix(kind)?.strip_prefix('_')?;
        let (place, rest) = rest.split_once('_')?;
        Some((number(level)?, number(place)?, rest.to_owned()))
    };
    let inner = |rest: &str| match rest {
        "conv1" => "in_layers_2".to_owned(),
        "conv2" => "out_layers_3".to_owned(),
        "time_emb_proj" => "emb_layers_1".to_owned(),
        "conv_shortcut" => "skip_connection".to_owned(),
        other => other.to_owned(),
    };
    let outer = match path {
        "conv_in" => Some("input_blocks_0_0"),
        "conv_out" => Some("out_2"),
        "time_embedding_linear_1" => Some("time_embed_0"),
        "time_embedding_linear_2" => Some("time_embed_2"),
        "add_embedding_linear_1" => Some("label_emb_0_0"),
        "add_embedding_linear_2" => Some("label_emb_0_2"),
        _ => None,
    };
    if let Some(outer) = outer {
        return vec![outer.to_owned()];
    }
    if let Some(rest) = path.strip_prefix("down_blocks_") {
        if let Some((level, place, rest)) = two(rest, "attentions") {
            return vec![format!("input_blocks_{}_1_{rest}", 1 + 3 * level + place)];
        }
        if let Some((level, place, rest)) = two(rest, "resnets") {
            return vec![format!("input_blocks_{}_0_{}", 1 + 3 * level + place, inner(&rest))];
        }
        if let Some((level, _, _)) = two(rest, "downsamplers") {
            return vec![format!("input_blocks_{}_0_op", 3 * (level + 1))];
        }
    }
    if let Some(rest) = path.strip_prefix("mid_block_") {
        if let Some(rest) = rest.strip_prefix("attentions_0_") {
            return vec![format!("middle_block_1_{rest}")];
        }
        if let Some((place, rest)) = rest.strip_prefix("resnets_").and_then(|rest| rest.split_once('_')) {
            return number(place)
                .map(|place| format!("middle_block_{}_{}", 2 * place, inner(rest)))
                .into_iter()
                .collect();
        }
    }
    if let Some(rest) = path.strip_prefix("up_blocks_") {
        if let Some((level, place, rest)) = two(rest, "attentions") {
            return vec![format!("output_blocks_{}_1_{rest}", 3 * level + place)];
        }
        if let Some((level, place, rest)) = two(rest, "resnets") {
            return vec![format!("output_blocks_{}_0_{}", 3 * level + place, inner(&rest))];
        }
        if let Some((level, _, _)) = two(rest, "upsamplers") {
            return [2, 1].map(|place| format!("output_blocks_{}_{place}_conv", 3 * level + 2)).into();
        }
    }
    Vec::new()
}

/// Fails unless a part fits the weight that it adapts.
fn check(key: &str, part: &str, tensor: &Tensor, weight: &[usize]) -> Result<()> {
    let shape = tensor.dims();
    let fits = match part {
        "lora_down.weight" => {
            shape.get(1) == weight.get(1)
                && shape.get(2..).is_none_or(|kernel| kernel.is_empty() || kernel == &weight[2..] || weight.len() == 2)
        }
        "lora_up.weight" => shape.first() == weight.first(),
        _ => tensor.elem_count() == 1,
    };
    if fits {
        return Ok(());
    }
    Err(Error::Invalid(format!("`{key}` has the shape {shape:?}, which does not fit a weight of {weight:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lora::LayerPath;
    use candle_core::{DType, Device};

    fn zeros(shape: &[usize]) -> Tensor {
        Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros")
    }

    #[test]
    fn every_style_becomes_the_one_that_hosts_load() {
        for (given, path, weight) in [
            ("lora_unet_down_blocks_1_attentions_0_proj_in", "input_blocks_4_1_proj_in", [640, 640]),
            (
                "unet.up_blocks.0.attentions.2.transformer_blocks.9.attn2.to_v",
                "output_blocks_2_1_transformer_blocks_9_attn2_to_v",
                [1280, 2048],
            ),
            ("lora_unet_mid_block_resnets_1_time_emb_proj", "middle_block_2_emb_layers_1", [1280, 1280]),
            ("lora_unet_output_blocks_5_1_proj_out", "output_blocks_5_1_proj_out", [640, 640]),
        ] {
            let (down, up) = match given.starts_with("unet.") {
                true => ("lora_A", "lora_B"),
                false => ("lora_down", "lora_up"),
            };
            let lora = BTreeMap::from([
                (format!("{given}.{down}.weight"), zeros(&[4, weight[1]])),
                (format!("{given}.{up}.weight"), zeros(&[weight[0], 4])),
            ]);
            let keys: Vec<String> = to_host(lora, Family::Sdxl).expect(given).into_keys().collect();
            let wanted = ["down", "up"].map(|part| format!("lora_unet_{path}.lora_{part}.weight"));
            assert_eq!(keys, wanted);
        }
        let conv = "lora_unet_up_blocks_1_upsamplers_0_conv.lora_down.weight".to_owned();
        let lora = BTreeMap::from([(conv, zeros(&[4, 640, 3, 3]))]);
        let keys: Vec<String> = to_host(lora, Family::Sdxl).expect("an upsampler").into_keys().collect();
        assert_eq!(keys, ["lora_unet_output_blocks_5_2_conv.lora_down.weight"]);
        let older = "lora_unet_up_blocks_0_upsamplers_0_conv.lora_down.weight".to_owned();
        let lora = BTreeMap::from([(older.clone(), zeros(&[4, 1280, 3, 3]))]);
        assert!(to_host(lora, Family::Sd15).expect("stays").contains_key(&older));
    }

    #[test]
    fn keys_and_shapes_that_fit_nothing_are_named() {
        let refused = |key: &str, shape: &[usize]| {
            let lora = BTreeMap::from([(key.to_owned(), zeros(shape))]);
            to_host(lora, Family::Sdxl).expect_err("refused").to_string()
        };
        assert!(
            refused("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", &[4, 320])
                .contains("fits no layer")
        );
        assert!(refused("lora_unet_input_blocks_4_1_proj_in.lora_down.weight", &[4, 320]).contains("does not fit"));
        assert!(refused("bundle_emb.x", &[1]).contains("fits no layer"));
    }

    #[test]
    fn our_own_names_map_onto_each_other() {
        let sites = sites(&Architecture::published(Family::Sdxl));
        // As the UNet names its layers, block by block.
        for (original, diffusers) in [
            ("input_blocks.0.0", "conv_in"),
            ("input_blocks.3.0.op", "down_blocks.0.downsamplers.0.conv"),
            ("input_blocks.8.1.proj_out", "down_blocks.2.attentions.1.proj_out"),
            ("input_blocks.4.0.skip_connection", "down_blocks.1.resnets.0.conv_shortcut"),
            ("middle_block.0.in_layers.2", "mid_block.resnets.0.conv1"),
            ("output_blocks.8.0.out_layers.3", "up_blocks.2.resnets.2.conv2"),
            ("output_blocks.2.2.conv", "up_blocks.0.upsamplers.0.conv"),
        ] {
            let path = LayerPath::unet(original, diffusers);
            let original = path.original.replace('.', "_");
            assert!(sites.contains_key(&original), "{original}");
            assert!(to_original(&path.diffusers.replace('.', "_")).contains(&original), "{diffusers}");
        }
    }
}
