//! `conceptd serve`, and what belongs to a running daemon: its settings and its token.

use crate::{
    Failure,
    client::{Reach, print_json},
    interrupt,
};
use clap::Args;
use protocol::LoginLink;
use serde_json::{Value, json};
use server::{Home, Layered};
use std::{
    io::{IsTerminal, Write},
    net::IpAddr,
    path::PathBuf,
};

/// Where everything lies.
#[derive(Args, Clone, Default)]
pub struct HomeFlag {
    /// The home folder [default: CONCEPTD_HOME, else the platform's folder for data].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
}

impl HomeFlag {
    /// The home that is meant.
    pub fn home(&self) -> Home {
        let path = self.home.clone().unwrap_or_else(Home::usual);
        Home::at(std::path::absolute(&path).unwrap_or(path))
    }
}

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    home: HomeFlag,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    flags: Flags,
}

/// Settings that can be given for one start.
#[derive(Args, Default)]
pub struct Flags {
    /// The port; 0 for any that is free.
    #[arg(long)]
    port: Option<u16>,
    /// Listen elsewhere than on this machine alone. Anybody who can reach the address can try.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Folders with checkpoints, in place of those in config.toml.
    #[arg(long = "models", value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Folders from which data sets may be made by path.
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
    /// Threads of a worker; 0 for one each core.
    #[arg(long)]
    threads: Option<usize>,
    /// Forbid every outgoing connection.
    #[arg(long)]
    offline: bool,
}

impl Flags {
    fn values(&self) -> Vec<(&'static str, Value)> {
        let mut values = Vec::new();
        if let Some(port) = self.port {
            values.push(("port", port.into()));
        }
        if let Some(address) = self.address {
            values.push(("address", address.to_string().into()));
        }
        if let Some(threads) = self.threads {
            values.push(("threads", threads.into()));
        }
        for (key, folders) in [("models", &self.models), ("roots", &self.roots)] {
            if !folders.is_empty() {
                values.push((key, folders.iter().map(|folder| folder.display().to_string()).collect()));
            }
        }
        if self.offline {
            values.push(("offline", true.into()));
        }
        values
    }
}

/// The settings of a home with every layer.
pub fn settings(home: &Home, flags: &Flags) -> Result<Layered, Failure> {
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    server::layered(home, environment, flags.values()).map_err(crate::usage)
}

impl Serve {
    pub fn run(self) -> Result<(), Failure> {
        let home = self.home.home();
        let settings = settings(&home, &self.flags)?;
        server::keep_log(&home, &settings.config)?;
        interrupt::listen()?;
        let ready = |beacon: &server::Beacon, link: &str| {
            let mut out = std::io::stdout();
            let mut words = format!("conceptd listens on {}\n", beacon.url);
            // A log keeps what it gets; a link that logs in belongs on a screen alone.
            if out.is_terminal() && !self.open {
                words +=
                    &format!("its page, for one browser within ten minutes: {link} (`conceptd open` makes another)\n");
            }
            // Whoever started it may have stopped reading.
            let _ = out.write_all(words.as_bytes());
            if self.open {
                show(link);
            }
        };
        let program = std::env::current_exe()?;
        match server::serve(home, settings, program, ready, interrupt::asked) {
            Err(error @ server::Error::Taken(_)) => Err(crate::usage(error)),
            result => Ok(result?),
        }
    }
}

/// Opens a link in the browser, and prints it for where there is none.
pub fn show(link: &str) {
    let _ = writeln!(std::io::stdout(), "{link}");
    if let Err(error) = open::that_detached(link) {
        eprintln!("no browser could be opened ({error}); open the link yourself");
    }
}

#[derive(Args)]
pub struct Open {
    #[command(flatten)]
    reach: Reach,
    /// Print the link alone.
    #[arg(long)]
    print: bool,
}

impl Open {
    /// Opens the daemon's page, logged in.
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let link: LoginLink = daemon.write("POST", "/v1/session/links", &json!({}))?;
        match (self.reach.json, self.print) {
            (true, _) => print_json(&link)?,
            (false, true) => println!("{}", link.url),
            (false, false) => show(&link.url),
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct ShowConfig {
    #[command(flatten)]
    home: HomeFlag,
    #[command(flatten)]
    flags: Flags,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ShowConfig {
    /// Prints every setting in effect and where it comes from.
    pub fn run(self) -> Result<(), Failure> {
        let home = self.home.home();
        let Layered { config, origins } = settings(&home, &self.flags)?;
        let values = serde_json::to_value(&config)?;
        if self.json {
            println!(
                "{}",
                serde_json::to_string_pretty(
                    &json!({ "config": values, "origins": origins, "file": home.config_file() })
                )?
            );
            return Ok(());
        }
        println!("# {}", home.config_file().display());
        for (key, origin) in &origins {
            let value = key.split('.').fold(&values, |value, part| &value[part]);
            println!("{key} = {value}   # {}", serde_json::to_value(origin)?.as_str().unwrap_or_default());
        }
        Ok(())
    }
}

#[derive(Args)]
pub struct Token {
    #[command(flatten)]
    home: HomeFlag,
    /// Make a new one; clients that have the old one are locked out from the daemon's next start.
    #[arg(long)]
    new: bool,
}

impl Token {
    /// Prints the token.
    pub fn run(self) -> Result<(), Failure> {
        let home = self.home.home();
        println!("{}", if self.new { home.new_token()? } else { home.token()? });
        Ok(())
    }
}
