//! Mishaps: each is told by name with its cure, nothing counts as installed, and afterwards all is well again.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use models::{Doing, ModelsError, Source, Store};

use crate::server::{Server, sha256};
use crate::{bytes, go, hub, ready, store};

const REPOSITORY: &str = "SmilingWolf/wd-vit-tagger-v3";

fn tagger(model: &[u8]) -> Server {
    Server::start(REPOSITORY, &[("model.onnx", model, true), ("selected_tags.csv", b"tags", false)])
}

fn known() -> Source {
    Source::Known("wd-vit-tagger-v3".to_owned())
}

fn nothing_is_installed(store: &Store) {
    assert!(store.list().expect("lists").is_empty());
}

#[test]
fn other_bytes_than_promised_are_thrown_away() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(300_000);
    let server = tagger(&model);
    server.world().wrong = true;
    let store = store(home.path(), &server.url);
    let error = store.add(&known(), &mut go).expect_err("wrong bytes");
    assert!(matches!(&error, ModelsError::Mismatch { expected, .. } if *expected == sha256(&model)), "{error}");
    nothing_is_installed(&store);
    let shelf = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3");
    assert_eq!(fs::read_dir(shelf.join("blobs")).expect("blobs").count(), 0, "no other program finds them either");
    assert!(!shelf.join("snapshots").exists() && !shelf.join("refs").exists());
    server.world().wrong = false;
    store.add(&known(), &mut go).expect("adds");
    assert_eq!(ready(&store), ["wd-vit-tagger-v3"]);
}

#[test]
fn a_pinned_file_is_taken_as_those_bytes_only() {
    let home = tempfile::tempdir().expect("home");
    let server =
        Server::start("opencv/face_detection_yunet", &[("face_detection_yunet_2023mar.onnx", b"another", true)]);
    let store = store(home.path(), &server.url);
    let error = store.add(&Source::Known("yunet".to_owned()), &mut go).expect_err("not those bytes");
    assert!(error.to_string().contains("add opencv/face_detection_yunet@main"), "{error}");
    nothing_is_installed(&store);
    // Who asks for the repository's file as it is now gets it.
    let source = Source::parse("opencv/face_detection_yunet@main").expect("a source");
    assert_eq!(store.add(&source, &mut go).expect("adds").form, models::Form::YuNet);
}

#[test]
fn a_connection_that_keeps_breaking_is_given_up_and_resumed_the_next_time() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(100_000);
    let server = tagger(&model);
    server.world().cuts = [60_000, 0, 0, 0, 0, 0].into();
    let store = store(home.path(), &server.url);
    let error = store.add(&known(), &mut go).expect_err("interrupted");
    assert!(matches!(&error, ModelsError::Interrupted { got: 60_000, of: 100_000, .. }), "{error}");
    nothing_is_installed(&store);
    store.add(&known(), &mut go).expect("adds");
    assert_eq!(server.world().sent, 100_000 + 4);
}

#[test]
fn a_silent_server_is_not_waited_for_forever() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(100_000);
    let server = tagger(&model);
    server.world().cuts = [10_000].into();
    server.world().silent = true;
    let mut hub = hub(home.path(), &server.url);
    hub.patience = Duration::from_millis(300);
    let started = Instant::now();
    let store = Store::with_hub(&home.path().join("models"), hub);
    assert_eq!(store.add(&known(), &mut go).expect("goes on").files[0].sha256, sha256(&model));
    assert!(started.elapsed() < Duration::from_secs(4), "the server is silent for 5 s");
}

#[test]
fn what_the_hub_answers_becomes_a_sentence_with_a_cure() {
    let home = tempfile::tempdir().expect("home");
    let server = tagger(b"x");
    let store = store(home.path(), &server.url);
    for (status, words) in [
        (401, "set HF_TOKEN"),
        (403, "accept its conditions"),
        (404, "check the spelling and the revision"),
        (429, "try again later"),
        (500, "try again later"),
        (418, "check HF_ENDPOINT"),
    ] {
        server.world().status = Some(status);
        let error = store.add(&known(), &mut go).expect_err("fails").to_string();
        assert!(error.contains(words) && (error.contains(REPOSITORY) || status == 418), "{status}: {error}");
    }
    server.world().status = None;
    server.world().files.remove("selected_tags.csv");
    let error = store.add(&known(), &mut go).expect_err("a file lacks").to_string();
    assert!(error.contains("selected_tags.csv of SmilingWolf/wd-vit-tagger-v3"), "{error}");
    assert_eq!(server.world().sent, 0, "a missing file shows before the first byte");
    nothing_is_installed(&store);
}

#[test]
fn answers_that_no_hub_gives_are_refused() {
    let home = tempfile::tempdir().expect("home");
    let server = tagger(b"x");
    let store = store(home.path(), &server.url);
    let pages = [
        "<html>Please log in</html>",
        "",
        "{\"sha\": \"main\", \"siblings\": []}",
        "{\"sha\": 5}",
        "[[[[",
        "{\"sha\": \"../../../../../../../../../../../../xxxx\"}",
    ];
    for page in pages {
        server.world().page = Some(page.to_owned());
        let error = store.add(&known(), &mut go).expect_err("no hub");
        assert!(matches!(error, ModelsError::BadAnswer { .. }), "{page}: {error}");
    }
    server.world().page = None;
    let headers = [
        ("x-linked-etag", "\"../../../evil\""),
        ("x-linked-etag", "\"\""),
        ("x-linked-etag", "\"a/b\""),
        ("x-repo-commit", ""),
        ("x-repo-commit", "../.."),
        ("x-linked-size", "7"),
    ];
    for (name, value) in headers {
        server.world().header = Some((name, value.to_owned()));
        let error = store.add(&known(), &mut go).expect_err("no hub");
        assert!(matches!(error, ModelsError::BadAnswer { .. }), "{name}: {value}: {error}");
    }
    nothing_is_installed(&store);
    let names: Vec<_> =
        fs::read_dir(home.path()).expect("home").map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(names, ["hub"], "nothing is written beside the cache");

    // Names that lead out of the repository are no files of it.
    let evil = Server::start("me/evil", &[("../../evil/u2net.onnx", b"1", true), ("/etc/u2net.onnx", b"2", true)]);
    let source = Source::Hub { repository: "me/evil".to_owned(), revision: None };
    assert!(matches!(crate::store(home.path(), &evil.url).add(&source, &mut go), Err(ModelsError::NotAModel { .. })));
}

#[test]
fn no_network_and_no_permission_to_use_it_are_told_apart() {
    let home = tempfile::tempdir().expect("home");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        format!("http://{}", listener.local_addr().expect("address"))
    };
    let error = store(home.path(), &closed).add(&known(), &mut go).expect_err("no network");
    assert!(matches!(&error, ModelsError::NoNetwork { .. }) && error.to_string().contains(&closed), "{error}");

    let server = tagger(b"x");
    let mut hub = hub(home.path(), &server.url);
    hub.offline = true;
    let store = Store::with_hub(&home.path().join("models"), hub);
    let error = store.add(&known(), &mut go).expect_err("offline");
    assert!(matches!(&error, ModelsError::Offline { .. }) && error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert!(server.asked().is_empty());
    nothing_is_installed(&store);
}

#[test]
fn a_file_that_another_program_fetches_is_waited_for() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let server = tagger(&model);
    let locks = home.path().join("hub").join(".locks").join("models--SmilingWolf--wd-vit-tagger-v3");
    fs::create_dir_all(&locks).expect("creates");
    let other = fs::File::create(locks.join(format!("{}.lock", sha256(&model)))).expect("creates");
    other.lock().expect("locks");
    let store = store(home.path(), &server.url);
    let mut waits = 0;
    let mut other = Some(other);
    let installed = store.add(&known(), &mut |progress| {
        if progress.doing == Doing::Waiting {
            waits += 1;
            if waits == 2 {
                other = None;
            }
        }
        true
    });
    assert_eq!(installed.expect("adds").files[0].sha256, sha256(&model));
    assert_eq!(waits, 2);
}
