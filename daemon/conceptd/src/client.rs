//! A client of the daemon on this machine: finds it by its home, asks, uploads, downloads.

mod events;
mod form;

pub use events::{Followed, follow};
pub use form::Form;

use crate::{interrupt, serve::HomeFlag};
use clap::Args;
use protocol::{ErrorCode, Eyes, Health, HostView, Hosts, Problem};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use server::{Beacon, Config, Home};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{Agent, AsSendBody, Body, BodyReader, SendBody, http};

/// What a daemon may take to say that it is there.
const KNOCK: Duration = Duration::from_secs(5);
/// What a short request may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest page of a list.
const PAGE: &str = "limit=200";

/// What every command that asks a daemon has in common.
#[derive(Args, Clone, Default)]
pub struct Reach {
    #[command(flatten)]
    pub home: HomeFlag,
    /// Print JSON, as the API answers.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Reach {
    /// The daemon of the home that is meant.
    pub fn daemon(&self) -> Result<Daemon, ClientError> {
        let home = self.home.home();
        Daemon::find(&home).ok_or_else(|| ClientError::NoDaemon(home.path().to_owned()))
    }
}

/// Why the daemon did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there to ask.
    #[error("no daemon runs on {0}; start one with `conceptd serve`, or `conceptd service install` for every logon")]
    NoDaemon(PathBuf),
    /// It says why.
    #[error("{}", shown(.0))]
    Refused(Box<Problem>),
    /// It was there, and is no more.
    #[error("the daemon at {url} does not answer any more ({reason}); `conceptd status` says whether it runs")]
    Unreachable { url: String, reason: String },
    /// It speaks differently.
    #[error("the daemon's answer cannot be read ({0}); is it of another version? `conceptd status` says which")]
    Answer(String),
    /// A file on this side.
    #[error("{path}: {source}")]
    Disk { path: PathBuf, source: io::Error },
    /// A download would take another file's place.
    #[error("{0} is there already and holds something else; choose another folder")]
    Occupied(PathBuf),
    /// Ctrl-C during an upload.
    #[error("stopped before the daemon had all files; nothing was begun")]
    Stopped,
}

fn shown(problem: &Problem) -> String {
    match (&problem.code, &problem.field) {
        // The daemon's own hint would lead in circles: the token was sent.
        (ErrorCode::Unauthorized, _) => "the running daemon knows another token; start it again".into(),
        (_, Some(field)) => format!("{field}: {}", problem.detail),
        (_, None) => problem.detail.clone(),
    }
}

type Result<T, E = ClientError> = std::result::Result<T, E>;

/// A running daemon.
pub struct Daemon {
    /// Where it is.
    pub beacon: Beacon,
    token: String,
    brief: Agent,
    patient: Agent,
}

impl Daemon {
    /// The daemon of a home, if one runs and answers.
    pub fn find(home: &Home) -> Option<Self> {
        let beacon = home.beacon()?;
        // Only read: a client makes no token.
        let token = std::fs::read_to_string(home.token_file()).ok()?.trim().to_owned();
        // A proxy that the environment names would be told the token.
        let config = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .max_redirects(0)
                .timeout_connect(Some(KNOCK))
        };
        let daemon = Self {
            beacon,
            token,
            brief: config().timeout_global(Some(PATIENCE)).build().into(),
            patient: config().build().into(),
        };
        let knock: Agent = config().timeout_global(Some(KNOCK)).build().into();
        let answer = knock.get(format!("{}/healthz", daemon.beacon.url)).call().ok()?;
        let health: Health = serde_json::from_reader(answer.into_body().into_reader()).ok()?;
        (health.status == "ok").then_some(daemon)
    }

    /// `GET`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.send(&self.brief, "GET", path, &[], SendBody::none())?)
    }

    /// `GET` of a text.
    pub fn text(&self, path: &str) -> Result<String> {
        let answer = self.send(&self.brief, "GET", path, &[], SendBody::none())?;
        let mut bytes = Vec::new();
        answer.into_body().into_reader().read_to_end(&mut bytes).map_err(|e| ClientError::Answer(e.to_string()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `POST` without a body.
    pub fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(self.send(&self.brief, "POST", path, &[], SendBody::none())?)
    }

    /// `POST`, `PUT` or `PATCH` of JSON.
    pub fn write<T: DeserializeOwned>(&self, method: &str, path: &str, body: &impl Serialize) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        read(self.send(&self.brief, method, path, &[("content-type", "application/json")], &body[..])?)
    }

    /// `POST` of JSON that may take as long as it does.
    pub fn write_patiently<T: DeserializeOwned>(&self, method: &str, path: &str, body: &impl Serialize) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        read(self.send(&self.patient, method, path, &[("content-type", "application/json")], &body[..])?)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.send(&self.brief, "DELETE", path, &[], SendBody::none()).map(drop)
    }

    /// `POST` of a form, read from disk as it is sent.
    pub fn upload<T: DeserializeOwned>(&self, path: &str, mut form: Form) -> Result<T> {
        let kind = form.media_type();
        let body = SendBody::from_reader(&mut form);
        let answer = self.send(&self.patient, "POST", path, &[("content-type", &kind)], body);
        match answer {
            Err(ClientError::Unreachable { .. }) if interrupt::asked() => Err(ClientError::Stopped),
            answer => read(answer?),
        }
    }

    /// `GET` of a file. It appears whole or not at all, and takes no other file's place.
    pub fn download(&self, path: &str, to: &Path) -> Result<()> {
        let disk = |source| ClientError::Disk { path: to.to_owned(), source };
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(disk)?;
        let answer = self.send(&self.patient, "GET", path, &[], SendBody::none())?;
        let mut part = tempfile::Builder::new().prefix(".conceptd-").tempfile_in(folder).map_err(disk)?;
        io::copy(&mut answer.into_body().into_reader(), &mut part).map_err(disk)?;
        settle(part, to)
    }

    /// The events of a job behind `last`; `None` if all are told.
    fn events(&self, job: &str, last: i64) -> Result<Option<BodyReader<'static>>> {
        let path = format!("/v1/jobs/{}/events", segment(job));
        let answer =
            self.send(&self.patient, "GET", &path, &[("last-event-id", &last.to_string())], SendBody::none())?;
        Ok((answer.status().as_u16() != 204).then(|| answer.into_body().into_reader()))
    }

    /// Every item of a list, through all pages.
    pub fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        #[derive(serde::Deserialize)]
        struct Page<T> {
            items: Vec<T>,
            next: Option<String>,
        }
        let mut page: Page<T> = self.get(&format!("{path}?{PAGE}"))?;
        let mut items = page.items;
        while let Some(after) = page.next {
            page = self.get(&format!("{path}?{PAGE}&after={}", segment(&after)))?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    fn send(
        &self,
        agent: &Agent,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsSendBody,
    ) -> Result<http::Response<Body>> {
        let unreachable = |reason: String| ClientError::Unreachable { url: self.beacon.url.clone(), reason };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.beacon.url))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        let answer = agent.run(request).map_err(|error| unreachable(error.to_string()))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let problem = serde_json::from_reader(answer.into_body().into_reader());
        Err(problem.map_or_else(|_| ClientError::Answer(status.to_string()), ClientError::Refused))
    }
}

fn read<T: DeserializeOwned>(answer: http::Response<Body>) -> Result<T> {
    serde_json::from_reader(answer.into_body().into_reader()).map_err(|error| ClientError::Answer(error.to_string()))
}

/// Gives a complete file its name, if nothing else has it.
pub fn settle(mut part: tempfile::NamedTempFile, to: &Path) -> Result<()> {
    let disk = |source| ClientError::Disk { path: to.to_owned(), source };
    part.as_file_mut().sync_all().map_err(disk)?;
    // Temporary files are private; what lies in a user's folder is as open as the folder.
    #[cfg(unix)]
    std::fs::set_permissions(part.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).map_err(disk)?;
    match part.persist_noclobber(to) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            match same(error.file.path(), to).map_err(disk)? {
                true => Ok(()),
                false => Err(ClientError::Occupied(to.to_owned())),
            }
        }
        Err(error) => Err(disk(error.error)),
    }
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    if std::fs::metadata(one)?.len() != std::fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(File::open(one)?), io::BufReader::new(File::open(other)?));
    let (mut left, mut right) = ([0; 1 << 16], [0; 1 << 16]);
    loop {
        let count = one.read(&mut left)?;
        other.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] || count == 0 {
            return Ok(count == 0);
        }
    }
}

/// The programs for concepts that a running daemon knows; none without one.
pub fn known_hosts(home: &Home) -> Vec<HostView> {
    let Some(daemon) = Daemon::find(home) else { return Vec::new() };
    daemon.get::<Hosts>("/v1/hosts").map(|hosts| hosts.items).unwrap_or_default()
}

/// What pictures are looked at with here, without the daemon: its hosts may hold the library.
pub fn eyes(home: &Home, config: &Config) -> Eyes {
    let hosts: Vec<PathBuf> = known_hosts(home).into_iter().map(|host| host.folder.into()).collect();
    server::eyes(home, config, &hosts)
}

/// A text as one part of a path or a query.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    // Dots alone would lead elsewhere.
    let dots = text.bytes().all(|byte| byte == b'.');
    let encode = |byte: u8| match plain(byte) && !dots {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Prints what the API would answer.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A list as the API answers, with everything on one page.
pub fn page(items: &impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::json!({ "items": serde_json::to_value(items)?, "next": null }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn parts_of_paths_lead_nowhere_else() {
        assert_eq!(segment("job-1f"), "job-1f");
        assert_eq!(segment("../x y?"), "..%2Fx%20y%3F");
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("é"), "%C3%A9");
    }

    #[test]
    fn a_download_takes_no_other_files_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("a.tar");
        let part = |text: &str| {
            let mut part = tempfile::NamedTempFile::new_in(folder.path()).expect("a file");
            part.write_all(text.as_bytes()).expect("written");
            part
        };
        settle(part("one"), &to).expect("free");
        settle(part("one"), &to).expect("the same");
        assert!(matches!(settle(part("two"), &to), Err(ClientError::Occupied(_))));
        assert_eq!(std::fs::read_to_string(&to).expect("read"), "one");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 1, "nothing is left behind");
    }

    #[test]
    fn without_a_beacon_there_is_no_daemon_and_no_token_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::at(folder.path().to_owned());
        assert!(Daemon::find(&home).is_none());
        let beacon = Beacon { pid: 1, port: 1, url: "http://127.0.0.1:1".into(), version: "0".into() };
        home.light(&beacon).expect("written");
        assert!(Daemon::find(&home).is_none());
        assert!(!home.token_file().exists());
    }
}
