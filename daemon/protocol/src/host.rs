//! Programs that draw with concepts (ComfyUI, A1111, Forge), and what is installed where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program that draws with concepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum HostKind {
    /// ComfyUI, in any of its forms.
    Comfyui,
    /// AUTOMATIC1111's web UI.
    A1111,
    /// Forge and its successors.
    Forge,
}

/// Makes a host known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostRequest {
    /// What it is.
    pub kind: HostKind,
    /// Its folder: the one that holds `models`.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["C:/ComfyUI_windows_portable/ComfyUI"]))]
    pub folder: String,
    /// Where it looks for LoRAs, if not where its settings say.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    pub loras: Option<String>,
    /// Where it looks for embeddings, if not where its settings say.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    pub embeddings: Option<String>,
    /// Where it answers when it runs, if not at the usual port.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200), extend("examples" = ["http://127.0.0.1:8188"]))]
    pub url: Option<String>,
}

/// A host that concepts are installed into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostView {
    /// Names it in routes.
    pub id: String,
    /// What it is.
    pub kind: HostKind,
    /// Its folder.
    pub folder: String,
    /// Where LoRAs go.
    pub loras: String,
    /// Where embeddings go.
    pub embeddings: String,
    /// Where it answers when it runs.
    pub url: Option<String>,
    /// Milliseconds since 1970.
    pub created_at_ms: i64,
}

/// Every known host, in the order in which they were made known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hosts {
    /// The hosts.
    pub items: Vec<HostView>,
}

/// A host on this machine, known or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundHost {
    /// What makes it known as it is.
    #[serde(flatten)]
    pub request: HostRequest,
    /// How it was found.
    pub evidence: String,
    /// Its id, if it is known already.
    pub known: Option<String>,
}

/// Hosts on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundHosts {
    /// Running ones first.
    pub items: Vec<FoundHost>,
}

/// How a concept stands in a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstallState {
    /// Its files are there; the host was not asked, since it does not run or cannot say.
    Installed,
    /// Its files are there and the host sees them.
    Seen,
    /// Its files are there, but the host does not see them; the text says what to do.
    Unseen,
    /// Somebody changed or removed a file.
    Changed,
    /// It was uninstalled, but a file is still open in the host; it goes when it can.
    Leaving,
    /// It could not be installed; nothing of it is there.
    Failed,
}

/// A concept in a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstallView {
    /// The concept's id.
    pub concept: String,
    /// The host's id.
    pub host: String,
    /// What the host is.
    pub kind: HostKind,
    /// How it stands.
    pub state: InstallState,
    /// The same for people, with what to do.
    pub text: String,
    /// Name of the files there, without `_lora` and `_embeddings`.
    pub stem: String,
    /// The files there.
    pub files: Vec<String>,
    /// What may keep it from working.
    pub warnings: Vec<String>,
}

/// What to do when a file of that name is there that is not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Conflict {
    /// Take the next free name.
    #[default]
    Suffix,
    /// Install nothing.
    Error,
}

/// Installs a concept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InstallRequest {
    /// Ids of hosts; none for all that are known.
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub hosts: Vec<String>,
    /// What to do when a file of that name is there that is not ours.
    pub conflict: Conflict,
}

/// Uninstalls a concept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UninstallRequest {
    /// Ids of hosts; none for all that have it.
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub hosts: Vec<String>,
}

/// A concept in hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Installs {
    /// One for each host.
    pub items: Vec<InstallView>,
}

/// How a host stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostCheck {
    /// The host.
    pub host: HostView,
    /// Whether it answers; null without a URL.
    pub running: Option<bool>,
    /// What is wrong with it and what to do.
    pub problems: Vec<String>,
    /// What is installed there.
    pub installs: Vec<InstallView>,
}
