//! The daemon: an HTTP API on loopback over a queue, lanes of workers, and a library of concepts.
//!
//! It never holds model weights: whatever touches pictures or weights happens in worker processes.

mod app;
mod blobs;
mod card;
mod config;
mod error;
mod home;
mod hosts;
mod http;
mod installs;
mod intake;
mod jobs;
mod library;
mod log;
mod metrics;
mod models;
mod planning;
pub mod platform;
mod preparing;
mod session;
mod settings;
mod store;
mod trash;
mod watch;

pub use app::App;
pub use blobs::Blobs;
pub use config::{Config, Layered, layered};
pub use error::{Error, Result};
pub use home::{Beacon, Home, write_whole};
pub use http::openapi;
pub use intake::safe_path;
pub use jobs::{Heard, Worker};
pub use log::keep_log;
pub use models::models_of;
pub use preparing::eyes;
pub use store::Queue;

use jobs::Lane;
use std::{net::TcpListener, sync::Arc, time::Duration};

/// What a request may take to send its head.
const HEAD: Duration = Duration::from_secs(10);
/// Connections at once, for each of the threads that answer.
const CONNECTIONS: usize = 512;
/// Threads that answer requests. They wait most of the time; training has the cores.
const ANSWERING: usize = 2;
/// How long what was made for an idempotency key is remembered.
const REMEMBERED_MS: i64 = 7 * 24 * 3600 * 1000;

/// Serves until the process is asked to end. `ready` is called once requests are answered, with a link that logs one
/// browser in.
///
/// # Errors
/// If the home is taken, the port is taken, or the database cannot be opened.
pub fn serve(
    home: Home,
    settings: Layered,
    program: std::path::PathBuf,
    ready: impl FnOnce(&Beacon, &str),
    asked_to_stop: impl Fn() -> bool + 'static,
) -> Result<()> {
    let config = &settings.config;
    let _lock = home.lock()?;
    let token = home.token()?;
    let address = (config.address, config.port);
    let listen = |source| Error::Listen { address: format!("{}:{}", address.0, address.1), source };
    let listener = TcpListener::bind(address).map_err(listen)?;
    let port = listener.local_addr().map_err(listen)?.port();
    let url = match config.address {
        std::net::IpAddr::V6(address) if address.is_unspecified() => format!("http://[::1]:{port}"),
        std::net::IpAddr::V6(address) => format!("http://[{address}]:{port}"),
        std::net::IpAddr::V4(address) if address.is_unspecified() => format!("http://127.0.0.1:{port}"),
        std::net::IpAddr::V4(address) => format!("http://{address}:{port}"),
    };
    let beacon = Beacon { pid: std::process::id(), port, url, version: env!("CARGO_PKG_VERSION").into() };
    let app = Arc::new(App::open(home.clone(), settings, token, program, port)?);
    jobs::recover(&app.store)?;
    home.clear_staging();
    trash::tidy(&app)?;
    intake::tidy(&app)?;
    installs::tidy(&app)?;
    app.store.forget_requests(store::now_ms() - REMEMBERED_MS)?;
    let result = actix_web::rt::System::new().block_on(run(app, listener, listen, beacon, ready, asked_to_stop));
    home.darken();
    result
}

async fn run(
    app: Arc<App>,
    listener: TcpListener,
    listen: impl Fn(std::io::Error) -> Error,
    beacon: Beacon,
    ready: impl FnOnce(&Beacon, &str),
    asked_to_stop: impl Fn() -> bool + 'static,
) -> Result<()> {
    let data = actix_web::web::Data::from(app.clone());
    let server = actix_web::HttpServer::new(move || http::app(data.clone()))
        .workers(ANSWERING)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD)
        .disable_signals()
        .shutdown_timeout(3)
        .listen(listener)
        .map_err(listen)?
        .run();
    let handle = server.handle();
    let lane = actix_web::rt::spawn(Lane::new(app.clone()).run());
    models::keep_hashed(app.clone());
    installs::keep_tidy(app.clone());
    tokio::task::spawn_local(watch::run(app.clone()));
    app.home.light(&beacon)?;
    ready(&beacon, &http::login_link(&beacon.url, &app.sessions.link()?.0));
    tracing::info!("listening on {}", beacon.url);
    let stopping = app.clone();
    actix_web::rt::spawn(async move {
        while !asked_to_stop() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tracing::info!("stopping");
        stopping.stop();
        handle.stop(true).await;
    });
    server.await.map_err(Error::bug)?;
    // The lane brings its worker to a snapshot first.
    let _ = lane.await;
    Ok(())
}

/// Runs work that waits for a disk on a thread for such work.
pub(crate) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(Error::bug)?
}

/// Random bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Error::bug)?;
    Ok(bytes)
}

/// A new name for a thing, such as `job-3f9a...`.
pub(crate) fn id(kind: &str) -> Result<String> {
    Ok(format!("{kind}-{}", concept::hex(&random::<8>()?)))
}
