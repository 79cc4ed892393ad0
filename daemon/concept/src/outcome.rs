//! What a training leaves for people: report, plot, preview, prompts.

use crate::{
    Applied, Base, Bundle, Called, Finished, Painter, Plan, Result, Stopwatch,
    brush::PictureRequest,
    canvas::{label_grid, loss_plot},
    error::at,
    expand::expand,
    files::write_whole,
};
use diffusion::layer::Precision;
use image::{ImageFormat, RgbImage};
use protocol::{HostPrompts, Mode, Part, PromptTarget, Scores};
use serde_json::json;
use std::{io::Cursor, path::Path};

/// `STEM.json` and the loss plot.
pub(crate) fn write_report(out: &Path, plan: &Plan, finished: &Finished, scores: Option<&Scores>) -> Result<()> {
    let (prompt, stem) = (&plan.sample_prompts[0], &finished.bundle.stem);
    let hosts = host_prompts(&finished.bundle, prompt);
    let report = json!({
        "name": plan.name, "mode": plan.mode, "step": finished.step, "verdict": finished.verdict,
        "plan": plan.reasons(), "losses": finished.losses, "held_out": finished.held_out, "scores": scores,
        "prompts": {
            "comfyui": hosts.comfyui, "a1111": hosts.a1111, "conceptd": prompt.replace("<concept>", &plan.name),
        },
    });
    let path = out.join(format!("{stem}.json"));
    write_whole(&path, &serde_json::to_vec_pretty(&report).map_err(std::io::Error::other).map_err(at(&path))?)?;
    let plot = loss_plot(&plan.name, &finished.losses, &finished.held_out);
    write_png(&out.join(format!("{stem}-loss.png")), &plot)
}

/// `STEM.png`: base beside concept on fixed seeds.
pub(crate) fn preview(
    out: &Path,
    base: &Base,
    precision: &Precision,
    plan: &Plan,
    bundle: &Bundle,
    watch: &Stopwatch,
    mut stop: impl FnMut() -> bool,
) -> Result<()> {
    let mut painter = watch.time(Part::Model, || Painter::load(&base.checkpoint, precision))?;
    let mut draw = |painter: &Painter| -> Result<Vec<RgbImage>> {
        let mut row = Vec::new();
        for place in 0..plan.sample_prompts.len() {
            row.extend(painter.draw(&PictureRequest::sample(plan, place), &mut stop)?);
        }
        Ok(row)
    };
    let before = draw(&painter)?;
    painter.apply(&[Applied { bundle, strength: 1.0 }])?;
    let rows = [("base".to_owned(), before), (plan.name.clone(), draw(&painter)?)];
    let columns: Vec<String> = plan.sample_prompts.iter().map(|p| p.replace("<concept>", &plan.name)).collect();
    write_png(&out.join(format!("{}.png", bundle.stem)), &label_grid(&rows, &columns))
}

/// Writes a picture, whole or not at all.
///
/// # Errors
/// If the disk refuses.
pub fn write_png(path: &Path, picture: &RgbImage) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(std::io::Error::other).map_err(at(path))?;
    write_whole(path, bytes.get_ref())
}

/// The same prompt as ComfyUI and as A1111 want it.
pub fn host_prompts(bundle: &Bundle, prompt: &str) -> HostPrompts {
    let called = [Called {
        id: bundle.stem.clone(),
        name: bundle.name().to_owned(),
        stem: bundle.stem.clone(),
        mode: bundle.mode().unwrap_or(Mode::Object),
        tokens: bundle.tokens(),
        strength: 1.0,
        bare_name: true,
    }];
    HostPrompts {
        comfyui: expand(prompt, PromptTarget::Comfyui, &called, true).text,
        a1111: expand(prompt, PromptTarget::A1111, &called, true).text,
    }
}
