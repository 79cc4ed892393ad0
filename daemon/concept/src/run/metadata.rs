//! What a concept's files say about themselves. Nothing of the machine, the user or the hour: equal runs, equal bytes.

use super::Setup;
use crate::Result;
use diffusion::{Family, checkpoint::Prediction};
use serde_json::json;
use std::collections::BTreeMap;

pub(super) fn of(setup: &Setup, step: u64) -> Result<BTreeMap<String, String>> {
    let (plan, base) = (&setup.plan, setup.base.checkpoint.architecture());
    let recipe = &plan.recipe;
    let xl = base.family == Family::Sdxl;
    let trigger = if recipe.tokens == 0 { plan.name.clone() } else { format!("{}_embeddings", setup.stem) };
    let velocity = matches!(base.prediction, Prediction::Velocity { .. });
    let made_with = json!({
        "name": plan.name,
        "mode": plan.mode,
        "asked": plan.asked,
        "plan": plan.reasons(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let captions: Vec<&str> = setup.latents.examples.iter().map(|example| example.prompt.as_str()).collect();
    let entries = [
        ("modelspec.sai_model_spec", "1.0.0".into()),
        (
            "modelspec.architecture",
            if xl { "stable-diffusion-xl-v1-base/lora" } else { "stable-diffusion-v1/lora" }.into(),
        ),
        ("modelspec.implementation", "sgm".into()),
        ("modelspec.title", plan.name.clone()),
        ("modelspec.trigger_phrase", trigger.clone()),
        (
            "modelspec.usage_hint",
            match recipe.tokens {
                0 => format!("call it `{}`", plan.name),
                _ => format!("use together with {}_embeddings.safetensors", setup.stem),
            },
        ),
        ("modelspec.resolution", format!("{0}x{0}", plan.resolution)),
        ("modelspec.prediction_type", if velocity { "v" } else { "epsilon" }.into()),
        ("ss_base_model_version", if xl { "sdxl_base_v1-0" } else { "sd_v1" }.into()),
        ("ss_network_module", "networks.lora".into()),
        ("ss_network_dim", recipe.rank.to_string()),
        ("ss_network_alpha", recipe.alpha.to_string()),
        ("ss_steps", step.to_string()),
        ("ss_max_train_steps", recipe.steps.to_string()),
        ("ss_seed", recipe.seed.to_string()),
        ("ss_resolution", format!("({0}, {0})", plan.resolution)),
        ("conceptd.name", plan.name.clone()),
        ("conceptd.mode", plan.mode.name().into()),
        ("conceptd.step", step.to_string()),
        ("conceptd.trigger", trigger),
        ("conceptd.base_sha256", setup.base.digest()?.to_owned()),
        ("conceptd.data_sha256", crate::hex(&setup.data_digest)),
        ("conceptd.base_nonstandard", (!base.is_standard()).to_string()),
        ("conceptd.made_with", made_with.to_string()),
        ("conceptd.captions", json!(captions).to_string()),
        ("conceptd.findings", json!(setup.findings).to_string()),
    ];
    let mut metadata: BTreeMap<String, String> = entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    if let Some(kind) = setup.means.quantized {
        metadata.insert("conceptd.base_bits".into(), kind.bits().to_string());
    }
    if let Some(vae) = setup.base.vae_digest()? {
        metadata.insert("conceptd.vae_sha256".into(), vae.to_owned());
    }
    Ok(metadata)
}
