//! Prompts as hosts want them: a concept's name becomes what loads its embedding and its LoRA there.

use protocol::{ApplyConcept, Mode, PromptTarget, PromptView};

/// A concept that is meant by a prompt.
#[derive(Clone, Debug)]
pub struct Called {
    /// What it is called.
    pub name: String,
    /// Name of its files, without `_lora` and `_embeddings`.
    pub stem: String,
    /// What it is of.
    pub mode: Mode,
    /// New tokens; without any, the name itself is the trigger.
    pub tokens: usize,
    /// Factor of its LoRA.
    pub strength: f64,
}

const CONCEPT: &str = "<concept>";

/// Expands a prompt for a host. The name, `<Name>` and `<concept>` (which means the first) stand for a concept, in any
/// case, at word boundaries. A style that is not mentioned is added behind.
pub fn expand(text: &str, host: PromptTarget, concepts: &[Called]) -> PromptView {
    let mut text = text.to_owned();
    let (mut loras, mut tags) = (Vec::new(), String::new());
    for concept in concepts {
        let mut bound = bind(&text, &concept.name);
        if !bound.contains(CONCEPT) && concept.mode == Mode::Style {
            bound = format!("{}, in the style of {CONCEPT}", bound.trim_end().trim_end_matches(','));
        }
        text = replace(&bound, &call(concept, host), host);
        let lora = format!("{}_lora", concept.stem);
        match host {
            PromptTarget::Comfyui => loras.push(ApplyConcept { concept: lora, strength: concept.strength }),
            // A tag that is there already is the user's choice.
            PromptTarget::A1111 if text.contains(&format!("<lora:{lora}:")) => {}
            PromptTarget::A1111 => tags += &format!(" <lora:{lora}:{}>", concept.strength),
        }
    }
    PromptView { text: (text + &tags).trim().to_owned(), loras, called: Vec::new() }
}

/// `<concept>` for every mention of a concept outside of tags such as `<lora:...>`.
fn bind(text: &str, name: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<lora:") {
        let length = rest[start..].find('>').map_or(rest.len() - start, |end| end + 1);
        out += &dataset::bind_concept(&rest[..start], name);
        out += &rest[start..start + length];
        rest = &rest[start + length..];
    }
    out + &dataset::bind_concept(rest, name)
}

/// What stands for the concept in a prompt.
fn call(concept: &Called, host: PromptTarget) -> String {
    match (concept.tokens, host) {
        (0, _) => concept.name.clone(),
        (_, PromptTarget::Comfyui) => format!("embedding:{}_embeddings", concept.stem),
        (_, PromptTarget::A1111) => format!("{}_embeddings", concept.stem),
    }
}

/// Puts `call` in place of every `<concept>`. ComfyUI sees an embedding only behind a space or a bracket, and takes all up
/// to the next space, comma, colon or bracket as its name.
fn replace(bound: &str, call: &str, host: PromptTarget) -> String {
    let apart = host == PromptTarget::Comfyui && call.starts_with("embedding:");
    let mut parts = bound.split(CONCEPT);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if apart && !(out.is_empty() || out.ends_with(char::is_whitespace) || out.ends_with('(')) {
            out.push(' ');
        }
        out += call;
        let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | ')');
        if apart && part.chars().next().is_some_and(|c| !ends(c)) {
            out.push(' ');
        }
        out += part;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str, stem: &str, mode: Mode, tokens: usize) -> Called {
        Called { name: name.into(), stem: stem.into(), mode, tokens, strength: 0.8 }
    }

    #[test]
    fn prompts_become_what_each_host_loads() {
        let xander = called("Xander", "xander-v2", Mode::Face, 3);
        let ink = called("Ink", "ink", Mode::Style, 3);
        let plain = called("zorb", "zorb", Mode::Object, 0);
        for (text, concept, comfy, a1111) in [
            ("xander surfing", &xander, "embedding:xander-v2_embeddings surfing", "xander-v2_embeddings surfing"),
            (
                "a,XANDER. and (<Xander>:1.2)",
                &xander,
                "a, embedding:xander-v2_embeddings . and (embedding:xander-v2_embeddings:1.2)",
                "a,xander-v2_embeddings. and (xander-v2_embeddings:1.2)",
            ),
            (
                "xander's hat, alexander",
                &xander,
                "embedding:xander-v2_embeddings 's hat, alexander",
                "xander-v2_embeddings's hat, alexander",
            ),
            (
                "a castle,",
                &ink,
                "a castle, in the style of embedding:ink_embeddings",
                "a castle, in the style of ink_embeddings",
            ),
            ("a Zorb", &plain, "a zorb", "a zorb"),
        ] {
            let made = expand(text, PromptTarget::Comfyui, std::slice::from_ref(concept));
            assert_eq!(made.text, comfy);
            assert_eq!(made.loras, [ApplyConcept { concept: format!("{}_lora", concept.stem), strength: 0.8 }]);
            let made = expand(text, PromptTarget::A1111, std::slice::from_ref(concept));
            assert_eq!(made.text, format!("{a1111} <lora:{}_lora:0.8>", concept.stem));
            assert!(made.loras.is_empty());
        }
        let twice = expand("xander <lora:xander-v2_lora:0.3>", PromptTarget::A1111, &[xander]);
        assert_eq!(twice.text, "xander-v2_embeddings <lora:xander-v2_lora:0.3>");
    }
}
