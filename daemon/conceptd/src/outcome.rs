//! What a training leaves for people: report, plot, preview, prompts.

use crate::{Failure, interrupt};
use concept::{Applied, Base, Bundle, Finished, Painter, PictureRequest, Plan};
use serde_json::json;
use std::{fs, path::Path};

/// Steps of the preview pictures.
const PREVIEW_STEPS: usize = 24;

/// `NAME.json` and the loss plot.
pub fn write_report(out: &Path, plan: &Plan, stem: &str, finished: &Finished) -> anyhow::Result<()> {
    let prompt = &plan.sample_prompts[0];
    let (comfy, a1111) = host_prompts(&finished.bundle, prompt);
    let report = json!({
        "name": plan.name, "mode": plan.mode, "step": finished.step, "verdict": finished.verdict,
        "plan": plan.reasons(), "losses": finished.losses, "held_out": finished.held_out,
        "prompts": { "comfyui": comfy, "a1111": a1111, "conceptd": prompt.replace("<concept>", &plan.name) },
    });
    fs::write(out.join(format!("{stem}.json")), serde_json::to_string_pretty(&report)?)?;
    let plot = concept::loss_plot(&plan.name, &finished.losses, &finished.held_out);
    plot.save(out.join(format!("{stem}-loss.png")))?;
    Ok(())
}

/// Base beside concept on fixed seeds.
pub fn preview(out: &Path, base: &Base, plan: &Plan, bundle: &Bundle) -> Result<(), Failure> {
    let mut painter = Painter::load(base)?;
    let draw = |painter: &Painter| -> Result<Vec<image::RgbImage>, Failure> {
        let mut row = Vec::new();
        for (column, prompt) in plan.sample_prompts.iter().enumerate() {
            let request = PictureRequest {
                prompt: prompt.clone(),
                negative: String::new(),
                width: plan.resolution,
                height: plan.resolution,
                steps: PREVIEW_STEPS,
                cfg: 5.0,
                seed: plan.recipe.seed + column as u64,
                count: 1,
                init: None,
            };
            row.extend(painter.draw(&request, interrupt::asked)?);
        }
        Ok(row)
    };
    let before = draw(&painter)?;
    painter.apply(&[Applied { bundle, strength: 1.0 }])?;
    let rows = [("base".to_owned(), before), (plan.name.clone(), draw(&painter)?)];
    let columns: Vec<String> = plan.sample_prompts.iter().map(|p| p.replace("<concept>", &plan.name)).collect();
    concept::label_grid(&rows, &columns).save(out.join(format!("{}.png", bundle.stem)))?;
    Ok(())
}

/// The same prompt as ComfyUI and as A1111 want it.
pub fn host_prompts(bundle: &Bundle, prompt: &str) -> (String, String) {
    let stem = &bundle.stem;
    let (comfy, a1111) = match bundle.tokens() {
        0 => (bundle.name().to_owned(), bundle.name().to_owned()),
        _ => (format!("embedding:{stem}_embeddings "), format!("{stem}_embeddings")),
    };
    let comfy = prompt.replace("<concept>", &comfy).trim().to_owned();
    (
        format!("{comfy}   (with {stem}_lora in a LoRA loader)"),
        format!("{} <lora:{stem}_lora:1>", prompt.replace("<concept>", &a1111)),
    )
}
