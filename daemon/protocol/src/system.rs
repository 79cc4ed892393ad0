//! The daemon itself as clients see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the daemon is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// Which daemon this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Of the program.
    pub version: String,
    /// Of this API.
    pub api: u32,
    /// What jobs are trained on: `cpu` or `cuda`.
    pub device: String,
}

/// A link that logs a browser in, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginLink {
    /// Open this.
    pub url: String,
    /// Until when, in milliseconds since 1970.
    pub expires_at_ms: i64,
}

/// Logs a browser in: by the code of a link, or by the token. The answer sets a cookie that scripts cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The code of a link, or the token.
    #[schemars(length(min = 1, max = 200))]
    pub secret: String,
}

/// A browser that is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginView {
    /// What the page sends as `X-Conceptd-Key` with every request that is not a picture, a download or a stream of events.
    /// Cookies go to every server of a machine; this stays with the page.
    pub key: String,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SettingOrigin {
    /// Nobody set it.
    Default,
    /// `config.toml`.
    File,
    /// A variable such as `CONCEPTD_PORT`.
    Environment,
    /// A flag of the command.
    Flag,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SettingView {
    /// With a dot for what is inside, such as `limits.pictures`.
    pub name: String,
    /// What it is for.
    pub help: String,
    /// In effect.
    pub value: serde_json::Value,
    /// In `config.toml` now, if that is something else; in effect from the next start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<serde_json::Value>,
    /// Where the value in effect comes from.
    pub origin: SettingOrigin,
    /// Whether it can be changed here.
    pub changeable: bool,
}

/// Every setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The file that keeps them.
    pub file: String,
    /// By name.
    pub items: Vec<SettingView>,
}

/// Changes settings in `config.toml`; they are in effect from the next start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// By name; null for the default.
    pub values: std::collections::BTreeMap<String, serde_json::Value>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Well.
    Ok,
    /// Something is worse than it could be.
    Warn,
    /// Something does not work.
    Fail,
}

/// What was looked at, what was found, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    /// It is well.
    pub fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    /// It is worse than it could be.
    pub fn warn(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    /// It does not work.
    pub fn fail(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(name, found, fix) }
    }
}

/// What `conceptd doctor` finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoctorView {
    /// Whether nothing failed.
    pub ok: bool,
    /// The home folder.
    pub home: String,
    /// Everything that was looked at.
    pub checks: Vec<Check>,
}

/// What is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Pictures of a data set.
    #[schemars(range(min = 1))]
    pub pictures: u64,
    /// Bytes of one file.
    #[schemars(range(min = 1), extend("x-unit" = "bytes"))]
    pub file_bytes: u64,
    /// Bytes of a data set, unpacked.
    #[schemars(range(min = 1), extend("x-unit" = "bytes"))]
    pub dataset_bytes: u64,
    /// Pixels of one picture.
    #[schemars(range(min = 1), extend("x-unit" = "pixels"))]
    pub picture_pixels: u64,
    /// Bytes of a JSON body.
    #[schemars(range(min = 1024), extend("x-unit" = "bytes"))]
    pub json_bytes: u64,
    /// Jobs that wait.
    #[schemars(range(min = 1))]
    pub queued_jobs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pictures: 5000,
            file_bytes: 100_000_000,
            dataset_bytes: 4_000_000_000,
            picture_pixels: 100_000_000,
            json_bytes: 32_000_000,
            queued_jobs: 1000,
        }
    }
}
