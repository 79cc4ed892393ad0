//! The cache as other programs leave it.

use std::fs;
use std::path::{Path, PathBuf};

use models::{ModelsError, Place, PlaceKind, Source, found_in};

use crate::server::{COMMIT, Server, sha256, small_etag};
use crate::{bytes, go, store};

const CLOSED: &str = "http://127.0.0.1:9";

/// What `huggingface_hub` leaves after fetching `files` of `repository`: blobs, relative links, a reference.
fn by_python(hub: &Path, repository: &str, files: &[(&str, &[u8], bool)]) -> PathBuf {
    let shelf = hub.join(format!("models--{}", repository.replace('/', "--")));
    for (name, content, large) in files {
        let etag = if *large { sha256(content) } else { small_etag(content) };
        let blob = shelf.join("blobs").join(&etag);
        let shown = shelf.join("snapshots").join(COMMIT).join(name);
        for folder in [blob.parent(), shown.parent()].into_iter().flatten() {
            fs::create_dir_all(folder).expect("creates");
        }
        fs::write(&blob, content).expect("writes");
        #[cfg(unix)]
        std::os::unix::fs::symlink(
            Path::new(&"../".repeat(2 + name.matches('/').count())).join("blobs").join(&etag),
            &shown,
        )
        .expect("links");
        #[cfg(not(unix))]
        fs::rename(&blob, &shown).expect("moves");
    }
    fs::create_dir_all(shelf.join("refs")).expect("creates");
    fs::write(shelf.join("refs").join("main"), COMMIT).expect("writes");
    shelf
}

#[test]
fn what_python_fetched_is_used_without_a_request() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let files: &[(&str, &[u8], bool)] = &[("model.onnx", &model, true), ("selected_tags.csv", b"tags", false)];
    by_python(&home.path().join("hub"), "SmilingWolf/wd-vit-tagger-v3", files);
    let store = store(home.path(), CLOSED);
    let installed = store.add(&Source::Known("wd-vit-tagger-v3".to_owned()), &mut go).expect("adds");
    assert_eq!(installed.files[0].sha256, sha256(&model));
    assert!(installed.model().expect("model").to_string_lossy().contains("snapshots"), "never the blob itself");
    // By its commit too, as another repository's name for the same.
    let source =
        Source::Hub { repository: "SmilingWolf/wd-vit-tagger-v3".to_owned(), revision: Some(COMMIT.to_owned()) };
    assert_eq!(store.add(&source, &mut go).expect("adds").id, "wd-vit-tagger-v3");
    // What others fetched stays theirs.
    let removed = store.remove("wd-vit-tagger-v3", true).expect("removes");
    assert_eq!((removed.freed, removed.left.len()), (0, 2));
    assert!(installed.model().expect("model").is_file());
}

#[test]
fn what_python_lacks_is_fetched_beside_what_it_has() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let repository = "SmilingWolf/wd-vit-tagger-v3";
    let shelf = by_python(&home.path().join("hub"), repository, &[("model.onnx", &model, true)]);
    let server = Server::start(repository, &[("model.onnx", &model, true), ("selected_tags.csv", b"tags", false)]);
    let store = store(home.path(), &server.url);
    let installed = store.add(&Source::Known("wd-vit-tagger-v3".to_owned()), &mut go).expect("adds");
    assert_eq!(server.world().sent, 4);
    assert_eq!(installed.files.iter().map(|file| file.fetched).collect::<Vec<_>>(), [false, true]);
    // Ours goes, theirs stays.
    let removed = store.remove("wd-vit-tagger-v3", true).expect("removes");
    assert_eq!((removed.freed, removed.left.len()), (4, 1));
    assert!(!shelf.join("blobs").join(small_etag(b"tags")).exists());
    assert_eq!(fs::read(shelf.join("snapshots").join(COMMIT).join("model.onnx")).expect("reads"), model);
}

#[cfg(unix)]
#[test]
fn a_broken_blob_of_another_program_never_counts() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let files: &[(&str, &[u8], bool)] = &[("model.onnx", &model, true), ("selected_tags.csv", b"tags", false)];
    let shelf = by_python(&home.path().join("hub"), "SmilingWolf/wd-vit-tagger-v3", files);
    fs::write(shelf.join("blobs").join(sha256(&model)), &model[..500]).expect("breaks");
    let store = store(home.path(), CLOSED);
    let error = store.add(&Source::Known("wd-vit-tagger-v3".to_owned()), &mut go).expect_err("broken");
    assert!(matches!(&error, ModelsError::Mismatch { expected, .. } if *expected == sha256(&model)), "{error}");
    assert!(store.list().expect("lists").is_empty());
}

#[cfg(unix)]
#[test]
fn a_blob_that_another_snapshot_shows_is_kept() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let server = Server::start(
        "SmilingWolf/wd-vit-tagger-v3",
        &[("model.onnx", &model, true), ("selected_tags.csv", b"tags", false)],
    );
    let store = store(home.path(), &server.url);
    store.add(&Source::Known("wd-vit-tagger-v3".to_owned()), &mut go).expect("adds");
    let shelf = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3");
    let other = shelf.join("snapshots").join("f".repeat(40));
    fs::create_dir_all(&other).expect("creates");
    std::os::unix::fs::symlink(Path::new("../../blobs").join(sha256(&model)), other.join("model.onnx")).expect("links");
    let removed = store.remove("wd-vit-tagger-v3", true).expect("removes");
    assert_eq!(removed.freed, 4, "the tags alone");
    assert_eq!(fs::read(other.join("model.onnx")).expect("reads"), model);
}

#[test]
fn the_cache_is_searched_without_leaving_its_links() {
    let home = tempfile::tempdir().expect("home");
    let hub = home.path().join("hub");
    let tagger: &[(&str, &[u8], bool)] = &[("model.onnx", b"model", true), ("selected_tags.csv", b"tags", false)];
    by_python(&hub, "SmilingWolf/wd-vit-tagger-v3", tagger);
    by_python(&hub, "someone/tags", &[("model.onnx", b"other", true), ("selected_tags.csv", b"tags", false)]);
    by_python(&hub, "tomjackson2023/rembg", &[("u2net.onnx", b"u2net", true), ("u2netp.onnx", b"u2netp", true)]);
    by_python(
        &hub,
        "bert/bert",
        &[("model.safetensors", b"w", true), ("config.json", b"{\"model_type\":\"bert\"}", false)],
    );
    fs::create_dir_all(hub.join("models--..--x").join("snapshots")).expect("creates");
    let found = found_in(&[Place { kind: PlaceKind::HubCache, path: hub }]);
    let names: Vec<_> = found.iter().map(|candidate| candidate.name.as_str()).collect();
    assert_eq!(names, ["wd-vit-tagger-v3", "tags", "u2net", "u2netp"]);
    assert!(found.iter().all(|candidate| candidate.pieces[0].path.to_string_lossy().contains("snapshots")));
    let store = store(home.path(), CLOSED);
    assert_eq!(store.add(&Source::Found(found[1].clone()), &mut go).expect("adds").id, "tags");
}
