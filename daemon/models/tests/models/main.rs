//! The store against a hub that runs in the test, and against the folders of other programs.

mod failures;
mod fetch;
mod found;
mod server;
mod shared;
mod store;

use std::path::Path;
use std::time::Duration;

use models::{Hub, Listed, Progress, Store};

/// A store below `home` that fetches from `endpoint` into `home/hub`, quick to give up.
pub fn store(home: &Path, endpoint: &str) -> Store {
    Store::with_hub(&home.join("models"), hub(home, endpoint))
}

/// The hub at `endpoint`, with its cache in `home/hub`.
pub fn hub(home: &Path, endpoint: &str) -> Hub {
    let mut hub = Hub::from_vars(|_| None, Some(home));
    hub.endpoint = endpoint.to_owned();
    hub.cache = home.join("hub");
    hub.patience = Duration::from_secs(10);
    hub.pause = Duration::from_millis(1);
    hub
}

/// A watch that never stops the work.
pub fn go(_: Progress<'_>) -> bool {
    true
}

/// The names of the models that can be used.
pub fn ready(store: &Store) -> Vec<String> {
    let listed = store.list().expect("lists");
    listed
        .into_iter()
        .filter_map(|listed| match listed {
            Listed::Ready(model) => Some(model.id),
            Listed::Broken { .. } => None,
        })
        .collect()
}

/// Bytes that repeat late: a piece in the wrong place shows.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}
