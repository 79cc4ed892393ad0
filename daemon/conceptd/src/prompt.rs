//! `conceptd prompt`: a prompt as a host wants it, and nothing else on standard output.

use crate::{
    Failure,
    client::{Reach, print_json},
    usage,
};
use anyhow::anyhow;
use clap::Args;
use concept::{Bundle, Called};
use protocol::{ApplyConcept, Mode, PromptRequest, PromptTarget, PromptView};
use std::path::Path;

#[derive(Args)]
pub struct Prompt {
    #[command(flatten)]
    reach: Reach,
    /// What to draw: chosen concepts by name, as <Name> or <concept>; others as <Name>, or by a name that stands for
    /// nothing else.
    text: String,
    /// Who will read it.
    #[arg(long, value_enum)]
    host: PromptTarget,
    /// A concept that is chosen, of the library by id or name, or a bundle: xander, xander:0.8, xander.tar. May be given
    /// several times.
    #[arg(long, value_name = "CONCEPT[:STRENGTH]")]
    concept: Vec<String>,
}

impl Prompt {
    pub fn run(self) -> Result<(), Failure> {
        let concepts: Vec<ApplyConcept> =
            self.concept.iter().map(|given| split(given)).collect::<anyhow::Result<_>>().map_err(usage)?;
        let bundles = concepts.iter().filter(|applied| is_bundle(&applied.concept)).count();
        let view: PromptView = if bundles == concepts.len() && bundles > 0 {
            // Files are all that is needed.
            concept::expand(&self.text, self.host, &read(&concepts)?, true)
        } else if bundles == 0 {
            let request = PromptRequest { text: self.text.clone(), host: self.host, concepts };
            self.reach.daemon()?.write("POST", "/v1/prompts", &request)?
        } else {
            return Err(usage(anyhow!("give bundles, or concepts of the library, not both")));
        };
        match self.reach.json {
            true => print_json(&view)?,
            false => println!("{}", view.text),
        }
        Ok(())
    }
}

fn is_bundle(concept: &str) -> bool {
    Path::new(concept).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tar"))
}

fn read(concepts: &[ApplyConcept]) -> concept::Result<Vec<Called>> {
    let called = |applied: &ApplyConcept| {
        let bundle = Bundle::read(Path::new(&applied.concept))?;
        Ok(Called {
            id: bundle.stem.clone(),
            name: bundle.name().to_owned(),
            stem: bundle.stem.clone(),
            mode: bundle.mode().unwrap_or(Mode::Object),
            tokens: bundle.tokens(),
            strength: applied.strength,
            bare_name: true,
        })
    };
    concepts.iter().map(called).collect()
}

/// `xander:0.8` as concept and strength. What follows a colon and is no number belongs to the name.
fn split(given: &str) -> anyhow::Result<ApplyConcept> {
    let (concept, strength) = match given.rsplit_once(':').map(|(name, tail)| (name, tail.parse::<f64>())) {
        Some((name, Ok(strength))) if !name.is_empty() => (name, strength),
        _ => (given, 1.0),
    };
    if !(-4.0..=4.0).contains(&strength) {
        return Err(anyhow!("--concept {given}: choose a strength from -4 to 4"));
    }
    Ok(ApplyConcept { concept: concept.to_owned(), strength, step: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_told_from_names_and_drives() {
        for (given, concept, strength) in [
            ("xander", "xander", 1.0),
            ("xander:0.8", "xander", 0.8),
            ("c:\\a.tar", "c:\\a.tar", 1.0),
            ("c:\\a.tar:-1", "c:\\a.tar", -1.0),
            (":2", ":2", 1.0),
        ] {
            assert_eq!(split(given).expect(given), ApplyConcept { concept: concept.into(), strength, step: None });
        }
        assert!(split("x:9").is_err() && split("x:nan").is_err());
    }
}
