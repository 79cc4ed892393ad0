//! A hub for tests: the routes, headers and redirects of the public one, and its mishaps on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use sha2::{Digest, Sha256};

/// The commit that every revision is.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One repository and how it is served.
#[derive(Default)]
pub struct World {
    pub repository: String,
    /// Name, content, and whether it lies in large-file storage.
    pub files: BTreeMap<String, (Vec<u8>, bool)>,
    pub model_type: Option<String>,
    /// Requests without this token get 401.
    pub token: Option<String>,
    /// The status of every answer of the hub.
    pub status: Option<u16>,
    /// The body of every answer of the hub, as a proxy's login page.
    pub page: Option<String>,
    /// A header of the answers about files, in place of the true one.
    pub header: Option<(&'static str, String)>,
    /// After how many bytes the next downloads are cut.
    pub cuts: VecDeque<usize>,
    /// Cut downloads stay open, silent, instead.
    pub silent: bool,
    /// Storage sends the whole whatever piece is asked for.
    pub whole: bool,
    /// Storage sends other bytes of the same length.
    pub wrong: bool,
    /// The repository's old name, from which the hub redirects.
    pub old_name: Option<String>,
    /// Whether that redirect writes the hub's address in full.
    pub full: bool,
    /// What was asked for: method, path, range, token.
    pub log: Vec<Asked>,
    /// Bytes of bodies sent from storage.
    pub sent: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub token: Option<String>,
}

pub struct Server {
    pub url: String,
    world: Arc<Mutex<World>>,
}

impl Server {
    pub fn start(repository: &str, files: &[(&str, &[u8], bool)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let files = files.iter().map(|(name, bytes, large)| ((*name).to_owned(), (bytes.to_vec(), *large))).collect();
        let world = Arc::new(Mutex::new(World { repository: repository.to_owned(), files, ..World::default() }));
        let (shared, base) = (Arc::clone(&world), url.clone());
        // Ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (world, base) = (Arc::clone(&shared), base.clone());
                thread::spawn(move || answer(stream, &world, &base));
            }
        });
        Self { url, world }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test panicked")
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.world().log)
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The etag of a small file: 40 digits, as git's.
pub fn small_etag(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

fn answer(mut stream: TcpStream, world: &Mutex<World>, base: &str) {
    let mut lines = BufReader::new(stream.try_clone().expect("clones")).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(' ').map(str::to_owned);
    let mut asked =
        Asked { method: words.next().unwrap_or_default(), path: words.next().unwrap_or_default(), ..Asked::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())) {
            Some((name, value)) if name == "range" => asked.range = Some(value),
            Some((name, value)) if name == "authorization" => asked.token = Some(value),
            _ => {}
        }
    }
    let (head, body, silent) = reply(&mut world.lock().expect("no test panicked"), &asked, base);
    let _ = stream.write_all(head.as_bytes());
    if asked.method == "GET" {
        let _ = stream.write_all(&body);
    }
    if silent {
        thread::sleep(std::time::Duration::from_secs(5));
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn head(status: u16, headers: &[(&str, String)], length: usize) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n")
}

/// The head, the body and whether the connection stays open behind it.
fn reply(world: &mut World, asked: &Asked, base: &str) -> (String, Vec<u8>, bool) {
    world.log.push(asked.clone());
    if let Some(digest) = asked.path.strip_prefix("/storage/") {
        let content = world.files.values().find(|(bytes, _)| sha256(bytes) == digest).map(|(bytes, _)| bytes.clone());
        return match content {
            Some(content) => send(world, asked, content, &[]),
            None => (head(404, &[], 0), Vec::new(), false),
        };
    }
    if let Some(page) = &world.page {
        return (head(world.status.unwrap_or(200), &[], page.len()), page.clone().into_bytes(), false);
    }
    if let Some(status) = world.status {
        return (head(status, &[], 0), Vec::new(), false);
    }
    if world.token.as_ref().is_some_and(|token| asked.token != Some(format!("Bearer {token}"))) {
        return (head(401, &[], 0), Vec::new(), false);
    }
    if let Some(old) = world.old_name.as_ref().filter(|old| asked.path.contains(old.as_str())) {
        let to = asked.path.replace(old.as_str(), &world.repository);
        let to = if world.full { format!("{base}{to}") } else { to };
        return (head(307, &[("location", to)], 0), Vec::new(), false);
    }
    if asked.path.starts_with(&format!("/api/models/{}/revision/", world.repository)) {
        return listing(world);
    }
    let file = asked
        .path
        .strip_prefix(&format!("/{}/resolve/{COMMIT}/", world.repository))
        .and_then(|name| world.files.get(name).cloned());
    match file {
        Some((content, large)) => file_head(world, asked, content, large, base),
        None => (head(404, &[], 0), Vec::new(), false),
    }
}

fn listing(world: &World) -> (String, Vec<u8>, bool) {
    let names: Vec<_> = world.files.keys().map(|name| format!("{{\"rfilename\": {name:?}}}")).collect();
    let config = world.model_type.as_ref().map_or("null".to_owned(), |name| format!("{{\"model_type\": {name:?}}}"));
    let json = format!("{{\"sha\": \"{COMMIT}\", \"siblings\": [{}], \"config\": {config}}}", names.join(", "));
    (head(200, &[("content-type", "application/json".to_owned())], json.len()), json.into_bytes(), false)
}

fn file_head(world: &mut World, asked: &Asked, content: Vec<u8>, large: bool, base: &str) -> (String, Vec<u8>, bool) {
    let mut headers = vec![("x-repo-commit", COMMIT.to_owned())];
    if large {
        headers.push(("x-linked-etag", format!("\"{}\"", sha256(&content))));
        headers.push(("x-linked-size", content.len().to_string()));
        headers.push(("location", format!("{base}/storage/{}", sha256(&content))));
    } else {
        headers.push(("etag", format!("W/\"{}\"", small_etag(&content))));
    }
    if let Some((name, value)) = &world.header {
        headers.retain(|(other, _)| other != name);
        headers.push((name, value.clone()));
    }
    headers.retain(|(_, value)| !value.is_empty());
    if large {
        (head(302, &headers, 0), Vec::new(), false)
    } else if asked.method == "HEAD" {
        (head(200, &headers, content.len()), Vec::new(), false)
    } else {
        send(world, asked, content, &headers)
    }
}

/// A content, or the piece that is asked for, cut where the world says.
fn send(world: &mut World, asked: &Asked, mut content: Vec<u8>, headers: &[(&str, String)]) -> (String, Vec<u8>, bool) {
    if world.wrong {
        content.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let whole = content.len();
    let from = asked.range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let from = from.filter(|_| !world.whole).unwrap_or(0);
    if from > 0 && from >= whole {
        return (head(416, &[("content-range", format!("bytes */{whole}"))], 0), Vec::new(), false);
    }
    let mut body = content.split_off(from);
    let mut headers = headers.to_vec();
    if from > 0 {
        headers.push(("content-range", format!("bytes {from}-{}/{whole}", whole - 1)));
    }
    let head = head(if from > 0 { 206 } else { 200 }, &headers, body.len());
    let cut = world.cuts.pop_front();
    body.truncate(cut.unwrap_or(usize::MAX));
    world.sent += body.len();
    (head, body, cut.is_some() && world.silent)
}
