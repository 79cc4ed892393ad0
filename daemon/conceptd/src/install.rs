//! `conceptd install` and `conceptd uninstall`: a concept into hosts and out of them.

use crate::{
    Failure,
    client::{Daemon, Reach, print_json},
    concepts::route,
    hosts,
};
use clap::Args;
use protocol::{Conflict, InstallRequest, InstallState, InstallView, Installs, UninstallRequest};

#[derive(Args)]
pub struct Install {
    #[command(flatten)]
    reach: Reach,
    /// Its id, or its name for the newest of that name.
    concept: String,
    /// A host's id, kind or folder [default: every known host].
    #[arg(long = "host")]
    hosts: Vec<String>,
    /// What to do when a file of that name is there that is not ours.
    #[arg(long, value_enum, default_value_t = Conflict::Suffix)]
    conflict: Conflict,
}

#[derive(Args)]
pub struct Uninstall {
    #[command(flatten)]
    reach: Reach,
    /// Its id, or its name for the newest of that name.
    concept: String,
    /// A host's id, kind or folder [default: every host that has it].
    #[arg(long = "host")]
    hosts: Vec<String>,
}

impl Install {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let request = InstallRequest { hosts: ids(&daemon, &self.hosts)?, conflict: self.conflict };
        let installs = daemon.write("POST", &format!("{}/install", route(&self.concept)), &request)?;
        print(&installs, self.reach.json, "")
    }
}

impl Uninstall {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let request = UninstallRequest { hosts: ids(&daemon, &self.hosts)? };
        let installs = daemon.write("POST", &format!("{}/uninstall", route(&self.concept)), &request)?;
        print(&installs, self.reach.json, "its files are gone")
    }
}

fn ids(daemon: &Daemon, wanted: &[String]) -> Result<Vec<String>, Failure> {
    Ok(hosts::meant(daemon, wanted)?.into_iter().map(|host| host.id).collect())
}

/// Prints installs, or `none` where there are none; fails if one failed.
fn print(installs: &Installs, json: bool, none: &str) -> Result<(), Failure> {
    if json {
        print_json(installs)?;
    } else if installs.items.is_empty() {
        println!("{none}");
    } else {
        installs.items.iter().for_each(|install| tell("", install));
    }
    let failed = installs.items.iter().any(|install| install.state == InstallState::Failed);
    if failed { Err(Failure::Said) } else { Ok(()) }
}

/// An install in words, with its warnings.
pub fn tell(indent: &str, install: &InstallView) {
    println!("{indent}{}: {}", install.stem, install.text);
    install.warnings.iter().for_each(|warning| println!("{indent}  warning: {warning}"));
}
