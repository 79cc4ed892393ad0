//! Pictures of a concept while it is being learnt, always from the same seeds.

use super::Setup;
use crate::{
    Result,
    brush::{self, Brush, PictureRequest},
    canvas::label_grid,
    outcome::write_png,
    prompts::Prompts,
};
use diffusion::{Conditioning, Vae, clip::TextBatch, schedule::NoiseSchedule, tokenizer::TokenIds};
use protocol::Part;
use trainer::Trainer;

/// Every prompt that sample pictures are drawn from.
pub(super) fn asked(setup: &Setup, prompts: &Prompts) -> Result<Vec<TokenIds>> {
    let plan = &setup.plan;
    let shown = plan.sample_prompts.iter().map(|prompt| prompts.encode(&plan.family.preview(prompt)));
    std::iter::once(prompts.encode(brush::negative(plan))).chain(shown).collect()
}

/// Draws every sample prompt with the model as it stands, and returns the name of the file in the run's folder.
pub(super) fn draw(
    setup: &Setup,
    trainer: &Trainer,
    prompts: &Prompts,
    step: u64,
    mut stop: impl FnMut() -> bool,
) -> Result<String> {
    let (plan, model) = (&setup.plan, trainer.model());
    // Loaded for these pictures only: training needs the room.
    let vae = setup.watch.time(Part::Model, || Vae::load(&setup.base.checkpoint, &setup.device))?;
    let schedule = NoiseSchedule::new(setup.base.checkpoint.architecture().prediction);
    let brush = Brush { model, vae: &vae, schedule: &schedule };
    let encode =
        |prompt: &str| -> Result<Conditioning> { Ok(trainer.encode(&TextBatch::new(&[prompts.encode(prompt)?]))?) };
    let negative = encode(brush::negative(plan))?;
    let mut row = Vec::new();
    for (column, prompt) in plan.sample_prompts.iter().enumerate() {
        row.extend(brush.draw(
            &PictureRequest::sample(plan, column),
            &encode(&plan.family.preview(prompt))?,
            &negative,
            &mut stop,
        )?);
    }
    let columns: Vec<String> = plan.sample_prompts.iter().map(|p| p.replace("<concept>", &plan.name)).collect();
    let file = format!("sample-{step:06}.png");
    write_png(&setup.folder.path().join(&file), &label_grid(&[(format!("step {step}"), row)], &columns))?;
    Ok(file)
}
