//! `conceptd hosts`: the programs that concepts are installed into.

use crate::{
    Failure,
    client::{Daemon, Reach, print_json, segment},
    install::tell,
    table::{or_dash, table, word},
};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use protocol::{FoundHost, FoundHosts, HostCheck, HostKind, HostRequest, HostView, Hosts as Known};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Hosts {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Every known host.
    List,
    /// Look for hosts that run or lie on this machine.
    Detect {
        /// Make all of them known.
        #[arg(long)]
        add: bool,
    },
    /// Make a host known.
    Add {
        #[arg(value_enum)]
        kind: HostKind,
        /// Its folder: the one that holds `models`.
        folder: PathBuf,
        /// Where it looks for LoRAs, if not where its settings say.
        #[arg(long)]
        loras: Option<PathBuf>,
        /// Where it looks for embeddings, if not where its settings say.
        #[arg(long)]
        embeddings: Option<PathBuf>,
        /// Where it answers when it runs, if not at the usual port.
        #[arg(long)]
        url: Option<String>,
    },
    /// Forget a host; what is installed there stays.
    Remove {
        /// Its id, its kind or its folder.
        host: String,
    },
    /// Look whether hosts can be used, and what is installed and seen there.
    Verify {
        /// Its id, its kind or its folder; all without.
        host: Option<String>,
    },
}

impl Hosts {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => self.list(&known(&daemon)?),
            Action::Detect { add } => self.detect(&daemon, *add),
            Action::Add { kind, folder, loras, embeddings, url } => {
                let full = |path: &Path| std::path::absolute(path).map(|path| path.display().to_string());
                let request = HostRequest {
                    kind: *kind,
                    folder: full(folder)?,
                    loras: loras.as_deref().map(full).transpose()?,
                    embeddings: embeddings.as_deref().map(full).transpose()?,
                    url: url.clone(),
                };
                self.list(&[daemon.write("POST", "/v1/hosts", &request)?])
            }
            Action::Remove { host } => {
                for host in meant(&daemon, std::slice::from_ref(host))? {
                    daemon.delete(&route(&host.id))?;
                    match self.reach.json {
                        true => print_json(&json!({}))?,
                        false => println!("{} is forgotten; what is installed there stays", host.folder),
                    }
                }
                Ok(())
            }
            Action::Verify { host } => self.verify(&daemon, host.as_slice()),
        }
    }

    fn list(&self, hosts: &[HostView]) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(&Known { items: hosts.to_vec() })?);
        }
        if hosts.is_empty() {
            println!("no host is known; `conceptd hosts detect --add` finds them, `conceptd hosts add` takes a folder");
            return Ok(());
        }
        let row = |host: &HostView| {
            vec![
                host.id.clone(),
                word(host.kind),
                or_dash(host.url.as_ref()),
                host.loras.clone(),
                host.embeddings.clone(),
            ]
        };
        let rows: Vec<_> = hosts.iter().map(row).collect();
        print!("{}", table(&["ID", "KIND", "URL", "LORAS", "EMBEDDINGS"], &rows));
        Ok(())
    }

    fn detect(&self, daemon: &Daemon, add: bool) -> Result<(), Failure> {
        let FoundHosts { items } = daemon.act("/v1/hosts/detect")?;
        if add {
            let new = items.into_iter().filter(|found| found.known.is_none());
            let add = |found: FoundHost| daemon.write::<HostView>("POST", "/v1/hosts", &found.request);
            new.map(add).collect::<Result<Vec<_>, _>>()?;
            return self.list(&known(daemon)?);
        }
        if self.reach.json {
            return Ok(print_json(&FoundHosts { items })?);
        }
        if items.is_empty() {
            println!("no host was found; `conceptd hosts add comfyui FOLDER` makes one known");
            return Ok(());
        }
        let row = |found: &FoundHost| {
            let known = found.known.clone().unwrap_or_else(|| "new".into());
            vec![word(found.request.kind), known, found.request.folder.clone(), found.evidence.clone()]
        };
        let rows: Vec<_> = items.iter().map(row).collect();
        print!("{}", table(&["KIND", "KNOWN AS", "FOLDER", "WHY"], &rows));
        if items.iter().any(|found| found.known.is_none()) {
            println!("`conceptd hosts detect --add` makes the new ones known");
        }
        Ok(())
    }

    fn verify(&self, daemon: &Daemon, host: &[String]) -> Result<(), Failure> {
        let hosts = if host.is_empty() { known(daemon)? } else { meant(daemon, host)? };
        let check = |host: &HostView| daemon.act::<HostCheck>(&format!("{}/verify", route(&host.id)));
        let checks = hosts.iter().map(check).collect::<Result<Vec<_>, _>>()?;
        let well = checks.iter().all(|check| check.problems.is_empty());
        if self.reach.json {
            print_json(&checks)?;
        } else if checks.is_empty() {
            self.list(&[])?;
        } else {
            for HostCheck { host, running, problems, installs } in &checks {
                let running = match running {
                    Some(true) => "runs",
                    Some(false) => "does not run",
                    None => "has no address",
                };
                println!("{} {} ({running})", word(host.kind), host.folder);
                problems.iter().for_each(|problem| println!("  problem: {problem}"));
                installs.iter().for_each(|install| tell("  ", install));
            }
        }
        if well { Ok(()) } else { Err(Failure::Said) }
    }
}

fn route(id: &str) -> String {
    format!("/v1/hosts/{}", segment(id))
}

fn known(daemon: &Daemon) -> Result<Vec<HostView>, Failure> {
    Ok(daemon.get::<Known>("/v1/hosts")?.items)
}

/// The hosts that a user means by ids, kinds or folders.
pub fn meant(daemon: &Daemon, wanted: &[String]) -> Result<Vec<HostView>, Failure> {
    let known = known(daemon)?;
    let mut hosts = Vec::new();
    for wanted in wanted {
        let is_meant = |host: &&HostView| {
            host.id == *wanted
                || word(host.kind) == wanted.to_lowercase()
                || Path::new(&host.folder) == Path::new(wanted)
        };
        let before = hosts.len();
        hosts.extend(known.iter().filter(is_meant).cloned());
        if hosts.len() == before {
            return Err(Failure::Failed(anyhow!("there is no host `{wanted}`; `conceptd hosts` lists them")));
        }
    }
    Ok(hosts)
}
