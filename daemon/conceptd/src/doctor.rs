//! `conceptd doctor`: checks this machine and the settings, and says how to mend what is wrong.

mod home;
mod machine;
mod sight;

use crate::{
    Failure,
    client::{Daemon, Reach, print_json},
    serve::{Flags, settings},
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use server::{Config, Home};

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What was looked at, what was found, and how to mend it.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(name, found, fix) }
    }
}

impl Doctor {
    pub fn run(self) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let checks = checks(&home);
        let well = checks.iter().all(|check| check.verdict != Verdict::Fail);
        if self.reach.json {
            print_json(&json!({ "ok": well, "home": home.path(), "checks": checks }))?;
        } else {
            for Check { name, verdict, found, fix } in &checks {
                let verdict = match verdict {
                    Verdict::Ok => "ok  ",
                    Verdict::Warn => "warn",
                    Verdict::Fail => "FAIL",
                };
                println!("{verdict}  {name}: {found}");
                if let Some(fix) = fix {
                    println!("      -> {fix}");
                }
            }
        }
        if well { Ok(()) } else { Err(Failure::Said) }
    }
}

fn checks(home: &Home) -> Vec<Check> {
    let daemon = Daemon::find(home);
    let mut checks = Vec::new();
    let config = match settings(home, &Flags::default()) {
        Ok(layered) => {
            checks.push(Check::ok(
                "settings",
                format!("{} and the environment are understood", home.config_file().display()),
            ));
            layered.config
        }
        Err(Failure::Usage(error) | Failure::Failed(error) | Failure::Interrupted(error)) => {
            checks.push(Check::fail(
                "settings",
                format!("{error:#}"),
                "correct it; `conceptd config` shows the settings",
            ));
            Config::default()
        }
        Err(Failure::Said) => Config::default(),
    };
    checks.push(home::folder(home));
    checks.push(home::token(home));
    checks.push(machine::port(&config, daemon.as_ref().map(|daemon| &daemon.beacon)));
    checks.extend(machine::address(&config));
    checks.push(machine::disk(home));
    checks.push(machine::memory(&config));
    checks.push(machine::processor());
    checks.push(machine::graphics());
    checks.extend(home::folders("model folder", &config.models));
    checks.extend(home::models(home, &config));
    checks.extend(sight::checks(home, &config));
    checks.extend(home::folders("root", &config.roots));
    checks
}
