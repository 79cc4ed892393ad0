//! `conceptd service`: lets the daemon start at every logon, by the means of each system.

mod files;

use crate::{
    Failure,
    client::{Daemon, Reach, print_json},
};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[derive(Args)]
pub struct Service {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Copy, Subcommand)]
enum Action {
    /// Start the daemon now and at every logon of yours.
    Install,
    /// Start it no more, and end it now. Nothing in its home is touched.
    Uninstall,
    /// Say whether it is installed.
    Status,
}

/// What starts the daemon.
#[derive(Clone, Debug)]
pub struct Start {
    /// This program.
    pub program: PathBuf,
    /// The home it serves; said outright, since services do not see a shell's environment.
    pub home: PathBuf,
}

/// How a system keeps a service: a file, and commands around it.
struct Plan {
    file: Option<(PathBuf, String)>,
    install: Vec<Vec<String>>,
    uninstall: Vec<Vec<String>>,
    status: Vec<String>,
}

impl Service {
    pub fn run(self) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let start = Start { program: std::env::current_exe()?, home: home.path().to_owned() };
        let plan = plan(&start)?;
        match self.action {
            Action::Install => {
                if let Some(daemon) = Daemon::find(&home)
                    && plan.file.as_ref().is_none_or(|(path, _)| !path.exists())
                {
                    let pid = daemon.beacon.pid;
                    eprintln!(
                        "note: a daemon runs already (process {pid}); end it, so that the service's own can start"
                    );
                }
                if let Some((path, text)) = &plan.file {
                    write(path, text)?;
                }
                self.perform(&plan, &plan.install, "installed")
            }
            Action::Uninstall => {
                let done = self.perform(&plan, &plan.uninstall, "uninstalled");
                if let Some((path, _)) = &plan.file {
                    match fs::remove_file(path) {
                        Err(error) if error.kind() != ErrorKind::NotFound => {
                            return Err(anyhow!("{}: {error}", path.display()).into());
                        }
                        _ => {}
                    }
                }
                done
            }
            Action::Status => {
                let answer = ask(&plan.status);
                let written = plan.file.as_ref().map(|(path, _)| path).filter(|path| path.exists());
                let installed = match &plan.file {
                    Some(_) => written.is_some(),
                    None => matches!(&answer, Answer::Good(_)),
                };
                let said = answer.text();
                match self.reach.json {
                    true => print_json(&json!({ "installed": installed, "file": written, "system": said }))?,
                    false if installed => println!("installed; the system says: {said}"),
                    false => println!("not installed; `conceptd service install` does it"),
                }
                if installed { Ok(()) } else { Err(Failure::Said) }
            }
        }
    }

    /// Runs the system's commands, or says plainly which could not be run.
    fn perform(&self, plan: &Plan, commands: &[Vec<String>], what: &str) -> Result<(), Failure> {
        let file = plan.file.as_ref().map(|(path, _)| path);
        for (i, command) in commands.iter().enumerate() {
            match ask(command) {
                Answer::Good(_) => {}
                Answer::Absent => {
                    let left: Vec<String> = commands[i..].iter().map(|command| command.join(" ")).collect();
                    match self.reach.json {
                        true => print_json(&json!({ what: false, "file": file, "left": left }))?,
                        false => {
                            if let Some(file) = file.filter(|file| file.exists()) {
                                println!("{} is written", file.display());
                            }
                            println!("this system has no `{}`; where it has, run\n  {}", command[0], left.join("\n  "));
                        }
                    }
                    return Ok(());
                }
                // What was never started cannot be ended.
                Answer::Bad(_) if what == "uninstalled" => {}
                Answer::Bad(said) => {
                    return Err(Failure::Failed(anyhow!("`{}` failed: {said}", command.join(" "))));
                }
            }
        }
        match self.reach.json {
            true => print_json(&json!({ what: true, "file": file }))?,
            false => println!("{what}{}", file.map_or(String::new(), |file| format!(": {}", file.display()))),
        }
        Ok(())
    }
}

/// What a command of the system said.
enum Answer {
    Good(String),
    Bad(String),
    Absent,
}

impl Answer {
    fn text(self) -> String {
        match self {
            Self::Good(text) | Self::Bad(text) => text,
            Self::Absent => "nothing; it has no such service manager".into(),
        }
    }
}

fn ask(command: &[String]) -> Answer {
    let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    match output {
        Err(error) if error.kind() == ErrorKind::NotFound => Answer::Absent,
        Err(error) => Answer::Bad(error.to_string()),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            if output.status.success() { Answer::Good(text) } else { Answer::Bad(text) }
        }
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    server::write_whole(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// The way of the system that this runs on.
fn plan(start: &Start) -> anyhow::Result<Plan> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    if cfg!(windows) {
        return Ok(Plan {
            file: None,
            install: vec![files::scheduled_task(start), words("schtasks /Run /TN conceptd")],
            uninstall: vec![words("schtasks /End /TN conceptd"), words("schtasks /Delete /F /TN conceptd")],
            status: words("schtasks /Query /TN conceptd"),
        });
    }
    let home = variable("HOME").ok_or_else(|| anyhow!("HOME is not set; it says where services of a user lie"))?;
    if cfg!(target_os = "macos") {
        let path = home.join("Library/LaunchAgents").join(format!("{}.plist", files::LABEL));
        let on_file = |verb: &str| vec!["launchctl".into(), verb.into(), "-w".into(), path.display().to_string()];
        return Ok(Plan {
            install: vec![on_file("load")],
            uninstall: vec![on_file("unload")],
            status: words(&format!("launchctl list {}", files::LABEL)),
            file: Some((path, files::launch_agent(start))),
        });
    }
    let folder = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    Ok(Plan {
        file: Some((folder.join("systemd/user/conceptd.service"), files::systemd_unit(start))),
        install: vec![words("systemctl --user daemon-reload"), words("systemctl --user enable --now conceptd.service")],
        uninstall: vec![words("systemctl --user disable --now conceptd.service")],
        status: words("systemctl --user is-active conceptd.service"),
    })
}
