//! A server that speaks OpenAI's chat interface and takes pictures, such as Ollama or llama.cpp on this computer: it may
//! describe pictures and rewrite captions. Nothing asks it unless the user has named it.
//!
//! The server is not trusted: what it answers is held to limits, checked, and refused as a whole when anything is amiss, so
//! that the caller goes on with what it has. No redirect is followed and no proxy asked, since the request carries the key.

mod captioner;
mod check;
mod rewrite;

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{StatusCode, Uri};

use crate::error::{Error, Result};

pub use captioner::EndpointCaptioner;

/// No answer is longer (bytes), counted after unpacking.
const MAX_ANSWER: u64 = 1 << 20;
/// How long an answer may take when the user says nothing; a large model on a processor is slow.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A server, one of its models, and how to ask it.
#[derive(Clone)]
pub struct Endpoint {
    url: String,
    /// The address as it may be shown: without path.
    shown: String,
    model: String,
    api_key: Option<String>,
    timeout: Duration,
    agent: Agent,
}

impl Endpoint {
    /// The server at `url`: its address (`http://127.0.0.1:11434`), with or without `/v1` or `/v1/chat/completions` behind it;
    /// `model` is the model's name there.
    ///
    /// # Errors
    /// When the address is none of `http` or `https`, or holds a password, a question mark or a hash.
    pub fn new(url: &str, model: &str) -> Result<Self> {
        let (url, shown) = address(url)?;
        if model.trim().is_empty() {
            return Err(refused(&shown, "can't be asked without the name of one of its models"));
        }
        let model = model.trim().to_owned();
        Ok(Self { url, shown, model, api_key: None, timeout: TIMEOUT, agent: agent(TIMEOUT) })
    }

    /// The same server, which wants a key.
    ///
    /// # Errors
    /// When the key holds anything but visible ASCII characters; it is not in the message.
    pub fn with_api_key(mut self, key: &str) -> Result<Self> {
        let key = key.trim();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused(&self.shown, "can't be given this key: it holds characters that no key has"));
        }
        self.api_key = Some(key.to_owned());
        Ok(self)
    }

    /// The same server, with another limit for the time from the question to the end of the answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.agent = agent(timeout);
        self
    }

    /// The model's answer to a system message and a user's; `length` is the most tokens it may have.
    fn ask(&self, system: &str, user: &Value, length: usize) -> Result<String> {
        let body = json!({
            "model": self.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "temperature": 0,
            "max_tokens": length,
            "stream": false,
        });
        let bytes = self.post(body.to_string().as_bytes()).map_err(|error| self.wrong(self.reason(&error)))??;
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| {
            self.wrong("answered with something else than a chat completion; is the address that of its API?")
        })?;
        let Some(choice) = answer.choices.into_iter().next() else {
            return Err(self.wrong("gave an answer without any choice"));
        };
        if choice.finish_reason.as_deref() == Some("length") {
            return Err(self.wrong("gave an answer that was cut short"));
        }
        choice.message.content.ok_or_else(|| self.wrong("gave an answer without text"))
    }

    /// The body of the answer. The outer error is the transport's, the inner one that of an answer that came.
    fn post(&self, body: &[u8]) -> std::result::Result<Result<Vec<u8>>, ureq::Error> {
        let mut request = self.agent.post(&self.url).header("Content-Type", "application/json");
        if let Some(key) = &self.api_key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = request.send(body)?;
        // The body of a refusal is not shown: it may repeat what was sent, the key among it.
        if let Some(what) = refusal(response.status()) {
            return Ok(Err(self.wrong(what)));
        }
        response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map(Ok)
    }

    fn reason(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => format!("did not answer within {} s", self.timeout.as_secs_f32()),
            ureq::Error::HostNotFound => "has a name that is not known in the network".to_owned(),
            ureq::Error::BodyExceedsLimit(_) => "answered with more than 1 MiB".to_owned(),
            ureq::Error::Io(error) => format!("can't be reached, or broke off ({error})"),
            ureq::Error::ConnectionFailed => "can't be reached".to_owned(),
            ureq::Error::TlsRequired => "wants HTTPS, which was left out of this program".to_owned(),
            other => format!("did not speak HTTP as it should ({other})"),
        }
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        refused(&self.shown, what)
    }
}

/// Without the key.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.api_key.as_ref().map(|_| "(hidden)");
        let mut debug = f.debug_struct("Endpoint");
        debug.field("url", &self.url).field("model", &self.model).field("api_key", &key);
        debug.field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What is read of an answer (OpenAI's "chat completion object").
#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

fn refused(shown: &str, what: impl Into<String>) -> Error {
    Error::Endpoint { url: shown.to_owned(), what: what.into() }
}

fn agent(timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        // A packed answer could be small here and huge when unpacked.
        .accept_encoding("identity")
        .user_agent("conceptd");
    config.build().into()
}

/// Where to ask, and how to call that place in messages.
fn address(url: &str) -> Result<(String, String)> {
    let no_address = |what: &str| refused("the given address", format!("can't be asked: {what}"));
    let uri: Uri = url.trim().parse().map_err(|_| no_address("it is no address such as http://127.0.0.1:11434/v1"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(no_address("it does not begin with http:// or https://"));
    };
    if scheme != "http" && scheme != "https" {
        return Err(no_address("it does not begin with http:// or https://"));
    }
    if authority.as_str().contains('@') {
        return Err(no_address("it holds a user or a password; give the key in its own place"));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(no_address("it holds a question mark or a hash"));
    }
    let shown = format!("{scheme}://{authority}");
    let path = match uri.path().trim_end_matches('/') {
        "" => "/v1/chat/completions".to_owned(),
        path if path.ends_with("/chat/completions") => path.to_owned(),
        path => format!("{path}/chat/completions"),
    };
    Ok((format!("{shown}{path}"), shown))
}

/// Why an answer with this status is of no use.
fn refusal(status: StatusCode) -> Option<String> {
    let code = status.as_u16();
    match code {
        200..=299 => None,
        300..=399 => {
            Some(format!("sends elsewhere (status {code}), which is not followed; name the place where it is"))
        }
        401 | 403 => Some(format!("does not accept the key (status {code})")),
        404 => Some("knows no such model or address (status 404)".to_owned()),
        _ => Some(format!("answered with status {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed() {
        for (given, asked) in [
            ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
            (" http://localhost:8080/ ", "http://localhost:8080/v1/chat/completions"),
            ("https://example.org/api/v1/", "https://example.org/api/v1/chat/completions"),
            ("http://[::1]:8080/v1/chat/completions", "http://[::1]:8080/v1/chat/completions"),
        ] {
            assert_eq!(address(given).expect("an address").0, asked);
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_and_its_password_not_repeated() {
        for given in [
            "",
            "localhost",
            "ftp://a/b",
            "file:///etc",
            "http://me:geheim@a/v1",
            "http://a/v1?key=geheim",
            "http://a/#geheim",
        ] {
            let error = address(given).expect_err("no address").to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn the_key_is_in_no_debug_text_and_must_fit_a_header() {
        let endpoint = Endpoint::new("http://127.0.0.1:1", "m").expect("an address");
        let with_key = endpoint.clone().with_api_key("sk-geheim").expect("a key");
        assert!(!format!("{with_key:?}").contains("geheim"));
        let error = endpoint.with_api_key("geheim\r\nHost: x").expect_err("no key");
        assert!(!error.to_string().contains("geheim") && !format!("{error:?}").contains("geheim"));
    }
}
