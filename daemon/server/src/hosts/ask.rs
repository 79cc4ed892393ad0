//! What a running host is asked: what it sees, what it is at, to let go of its memory. Each question is short and may find
//! nobody.

use protocol::HostKind;
use serde_json::{Value, json};
use std::{sync::LazyLock, time::Duration};
use ureq::Agent;

/// What a host may take to say that it is there; it is on this machine or beside it.
const KNOCK: Duration = Duration::from_millis(800);
/// What an answer may take: refreshing lists reads folders.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer that is read.
const LONGEST: u64 = 16 << 20;
/// The node that asks for trainings: what it runs is no drawing.
const TRAINING_NODE: &str = "ConceptdTrain";

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    // Hosts are spoken to directly, whatever proxy the environment names.
    let config = Agent::config_builder().http_status_as_error(false).proxy(None).max_redirects(0);
    config.timeout_connect(Some(KNOCK)).timeout_global(Some(PATIENCE)).build().into()
});

/// A running host.
pub struct Line {
    kind: HostKind,
    url: String,
}

/// Whether a host sees the files of a concept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Its LoRA.
    pub lora: bool,
    /// Its embedding; `None` if the host cannot say.
    pub embedding: Option<bool>,
}

/// What a host is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Nothing.
    Idle,
    /// It draws.
    Draws,
    /// It waits for a training that one of its prompts asked for.
    Trains,
}

/// JSON from a host; `None` if it does not answer so.
pub fn get(url: &str, path: &str) -> Option<Value> {
    let answer = AGENT.get(format!("{}{path}", url.trim_end_matches('/'))).call().ok()?;
    json_of(answer)
}

fn post(url: &str, path: &str, body: &Value) -> Option<Value> {
    let answer = AGENT.post(format!("{}{path}", url.trim_end_matches('/'))).send_json(body).ok()?;
    json_of(answer)
}

fn json_of(mut answer: ureq::http::Response<ureq::Body>) -> Option<Value> {
    if !answer.status().is_success() {
        return None;
    }
    let text = answer.body_mut().with_config().limit(LONGEST).read_to_string().ok()?;
    // An answer without a body is a yes.
    if text.trim().is_empty() { Some(Value::Null) } else { serde_json::from_str(&text).ok() }
}

/// The host that answers at a URL.
pub fn who(url: &str) -> Option<HostKind> {
    if get(url, "/system_stats").is_some_and(|stats| stats["devices"].is_array()) {
        return Some(HostKind::Comfyui);
    }
    if let Some(state) = get(url, "/conceptd/state") {
        return serde_json::from_value(state["kind"].clone()).ok();
    }
    get(url, "/internal/ping").is_some_and(|pong| pong.is_object()).then_some(HostKind::A1111)
}

impl Line {
    /// To a host of a kind.
    pub fn new(kind: HostKind, url: &str) -> Self {
        Self { kind, url: url.trim_end_matches('/').to_owned() }
    }

    /// Whether anybody answers.
    pub fn answers(&self) -> bool {
        match self.kind {
            HostKind::Comfyui => get(&self.url, "/queue").is_some(),
            HostKind::A1111 | HostKind::Forge => get(&self.url, "/internal/ping").is_some(),
        }
    }

    /// Whether the host sees the files of `stem` after looking again; `None` if it does not run.
    pub fn sees(&self, stem: &str) -> Option<Sight> {
        let (lora, embedding) = (format!("{stem}_lora"), format!("{stem}_embeddings"));
        match self.kind {
            HostKind::Comfyui => {
                let loras = get(&self.url, "/models/loras")?;
                let embeddings = get(&self.url, "/embeddings");
                let has = |list: &Value, wanted: &str| {
                    let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
                    list.map(base_name).any(|name| name == wanted)
                };
                Some(Sight { lora: has(&loras, &lora), embedding: embeddings.map(|list| has(&list, &embedding)) })
            }
            HostKind::A1111 | HostKind::Forge => {
                if let Some(seen) = post(&self.url, "/conceptd/refresh", &json!({ "stem": stem })) {
                    return Some(Sight { lora: seen["lora"] == true, embedding: seen["embedding"].as_bool() });
                }
                post(&self.url, "/sdapi/v1/refresh-loras", &json!({}))?;
                let loras = get(&self.url, "/sdapi/v1/loras")?;
                let lora = loras.as_array().is_some_and(|list| list.iter().any(|one| one["name"] == lora.as_str()));
                // These two are there with `--api` only. Forge lists what lies in the folder, not what it loaded.
                let embeddings = post(&self.url, "/sdapi/v1/refresh-embeddings", &json!({}))
                    .filter(|_| self.kind == HostKind::A1111)
                    .and_then(|_| get(&self.url, "/sdapi/v1/embeddings"));
                let embedding = embeddings
                    .map(|list| ["loaded", "skipped"].iter().any(|which| list[which].get(&embedding).is_some()));
                Some(Sight { lora, embedding })
            }
        }
    }

    /// What the host is at; `None` if it does not run or cannot say.
    pub fn busy(&self) -> Option<Busy> {
        match self.kind {
            HostKind::Comfyui => {
                let queue = get(&self.url, "/queue")?;
                Some(match queue["queue_running"].as_array().map(Vec::as_slice).unwrap_or_default() {
                    [] => Busy::Idle,
                    running if running.iter().all(|prompt| trains(&prompt[2])) => Busy::Trains,
                    _ => Busy::Draws,
                })
            }
            HostKind::A1111 | HostKind::Forge => {
                let draws = match get(&self.url, "/conceptd/state") {
                    Some(state) => state["busy"].as_bool()?,
                    None => {
                        let progress = get(&self.url, "/sdapi/v1/progress?skip_current_image=true")?;
                        progress["state"]["job_count"].as_i64().is_some_and(|jobs| jobs > 0)
                    }
                };
                Some(if draws { Busy::Draws } else { Busy::Idle })
            }
        }
    }

    /// Asks the host to let go of its models. Whether it does shows in memory alone: ComfyUI only notes the wish.
    pub fn free(&self) -> bool {
        match self.kind {
            HostKind::Comfyui => {
                post(&self.url, "/free", &json!({ "unload_models": true, "free_memory": true })).is_some()
            }
            HostKind::A1111 | HostKind::Forge => match post(&self.url, "/conceptd/free", &json!({})) {
                Some(said) => said["freed"] == true,
                None => post(&self.url, "/sdapi/v1/unload-checkpoint", &json!({})).is_some(),
            },
        }
    }

    /// Bytes of the card that the host holds, as it measures them; `None` without a card, or if it cannot say.
    pub fn held_bytes(&self) -> Option<u64> {
        match self.kind {
            HostKind::Comfyui => {
                let stats = get(&self.url, "/system_stats")?;
                let card = &stats["devices"][0];
                // On a processor these two count the machine's memory.
                (card["type"] != "cpu").then(|| card["torch_vram_total"].as_u64())?
            }
            HostKind::A1111 | HostKind::Forge => match get(&self.url, "/conceptd/state") {
                Some(state) => state["held_bytes"].as_u64(),
                None => get(&self.url, "/sdapi/v1/memory")?["cuda"]["reserved"]["current"].as_u64(),
            },
        }
    }
}

/// A listed file without its folders and its kind.
fn base_name(listed: &str) -> &str {
    let name = listed.rsplit(['/', '\\']).next().unwrap_or(listed);
    name.strip_suffix(".safetensors").unwrap_or(name)
}

/// Whether a prompt's graph holds our node.
fn trains(graph: &Value) -> bool {
    graph.as_object().is_some_and(|nodes| nodes.values().any(|node| node["class_type"] == TRAINING_NODE))
}
