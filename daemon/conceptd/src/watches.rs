//! `conceptd watches`: folders whose data sets train by themselves.

use crate::{
    Failure,
    client::{Reach, print_json, segment},
    table::{age, or_dash, table, word},
    usage,
};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use protocol::{Mode, Parameters, WatchRequest, WatchView, WatchedState, Watches as Watched};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Watches {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Every watched folder.
    List,
    /// Watch a folder: each folder, zip or tar that is put into it becomes a concept.
    Add(Box<Add>),
    /// How the data sets of a watched folder stand.
    Show {
        /// Its id or its folder.
        watch: String,
    },
    /// Watch a folder no longer; what it queued goes on.
    Remove {
        /// Its id or its folder.
        watch: String,
    },
    /// Look at everything in a watched folder now, and try again what failed.
    Rescan {
        /// Its id or its folder.
        watch: String,
    },
}

#[derive(Args)]
struct Add {
    /// The folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What pictures have in common, where neither a name (face_xander, style/ink) nor a concept.toml says it.
    #[arg(long, value_enum)]
    mode: Mode,
    /// The checkpoint to train on: its name as `conceptd models` lists it, or its path.
    #[arg(long, value_name = "FILE")]
    base: String,
    /// Install each concept into these hosts; all of them if none is named.
    #[arg(long, value_name = "HOST", num_args = 0..)]
    install: Option<Vec<String>>,
    /// Train when nothing has changed for so long.
    #[arg(long, value_name = "SECONDS")]
    quiet_seconds: Option<u64>,
    /// Look through the folder so often, for network drives that say nothing of changes.
    #[arg(long, value_name = "SECONDS")]
    rescan_seconds: Option<u64>,
    #[command(flatten)]
    parameters: Parameters,
}

impl Add {
    /// What is asked of the daemon; what was left out has its default there.
    fn request(&self) -> Result<WatchRequest, Failure> {
        // The daemon has a working folder of its own.
        let folder = std::path::absolute(&self.folder)?;
        let base = match Path::new(&self.base).is_file() {
            true => std::path::absolute(&self.base)?.display().to_string(),
            false => self.base.clone(),
        };
        let mut request = json!({ "folder": folder, "mode": self.mode, "base": base, "parameters": self.parameters });
        if let Some(hosts) = &self.install {
            request["install"] = if hosts.is_empty() { json!(["all"]) } else { json!(hosts) };
        }
        for (name, seconds) in [("quiet_seconds", self.quiet_seconds), ("rescan_seconds", self.rescan_seconds)] {
            if let Some(seconds) = seconds {
                request[name] = seconds.into();
            }
        }
        let request: WatchRequest = serde_json::from_value(request)?;
        // JSON writes what is no finite number as null, and the daemon would take its default.
        if request.parameters != self.parameters {
            return Err(usage(anyhow!("one of the parameters is no finite number; give one")));
        }
        Ok(request)
    }
}

impl Watches {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let find = |wanted: &str| -> Result<WatchView, Failure> {
            let watches: Watched = daemon.get("/v1/watches")?;
            let path = std::path::absolute(wanted).ok();
            let is_meant =
                |view: &WatchView| view.id == wanted || path.as_deref() == Some(Path::new(&view.request.folder));
            let missing = || anyhow!("`{wanted}` is not watched; `conceptd watches` lists what is");
            Ok(watches.items.into_iter().find(is_meant).ok_or_else(missing)?)
        };
        match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => self.list(&daemon.get("/v1/watches")?),
            Action::Add(add) => self.show(&daemon.write("POST", "/v1/watches", &add.request()?)?),
            Action::Show { watch } => self.show(&find(watch)?),
            Action::Rescan { watch } => {
                self.show(&daemon.act(&format!("/v1/watches/{}/rescan", segment(&find(watch)?.id)))?)
            }
            Action::Remove { watch } => {
                let found = find(watch)?;
                daemon.delete(&format!("/v1/watches/{}", segment(&found.id)))?;
                match self.reach.json {
                    true => print_json(&json!({}))?,
                    false => println!("{} is not watched any more", found.request.folder),
                }
                Ok(())
            }
        }
    }

    fn list(&self, watches: &Watched) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(watches)?);
        }
        if watches.items.is_empty() {
            println!("no folder is watched; `conceptd watches add DIR --mode MODE --base FILE` watches one");
            return Ok(());
        }
        let row = |view: &WatchView| {
            let count = |state| view.sets.iter().filter(|set| set.state == state).count().to_string();
            let request = &view.request;
            let mut cells = vec![view.id.clone(), request.folder.clone(), request.mode.name().into()];
            let states = [WatchedState::Settling, WatchedState::Training, WatchedState::Done, WatchedState::Failed];
            cells.extend(states.map(count));
            cells.extend([age(view.created_at_ms), or_dash(view.problem.as_ref())]);
            cells
        };
        let rows: Vec<_> = watches.items.iter().map(row).collect();
        let head = ["ID", "FOLDER", "MODE", "SETTLING", "TRAINING", "DONE", "FAILED", "AGE", "PROBLEM"];
        print!("{}", table(&head, &rows));
        Ok(())
    }

    fn show(&self, view: &WatchView) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(view)?);
        }
        let request = &view.request;
        let install = if request.install.is_empty() { "nowhere".into() } else { request.install.join(", ") };
        for (what, text) in [
            ("watch", view.id.clone()),
            ("folder", request.folder.clone()),
            ("mode", request.mode.name().into()),
            ("base", request.base.clone()),
            ("installs", install),
            ("quiet", format!("{} s, looked through every {} s", request.quiet_seconds, request.rescan_seconds)),
            ("problem", or_dash(view.problem.as_ref())),
        ] {
            println!("{what:8} {text}");
        }
        if !view.sets.is_empty() {
            let rows = view.sets.iter().map(|set| {
                vec![set.name.clone(), word(set.state), or_dash(set.job.as_ref()), set.text.replace('\n', " ")]
            });
            print!("\n{}", table(&["DATA SET", "STATE", "JOB", "TEXT"], &rows.collect::<Vec<_>>()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use protocol::Steps;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        add: Add,
    }

    fn request(arguments: &[&str]) -> WatchRequest {
        let line = [&["add", "pictures", "--mode", "face", "--base", "xl"], arguments].concat();
        match Line::try_parse_from(line).expect("a command").add.request() {
            Ok(request) => request,
            Err(_) => panic!("{arguments:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_the_daemons_default() {
        let plain = request(&[]);
        assert!(Path::new(&plain.folder).is_absolute() && plain.install.is_empty());
        assert_eq!((plain.base.as_str(), plain.quiet_seconds, plain.rescan_seconds), ("xl", 10, 300));
        assert_eq!(request(&["--install"]).install, ["all"]);
        assert_eq!(request(&["--install", "host-1", "host-2", "--seed", "3"]).install, ["host-1", "host-2"]);
        let further = request(&["--quiet-seconds", "2", "--steps", "7"]);
        assert_eq!((further.quiet_seconds, further.parameters.steps), (2, Some(Steps::Count(7))));
        let line = ["add", "x", "--mode", "face", "--base", "xl", "--noise-offset", "nan"];
        assert!(Line::try_parse_from(line).expect("a command").add.request().is_err());
    }
}
