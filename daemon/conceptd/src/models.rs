//! `conceptd models`: checkpoints in the configured folders, and models that look at pictures.

use crate::{
    Failure,
    client::{Daemon, Reach, known_hosts, page, print_json},
    interrupt,
    serve::{Flags, settings},
    table::{size, table, word},
    usage,
};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use models::{Doing, Installed, KNOWN, Listed, Place, PlaceKind, Progress, Source, Store, found_in};
use protocol::{HostKind, HostView, ModelView};
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
pub struct Models {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List checkpoints, and the models that look at pictures.
    List,
    /// Install a model that looks at pictures. Nothing is ever downloaded otherwise.
    Add {
        /// A name of `models known`, a file or folder, or a hub repository as owner/name[@revision].
        source: String,
    },
    /// Forget a model; files that were downloaded for it stay unless --files is given.
    Remove {
        id: String,
        /// Also delete what was downloaded for it into the shared cache.
        #[arg(long)]
        files: bool,
    },
    /// Read every file of a model, or of all, and compare it with what was installed.
    Verify { id: Option<String> },
    /// List the models that can be added by name.
    Known,
    /// List models that other programs keep on this machine, without adding them.
    Find {
        /// Folders of ComfyUI, A1111, kohya's scripts, OneTrainer, or of models.
        folders: Vec<PathBuf>,
    },
}

impl Models {
    pub fn run(self) -> Result<(), Failure> {
        let store = Store::open(&self.reach.home.home().eyes());
        match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => self.list(&store),
            Action::Add { source } => self.add(&store, source),
            Action::Remove { id, files } => {
                let removed = store.remove(id, *files)?;
                println!("{id} is removed; {} are free", size(removed.freed));
                removed.left.iter().for_each(|path| println!("  {} stays", path.display()));
                Ok(())
            }
            Action::Verify { id } => verify(&store, id.as_deref()),
            Action::Known => {
                let row = |known: &models::Known| {
                    let from = known.repository().unwrap_or("your own file");
                    vec![
                        known.id.into(),
                        known.purpose().to_string(),
                        size(known.bytes),
                        from.into(),
                        known.good_for.into(),
                    ]
                };
                let rows: Vec<_> = KNOWN.iter().map(row).collect();
                print!("{}", table(&["NAME", "PURPOSE", "SIZE", "FROM", "GOOD FOR"], &rows));
                Ok(())
            }
            Action::Find { folders } => {
                let mut places = places(folders);
                places.extend(self.hosts());
                let found = found_in(&places);
                let rows: Vec<_> = found
                    .iter()
                    .map(|found| {
                        vec![found.name.clone(), found.form.to_string(), found.pieces[0].path.display().to_string()]
                    })
                    .collect();
                if rows.is_empty() {
                    println!(
                        "no program here keeps models that look at pictures; `conceptd models known` lists some to add"
                    );
                    return Ok(());
                }
                print!("{}", table(&["NAME", "FORM", "FILE (conceptd models add FILE)"], &rows));
                Ok(())
            }
        }
    }

    /// The folders of the hosts that a running daemon knows.
    fn hosts(&self) -> Vec<Place> {
        let place = |host: HostView| Place {
            kind: if host.kind == HostKind::Comfyui { PlaceKind::ComfyUi } else { PlaceKind::A1111 },
            path: host.folder.into(),
        };
        known_hosts(&self.reach.home.home()).into_iter().map(place).collect()
    }

    /// With a daemon or without.
    fn list(&self, store: &Store) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let models: Vec<ModelView> = match Daemon::find(&home) {
            Some(daemon) => daemon.all("/v1/models")?,
            None => server::models_of(&home, &settings(&home, &Flags::default())?.config),
        };
        if self.reach.json {
            return Ok(print_json(&page(&models)?)?);
        }
        let eyes = store.list()?;
        if models.is_empty() {
            println!(
                "there are no checkpoints; put one into {}, or name its folder as `models` in {}",
                home.models().display(),
                home.config_file().display()
            );
        } else {
            let row = |model: &ModelView| {
                let kind = model.family.map_or_else(|| "-".into(), word);
                let kind = if model.nonstandard { format!("{kind}, own sizes") } else { kind };
                let told = model.problem.clone().unwrap_or_else(|| model.path.clone());
                vec![model.name.clone(), kind, size(model.bytes), told]
            };
            let rows: Vec<_> = models.iter().map(row).collect();
            print!("{}", table(&["NAME", "KIND", "SIZE", "PATH OR PROBLEM"], &rows));
        }
        if eyes.is_empty() {
            println!("\nno model looks at pictures yet; `conceptd models known` lists those that can be added");
            return Ok(());
        }
        let row = |listed: &Listed| match listed {
            Listed::Ready(model) => {
                vec![model.id.clone(), model.purpose().to_string(), size(model.bytes()), place(model)]
            }
            Listed::Broken { id, why } => vec![id.clone(), "-".into(), "-".into(), why.to_string()],
        };
        let rows: Vec<_> = eyes.iter().map(row).collect();
        print!("\n{}", table(&["NAME", "LOOKS FOR", "SIZE", "PATH OR PROBLEM"], &rows));
        Ok(())
    }

    fn add(&self, store: &Store, source: &str) -> Result<(), Failure> {
        let source = Source::parse(source)?;
        let home = self.reach.home.home();
        let fetches = !matches!(source, Source::Folder(_) | Source::Found(_));
        if fetches && settings(&home, &Flags::default())?.config.offline {
            return Err(usage(anyhow!("`offline` is set, which forbids downloads; give a file or a folder")));
        }
        interrupt::listen()?;
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        let model = store.add(&source, &mut |progress: Progress| {
            let doing = match progress.doing {
                Doing::Waiting => "waiting for another program",
                Doing::Downloading => "downloading",
                Doing::Checking => "checking",
            };
            bar.set_length(progress.of);
            bar.set_position(progress.bytes);
            bar.set_message(format!("{doing} {}", progress.file));
            !interrupt::asked()
        })?;
        bar.finish_and_clear();
        if self.reach.json {
            let (form, purpose) = (model.form.name(), model.purpose().name());
            return Ok(print_json(
                &json!({ "id": model.id, "form": form, "purpose": purpose, "bytes": model.bytes() }),
            )?);
        }
        println!("{} is installed ({}, {})", model.id, model.purpose(), size(model.bytes()));
        Ok(())
    }
}

fn verify(store: &Store, id: Option<&str>) -> Result<(), Failure> {
    interrupt::listen()?;
    let ids: Vec<String> = match id {
        Some(id) => vec![id.to_owned()],
        None => store
            .list()?
            .into_iter()
            .map(|listed| match listed {
                Listed::Ready(model) => model.id,
                Listed::Broken { id, .. } => id,
            })
            .collect(),
    };
    let mut bad = 0;
    for id in &ids {
        match store.verify(id, &mut |_| !interrupt::asked()) {
            Ok(_) => println!("{id}: whole"),
            Err(error) => {
                bad += 1;
                println!("{id}: {error}");
            }
        }
    }
    if bad > 0 { Err(Failure::Said) } else { Ok(()) }
}

fn place(model: &Installed) -> String {
    model.path().map(|path| path.display().to_string()).unwrap_or_default()
}

/// Where other programs keep models: the usual places, and what folders that were named are.
fn places(folders: &[PathBuf]) -> Vec<Place> {
    let home = ["HOME", "USERPROFILE"].into_iter().find_map(std::env::var_os).map(PathBuf::from);
    let mut places = Place::usual(|name| std::env::var_os(name), home.as_deref());
    for path in folders {
        let is = |part: &str| path.join(part).exists();
        let kind = if is("custom_nodes") {
            PlaceKind::ComfyUi
        } else if is("extensions") {
            PlaceKind::A1111
        } else if is("wd14_tagger_model") || is("sd-scripts") {
            PlaceKind::Kohya
        } else if is("external") {
            PlaceKind::OneTrainer
        } else {
            PlaceKind::Folder
        };
        places.push(Place { kind, path: path.clone() });
    }
    places
}
