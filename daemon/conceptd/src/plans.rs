//! `conceptd plans`: what a training would take of memory, level by level, and which level cards of a size end at.

use crate::{
    Failure,
    client::print_json,
    table::{size, table},
};
use clap::{Args, ValueEnum};
use concept::{Ladder, Plan, Rung, open_checkpoint, room_on_card};
use diffusion::{Architecture, Family};
use protocol::{MemoryLevel, Mode, Parameters};
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct Plans {
    /// The checkpoint; only its header is read.
    #[arg(long, conflicts_with = "family")]
    base: Option<PathBuf>,
    /// In place of a checkpoint: the published model of this family.
    #[arg(long, value_enum, default_value = "sdxl")]
    family: FamilyName,
    /// Sizes of cards in GB.
    #[arg(long, value_name = "GB", value_delimiter = ',', default_values_t = [8, 12, 16, 24])]
    cards: Vec<u64>,
    /// What training on the processor takes, in place of a GPU.
    #[arg(long)]
    cpu: bool,
    #[command(flatten)]
    parameters: Parameters,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FamilyName {
    Sdxl,
    Sd15,
}

impl Plans {
    pub fn run(self) -> Result<(), Failure> {
        let architecture = match (&self.base, self.family) {
            (Some(path), _) => open_checkpoint(path, None, None)?.architecture().clone(),
            (None, FamilyName::Sdxl) => Architecture::published(Family::Sdxl),
            (None, FamilyName::Sd15) => Architecture::published(Family::Sd15),
        };
        // Neither mode nor number of pictures changes what a step holds.
        let plan = Plan::resolve("plan", Mode::Object, &architecture, concept::FEWEST, &self.parameters)?;
        let ladder = Ladder::new(&plan, &architecture, 1, !self.cpu);
        let rungs = ladder.rungs();
        let room = |card: u64| if self.cpu { card << 30 } else { room_on_card(card << 30) };
        let ends_at = |card: u64| ladder.choose(MemoryLevel::Usual, Some(room(card))).ok().map(|rung| rung.level);
        if self.json {
            let cards =
                self.cards.iter().map(|&card| json!({ "gb": card, "room": room(card), "level": ends_at(card) }));
            let levels = rungs.iter().map(|rung| {
                let need = rung.need;
                json!({
                    "level": rung.level, "base_bits": rung.base_bits, "recompute": rung.means.recompute,
                    "pictures_at_a_time": rung.means.micro_batch, "unet": need.unet, "text_encoders": need.text,
                    "trainables": need.trainables, "saved": need.saved, "working": need.working,
                    "drawing": need.drawing, "peak": rung.peak,
                })
            });
            let (levels, cards): (Vec<_>, Vec<_>) = (levels.collect(), cards.collect());
            return Ok(print_json(&json!({ "resolution": plan.resolution, "levels": levels, "cards": cards }))?);
        }
        let kind = if self.cpu { "of memory" } else { "card" };
        let cards: Vec<String> = self.cards.iter().map(|card| format!("{card} GB {kind}")).collect();
        let fixed =
            ["level", "base", "blocks", "at a time", "base takes", "trained", "saved", "working", "drawing", "peak"];
        let head: Vec<&str> = fixed.into_iter().chain(cards.iter().map(String::as_str)).collect();
        let rows: Vec<Vec<String>> = rungs
            .iter()
            .map(|rung| {
                let mut row = described(rung);
                row.extend(self.cards.iter().map(|&card| {
                    let fits = rung.peak <= room(card);
                    let word = if ends_at(card) == Some(rung.level) { "chosen" } else { "fits" };
                    if fits { word } else { "-" }.to_owned()
                }));
                row
            })
            .collect();
        let (name, recipe) = (architecture.family.name(), &plan.recipe);
        println!(
            "{name} at {} px, rank {}, batch {}; planned from sizes, not measured\n",
            plan.resolution, recipe.rank, recipe.batch_size
        );
        print!("{}", table(&head, &rows));
        Ok(())
    }
}

fn described(rung: &Rung) -> Vec<String> {
    let (need, means) = (rung.need, rung.means);
    let bytes = |bytes: usize| size(bytes as u64);
    vec![
        crate::table::word(rung.level),
        format!("{} bits", rung.base_bits),
        if means.recompute { "run twice" } else { "run once" }.to_owned(),
        means.micro_batch.to_string(),
        bytes(need.unet + need.text),
        bytes(need.trainables),
        bytes(need.saved),
        bytes(need.working),
        bytes(need.drawing),
        size(rung.peak),
    ]
}
