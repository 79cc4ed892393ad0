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
use protocol::{Check, DoctorView, Verdict};
use server::{Config, Home};

#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    reach: Reach,
}

impl Doctor {
    pub fn run(self) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let checks = checks(&home);
        let ok = checks.iter().all(|check| check.verdict != Verdict::Fail);
        if self.reach.json {
            print_json(&DoctorView { ok, home: home.path().display().to_string(), checks })?;
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
        if ok { Ok(()) } else { Err(Failure::Said) }
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
    checks.push(machine::graphics(config.device));
    checks.extend(home::folders("model folder", &config.models));
    checks.extend(home::models(home, &config));
    checks.extend(sight::checks(home, &config));
    checks.extend(home::folders("root", &config.roots));
    checks
}
