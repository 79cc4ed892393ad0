//! A hub that speaks Hugging Face's protocol, and the cache that programs on this machine share.
//!
//! The crate `hf-hub` gives the names: folders of the cache, addresses of repositories. The transfer is ours, since `hf-hub` 0.5
//! cannot be stopped, compares no digest, appends to a partial file even when the server sends it whole, fails forever on a partial
//! file that is complete, and panics on redirects that it does not expect.

mod bring;
mod cache;
mod download;
mod wire;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use bring::{Order, Wish};
pub(crate) use cache::{is_shown, snapshots};

/// The hub where models are published.
const PUBLIC: &str = "https://huggingface.co";

/// A hub token; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token from a setting or file, spaces around it removed; `None` when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where models are fetched from, and the cache that they go to.
#[derive(Debug, Clone)]
pub struct Hub {
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// The shared cache (`blobs`, `refs` and `snapshots` of each repository).
    pub cache: PathBuf,
    /// Sent to the endpoint, never to where it redirects.
    pub token: Option<Token>,
    /// Whether requests are forbidden.
    pub offline: bool,
    /// Whether snapshots link to blobs. Without, and where links fail (Windows without developer mode), files move into the
    /// snapshot, as Python's `huggingface_hub` does.
    pub links: bool,
    /// How long a silent server is waited for.
    pub patience: Duration,
    /// The pause after a broken connection; it grows with each failure in a row.
    pub pause: Duration,
}

impl Hub {
    /// The settings of this process's environment.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var_os(name), std::env::home_dir().as_deref())
    }

    /// The settings that the variables say, by Python's rules: `HF_HUB_CACHE` (or `HUGGINGFACE_HUB_CACHE`), else `hub` in
    /// `HF_HOME`, else in `$XDG_CACHE_HOME/huggingface` or `~/.cache/huggingface`; `HF_ENDPOINT`; `HF_TOKEN`, else the file at
    /// `HF_TOKEN_PATH` or `token` in `HF_HOME`, unless `HF_HUB_DISABLE_IMPLICIT_TOKEN`; `HF_HUB_OFFLINE` (or
    /// `TRANSFORMERS_OFFLINE`); `HF_HUB_DISABLE_SYMLINKS`.
    pub fn from_vars(var: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Self {
        let text = |name: &str| var(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).filter(|value| !value.is_empty()).map(|value| expanded(value.into(), home));
        let yes = |name: &str| text(name).is_some_and(|value| is_true(&value));

        let base = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").unwrap_or_else(|| home.unwrap_or(Path::new(".")).join(".cache"));
            caches.join("huggingface")
        });
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| base.join("hub"));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")).as_deref().and_then(Token::new);
        let token = token.or_else(|| {
            let file = path("HF_TOKEN_PATH").unwrap_or_else(|| base.join("token"));
            if yes("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { Token::new(&std::fs::read_to_string(file).ok()?) }
        });
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC.to_owned()).trim_end_matches('/').to_owned(),
            cache: std::path::absolute(&cache).unwrap_or(cache),
            token,
            offline: yes("HF_HUB_OFFLINE") || yes("TRANSFORMERS_OFFLINE"),
            links: !yes("HF_HUB_DISABLE_SYMLINKS"),
            patience: Duration::from_secs(30),
            pause: Duration::from_secs(1),
        }
    }
}

fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// `~` at the start of `path` is the home folder.
fn expanded(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(vars: &[(&str, &str)], home: &Path) -> Hub {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Hub::from_vars(find, Some(home))
    }

    #[test]
    fn the_cache_is_where_python_looks() {
        let folder = tempfile::tempdir().expect("folder");
        let home = folder.path();
        assert_eq!(hub(&[], home).cache, home.join(".cache").join("huggingface").join("hub"));
        assert_eq!(hub(&[("HF_HOME", "~/hf")], home).cache, home.join("hf").join("hub"));
        assert_eq!(hub(&[("HF_HOME", "~/hf"), ("HF_HUB_CACHE", "~/c")], home).cache, home.join("c"));
        assert_eq!(hub(&[("HUGGINGFACE_HUB_CACHE", "~/d"), ("HF_HUB_CACHE", "")], home).cache, home.join("d"));
        assert_eq!(hub(&[("XDG_CACHE_HOME", "~/x")], home).cache, home.join("x").join("huggingface").join("hub"));
        assert!(hub(&[("HF_HUB_CACHE", "relative")], home).cache.is_absolute());
    }

    #[test]
    fn tokens_come_from_the_environment_or_the_login_and_are_never_shown() {
        let folder = tempfile::tempdir().expect("folder");
        let home = folder.path();
        assert_eq!(hub(&[], home).token, None);
        std::fs::create_dir_all(home.join("hf")).expect("creates");
        std::fs::write(home.join("hf").join("token"), " hf_file\n").expect("writes");
        let logged_in = ("HF_HOME", "~/hf");
        assert_eq!(hub(&[logged_in], home).token, Token::new("hf_file"));
        assert_eq!(hub(&[logged_in, ("HF_TOKEN", "hf_env")], home).token, Token::new("hf_env"));
        assert_eq!(hub(&[logged_in, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], home).token, None);
        assert!(!format!("{:?}", hub(&[("HF_TOKEN", "hf_env")], home)).contains("hf_env"));
    }

    #[test]
    fn switches_are_read_as_python_reads_them() {
        let home = Path::new("/");
        let plain = hub(&[("HF_HUB_OFFLINE", "0")], home);
        assert_eq!((plain.offline, plain.links, plain.endpoint.as_str()), (false, true, PUBLIC));
        assert!(hub(&[("HF_HUB_OFFLINE", "1")], home).offline);
        assert!(hub(&[("TRANSFORMERS_OFFLINE", "YES")], home).offline);
        assert!(!hub(&[("HF_HUB_DISABLE_SYMLINKS", "true")], home).links);
        assert_eq!(hub(&[("HF_ENDPOINT", "http://mirror/hf/")], home).endpoint, "http://mirror/hf");
    }
}
