//! Requests to a hub and what its answers mean.

use std::time::Duration;

use hf_hub::{Repo, RepoType};
use serde::Deserialize;
use ureq::http::{HeaderMap, Response};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

use super::Hub;
use crate::digest::is_sha256;
use crate::error::{ModelsError, Result};
use crate::source::{is_commit, is_inside};

/// Bytes of a repository's description.
const LARGEST_LISTING: u64 = 16 << 20;
/// Redirects within the hub.
const MOST_REDIRECTS: usize = 5;

/// A hub, spoken to about one repository.
pub(crate) struct Wire<'a> {
    hub: &'a Hub,
    agent: Agent,
    repository: &'a str,
}

/// What a hub says of one file before it is fetched.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Its path in the repository.
    pub(crate) name: String,
    /// Where it is asked for.
    pub(crate) url: String,
    /// The name of its content; its SHA-256 when it lies in large-file storage.
    pub(crate) etag: String,
    /// Its size, when the hub tells.
    pub(crate) bytes: Option<u64>,
}

impl About {
    /// The digest that the content must have.
    pub(crate) fn sha256(&self) -> Option<&str> {
        is_sha256(&self.etag).then_some(self.etag.as_str())
    }
}

/// What a hub says of a repository.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) commit: String,
    pub(crate) names: Vec<String>,
    pub(crate) model_type: Option<String>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(hub: &'a Hub, repository: &'a str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("conceptd/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(hub.patience.min(Duration::from_secs(10))))
            .timeout_recv_response(Some(hub.patience))
            // The time between two pieces, not that of the whole file.
            .timeout_per_read(Some(hub.patience))
            .build();
        Self { hub, agent: config.into(), repository }
    }

    /// The repository at `revision`.
    pub(crate) fn contents(&self, revision: &str) -> Result<Contents> {
        let repo = Repo::with_revision(self.repository.to_owned(), RepoType::Model, revision.to_owned());
        let mut url = format!("{}/api/{}", self.hub.endpoint, repo.api_url());
        let what = format!("repository {} at revision {revision}", self.repository);
        for _ in 0..=MOST_REDIRECTS {
            let request = self.signed(self.agent.get(&url).config().max_redirects(0).build())?;
            let mut answer = request.call().map_err(|error| self.unreachable(&error))?;
            if let Some(next) = self.moved(&answer)? {
                url = next;
                continue;
            }
            self.status(answer.status().as_u16(), &what)?;
            let text = answer.body_mut().with_config().limit(LARGEST_LISTING).read_to_vec();
            return self.listing(&text.map_err(|error| self.unreachable(&error))?);
        }
        Err(self.odd("it redirects in a circle"))
    }

    fn listing(&self, text: &[u8]) -> Result<Contents> {
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        #[derive(Deserialize)]
        struct Config {
            model_type: Option<String>,
        }
        #[derive(Deserialize)]
        struct Model {
            sha: String,
            #[serde(default)]
            siblings: Vec<Sibling>,
            config: Option<Config>,
        }
        let model: Model =
            serde_json::from_slice(text).map_err(|error| self.odd(&format!("its list of files: {error}")))?;
        if !is_commit(&model.sha) {
            return Err(self.odd("the commit that it names is none"));
        }
        let names =
            model.siblings.into_iter().map(|sibling| sibling.rfilename).filter(|name| is_inside(name)).collect();
        Ok(Contents { commit: model.sha, names, model_type: model.config.and_then(|config| config.model_type) })
    }

    /// What the hub says of `file` at `commit`.
    pub(crate) fn about(&self, commit: &str, file: &str) -> Result<About> {
        let mut url = format!("{}/{}/resolve/{commit}/{}", self.hub.endpoint, self.repository, escaped(file));
        let what = format!("{file} of {}", self.repository);
        for _ in 0..=MOST_REDIRECTS {
            let request = self.signed(self.agent.head(&url).config().max_redirects(0).build())?;
            let answer = request.call().map_err(|error| self.unreachable(&error))?;
            if let Some(next) = self.moved(&answer)? {
                url = next;
                continue;
            }
            // A redirect to large-file storage is followed when the file is fetched: its headers are the hub's here.
            if !answer.status().is_redirection() {
                self.status(answer.status().as_u16(), &what)?;
            }
            return self.headers(file, url, answer.status().is_redirection(), answer.headers());
        }
        Err(self.odd("it redirects in a circle"))
    }

    fn headers(&self, file: &str, url: String, moved: bool, headers: &HeaderMap) -> Result<About> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if !text("x-repo-commit").is_some_and(is_commit) {
            return Err(self.odd("it names no commit (header x-repo-commit)"));
        }
        let etag = text("x-linked-etag").or_else(|| text("etag")).map(bare_etag).unwrap_or_default();
        // The etag becomes a file's name.
        let fits = (1..=128).contains(&etag.len())
            && etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !fits {
            return Err(self.odd(&format!("the header etag of {file} is missing or no name")));
        }
        let own = if moved { None } else { text("content-length") };
        let bytes = text("x-linked-size").or(own).and_then(|bytes| bytes.parse().ok());
        Ok(About { name: file.to_owned(), url, etag: etag.to_owned(), bytes })
    }

    /// Asks for the content of `about` from byte `from` on. The token goes to the hub alone, never to where it redirects.
    pub(crate) fn content(&self, about: &About, from: u64) -> Result<Response<Body>> {
        let mut request = self.signed(self.agent.get(&about.url))?;
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call().map_err(|error| self.unreachable(&error))
    }

    /// The error that `status` is, if it is one.
    pub(crate) fn status(&self, status: u16, what: &str) -> Result<()> {
        match status {
            200..=299 => Ok(()),
            401 | 403 => Err(ModelsError::Refused { repository: self.repository.to_owned(), status }),
            404 => Err(ModelsError::NotFound { what: what.to_owned() }),
            408 | 429 | 500..=599 => Err(ModelsError::HubFailed { what: what.to_owned(), status }),
            _ => Err(self.odd(&format!("status {status} for {what}"))),
        }
    }

    /// Where an answer redirects to within the hub: a renamed repository, say.
    fn moved(&self, answer: &Response<Body>) -> Result<Option<String>> {
        if !answer.status().is_redirection() {
            return Ok(None);
        }
        let to = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let to = to.ok_or_else(|| self.odd("it redirects to nowhere"))?;
        let home = origin(&self.hub.endpoint);
        if to.starts_with('/') && !to.starts_with("//") {
            return Ok(Some(format!("{home}{to}")));
        }
        // Mirrors write their own address in full. An answer that names the commit is about the file, and storage comes next.
        let own = to.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'));
        Ok((own && !answer.headers().contains_key("x-repo-commit")).then(|| to.to_owned()))
    }

    /// `request` with the token; packed answers are refused, since sizes and places in a file are of the plain bytes.
    fn signed(&self, request: RequestBuilder<WithoutBody>) -> Result<RequestBuilder<WithoutBody>> {
        let request = request.header("accept-encoding", "identity");
        match &self.hub.token {
            None => Ok(request),
            Some(token) if token.text().bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(request.header("authorization", format!("Bearer {}", token.text())))
            }
            Some(_) => Err(ModelsError::BadToken),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> ModelsError {
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Protocol(_) => self.odd(&error.to_string()),
            _ => ModelsError::NoNetwork { endpoint: self.hub.endpoint.clone(), why: error.to_string() },
        }
    }

    pub(crate) fn odd(&self, why: &str) -> ModelsError {
        ModelsError::BadAnswer { endpoint: self.hub.endpoint.clone(), why: why.to_owned() }
    }
}

/// `W/"abc"` and `"abc"` are abc.
fn bare_etag(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

/// `https://host/hf` without its path.
fn origin(endpoint: &str) -> &str {
    let start = endpoint.find("://").map_or(0, |at| at + 3);
    endpoint[start..].find('/').map_or(endpoint, |at| &endpoint[..start + at])
}

/// A path for an address: all but slashes and plain characters as %XX (RFC 3986).
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_etags_are_taken_apart() {
        assert_eq!(bare_etag("W/\"ab\""), "ab");
        assert_eq!(bare_etag("\"ab\""), "ab");
        assert_eq!(origin("https://mirror.example/hf"), "https://mirror.example");
        assert_eq!(origin("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_eq!(escaped("onnx/a b#é.onnx"), "onnx/a%20b%23%C3%A9.onnx");
    }
}
