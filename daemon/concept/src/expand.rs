//! Prompts as hosts want them: a concept's name becomes what loads its embedding and its LoRA there.
//!
//! What is chosen is called by its name, by `<Name>` and by `<concept>` (the first chosen concept that is not called
//! otherwise), and its LoRA is loaded whether it is called or not. Where nothing is chosen, `<Name>` calls a concept, and
//! its bare name if it has that right. Everything else stays byte for byte: only spaces are added, where a host would
//! not see a call that touches its neighbour. An expanded prompt expands to itself.
//!
//! `schemas/python/concept_client/prompts.py` does the same for hosts without a daemon; `tests/prompts/cases.json` holds both.

mod a1111;
mod comfyui;
mod draft;
mod spans;
mod style;

use dataset::Names;
use draft::Draft;
use protocol::{ApplyConcept, Mode, PromptTarget, PromptView};
use spans::{Span, spans};

/// A concept that a prompt may call.
#[derive(Clone, Debug)]
pub struct Called {
    /// Names it to whoever asks.
    pub id: String,
    /// What it is called. Of several with one name the first is meant.
    pub name: String,
    /// Name of its files, without `_lora` and `_embeddings`.
    pub stem: String,
    /// What it is of.
    pub mode: Mode,
    /// New tokens; without any, the name itself is the trigger.
    pub tokens: usize,
    /// Factor of its LoRA.
    pub strength: f64,
    /// Whether its bare name calls it where nothing was chosen.
    pub bare_name: bool,
}

impl Called {
    /// What stands for it in a prompt.
    fn call(&self, host: PromptTarget) -> String {
        match (self.tokens, host) {
            (0, PromptTarget::Comfyui) => self.name.trim().replace('(', "\\(").replace(')', "\\)"),
            (0, PromptTarget::A1111) => {
                let escaped = |c| if "()[]".contains(c) { vec!['\\', c] } else { vec![c] };
                self.name.trim().chars().flat_map(escaped).collect()
            }
            (_, PromptTarget::Comfyui) => format!("embedding:{}_embeddings", self.stem),
            (_, PromptTarget::A1111) => format!("{}_embeddings", self.stem),
        }
    }

    fn lora(&self) -> String {
        format!("{}_lora", self.stem)
    }
}

/// Expands a prompt for a host. `chosen` says whether the user chose the concepts; else they are merely there.
pub fn expand(text: &str, host: PromptTarget, concepts: &[Called], chosen: bool) -> PromptView {
    let calls: Vec<String> = concepts.iter().map(|concept| concept.call(host)).collect();
    let spans = spans(text, host, &calls);
    let barred: Vec<_> = spans.iter().map(Span::barred).collect();
    let names = Names::new(concepts.iter().map(|concept| (concept.name.as_str(), chosen || concept.bare_name)), chosen);
    let mut draft = Draft::new(names.find(text, &barred));
    let mut called: Vec<bool> =
        (0..concepts.len()).map(|at| draft.mentions(at) || chosen && spans::stands(text, &calls[at], &spans)).collect();
    style::add(&mut draft, text, host, concepts, &spans, &mut called, chosen);
    let units = draft.units(text);
    let mut expanded = match host {
        PromptTarget::Comfyui => comfyui::write(&units, concepts, &calls),
        PromptTarget::A1111 => a1111::write(&units, &calls),
    };
    let mut loras: Vec<ApplyConcept> = Vec::new();
    for (concept, called) in concepts.iter().zip(&called) {
        let lora = ApplyConcept { concept: concept.lora(), strength: concept.strength, step: None };
        if (chosen || *called) && loras.iter().all(|other| other.concept != lora.concept) {
            loras.push(lora);
        }
    }
    if host == PromptTarget::A1111 {
        a1111::load(&mut expanded, &loras, text, &spans);
        loras.clear();
    }
    let called = concepts.iter().zip(called).filter(|(_, called)| *called).map(|(concept, _)| concept.id.clone());
    PromptView { text: expanded, loras, called: called.collect() }
}
