//! `conceptd concepts`: the library.

use crate::{
    Failure,
    client::{Daemon, Form, Reach, page, print_json, segment},
    table::{age, or_dash, table, word},
    usage,
};
use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use concept::Bundle;
use protocol::{ConceptChange, ConceptView, ErrorCode, Mode};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Concepts {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Every concept, newest first.
    List,
    /// Everything about a concept.
    Show {
        /// Its id, or its name for the newest of that name.
        concept: String,
    },
    /// Take a bundle into the library.
    Import {
        /// The bundle, such as xander.tar.
        file: PathBuf,
        /// What to call it [default: as the bundle says].
        #[arg(long)]
        name: Option<String>,
        /// What it is of; needed where the bundle does not say.
        #[arg(long, value_enum)]
        mode: Option<Mode>,
    },
    /// Call a concept differently; its files keep their names.
    Rename { id: String, name: String },
    /// Whether the bare name calls a concept in prompts for which none was chosen; <Name> always does.
    Bare {
        /// Its id, or its name for the newest of that name.
        concept: String,
        /// on or off.
        bare: Switch,
    },
    /// Move a concept to the trash.
    Delete { id: String },
    /// Write its bundle into a folder.
    Save {
        /// Its id, or its name for the newest of that name.
        concept: String,
        /// The folder.
        #[arg(long, default_value = ".", value_name = "FOLDER")]
        out: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Concepts {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => self.list(&daemon.all("/v1/concepts")?),
            Action::Show { concept } => self.show(&find(&daemon, concept)?),
            Action::Import { file, name, mode } => self.show(&import(&daemon, file, name.as_deref(), *mode)?),
            Action::Rename { id, name } => {
                let change = ConceptChange { name: Some(name.clone()), bare_name: None };
                self.show(&daemon.write("PATCH", &route(id), &change)?)
            }
            Action::Bare { concept, bare } => {
                let change = ConceptChange { name: None, bare_name: Some(matches!(bare, Switch::On)) };
                self.show(&daemon.write("PATCH", &route(&find(&daemon, concept)?.id), &change)?)
            }
            Action::Delete { id } => {
                daemon.delete(&route(id))?;
                match self.reach.json {
                    true => print_json(&json!({}))?,
                    false => {
                        println!("{id} lies in {}", self.reach.home.home().path().join("trash").display());
                    }
                }
                Ok(())
            }
            Action::Save { concept, out } => {
                let concept = find(&daemon, concept)?;
                let path = out.join(format!("{}.tar", concept.stem));
                daemon.download(&format!("{}/bundle", route(&concept.id)), &path)?;
                match self.reach.json {
                    true => print_json(&json!({ "concept": concept, "path": path }))?,
                    false => println!("{}", path.display()),
                }
                Ok(())
            }
        }
    }

    fn list(&self, concepts: &[ConceptView]) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(&page(&concepts)?)?);
        }
        if concepts.is_empty() {
            println!("the library is empty; `conceptd train` and `conceptd concepts import` fill it");
            return Ok(());
        }
        let row = |concept: &ConceptView| {
            vec![
                concept.id.clone(),
                concept.name.clone(),
                concept.version.to_string(),
                concept.mode.name().into(),
                word(concept.family),
                concept.tokens.to_string(),
                concept.stem.clone(),
                word(concept.source),
                age(concept.created_at_ms),
            ]
        };
        let rows: Vec<_> = concepts.iter().map(row).collect();
        let head = ["ID", "NAME", "VERSION", "MODE", "BASE", "TOKENS", "FILES", "SOURCE", "AGE"];
        print!("{}", table(&head, &rows));
        Ok(())
    }

    fn show(&self, concept: &ConceptView) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(concept)?);
        }
        let own = if concept.base_nonstandard { ", with sizes of its own" } else { "" };
        let step = concept.step.map_or(String::new(), |step| format!(", step {step}"));
        for (what, text) in [
            ("concept", concept.id.clone()),
            ("name", format!("{} (version {})", concept.name, concept.version)),
            ("of", concept.mode.name().into()),
            ("called", called(concept)),
            ("files", format!("{0}_lora, {0}_embeddings", concept.stem)),
            ("base", format!("{}{own}", word(concept.family))),
            ("source", format!("{}{step}", word(concept.source))),
            ("verdict", or_dash(concept.verdict.as_ref())),
            ("ComfyUI", concept.prompts.comfyui.clone()),
            ("A1111", concept.prompts.a1111.clone()),
        ] {
            println!("{what:8} {text}");
        }
        Ok(())
    }
}

/// What calls a concept in prompts for which none was chosen.
fn called(concept: &ConceptView) -> String {
    let name = &concept.name;
    if concept.bare_name { format!("{name} or <{name}>") } else { format!("<{name}>, or {name} where it is chosen") }
}

/// Where a concept is.
pub fn route(id: &str) -> String {
    format!("/v1/concepts/{}", segment(id))
}

/// A concept by its id, or the newest of a name.
fn find(daemon: &Daemon, wanted: &str) -> Result<ConceptView, Failure> {
    use crate::client::ClientError::Refused;
    match daemon.get(&route(wanted)) {
        Err(Refused(problem)) if problem.code == ErrorCode::NotFound => {
            let concepts = daemon.all::<ConceptView>("/v1/concepts")?;
            let named = concepts.into_iter().find(|concept| concept.name.to_lowercase() == wanted.to_lowercase());
            let missing = || anyhow!("there is no concept `{wanted}`; `conceptd concepts` lists them");
            named.ok_or_else(|| Failure::Failed(missing()))
        }
        found => Ok(found?),
    }
}

fn import(daemon: &Daemon, file: &Path, name: Option<&str>, mode: Option<Mode>) -> Result<ConceptView, Failure> {
    // Read here first: a mistake costs no upload, and most bundles say what they are of.
    let bundle = Bundle::read(file)?;
    let mode = bundle.mode().or(mode).ok_or_else(|| {
        usage(anyhow!("the bundle does not say what it is of; add --mode face, --mode object or --mode style"))
    })?;
    let mut form = Form::new().text("mode", mode.name());
    if let Some(name) = name {
        form = form.text("name", name);
    }
    Ok(daemon.upload("/v1/concepts", form.file("file", "bundle.tar", file.to_owned()))?)
}
