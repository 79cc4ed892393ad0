//! Fetching: what is brought, where it lies, what is asked for, and that nothing is asked for twice.

use std::fs;

use models::{Doing, Form, ModelsError, Origin, Purpose, Source, Want};

use crate::server::{COMMIT, Server, sha256, small_etag};
use crate::{bytes, go, ready, store};

const REPOSITORY: &str = "SmilingWolf/wd-vit-tagger-v3";
const TAGS: &[u8] = b"tag_id,name,category,count\n1,cat,0,5\n";

fn tagger(model: &[u8]) -> Server {
    Server::start(
        REPOSITORY,
        &[("model.onnx", model, true), ("selected_tags.csv", TAGS, false), ("README.md", b"x", false)],
    )
}

fn known() -> Source {
    Source::Known("wd-vit-tagger-v3".to_owned())
}

#[test]
fn a_known_model_is_fetched_once_and_then_used_without_a_request() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(3_000_000);
    let server = tagger(&model);
    let store = store(home.path(), &server.url);
    assert!(ready(&store).is_empty());

    let (mut last, mut stages) = (0, Vec::new());
    let mut watch = |progress: models::Progress<'_>| {
        if stages.last() != Some(&progress.doing) {
            stages.push(progress.doing);
            last = 0;
        }
        assert!(progress.bytes >= last && progress.bytes <= progress.of, "{progress:?}");
        last = progress.bytes;
        true
    };
    let installed = store.add(&known(), &mut watch).expect("adds");
    assert_eq!(stages, [Doing::Downloading, Doing::Checking]);
    assert_eq!(last, installed.bytes());
    assert_eq!((installed.id.as_str(), installed.form), ("wd-vit-tagger-v3", Form::Wd14));
    assert_eq!(installed.bytes(), (model.len() + TAGS.len()) as u64);
    assert_eq!(installed.files[0].sha256, sha256(&model));
    let origin =
        Origin::Hub { repository: REPOSITORY.to_owned(), revision: "main".to_owned(), commit: COMMIT.to_owned() };
    assert_eq!(installed.origin, origin);
    let folder = installed.path().expect("a folder").to_owned();
    assert_eq!(fs::read(folder.join("model.onnx")).expect("reads"), model);
    assert_eq!(fs::read(installed.part("selected_tags.csv").expect("tags")).expect("reads"), TAGS);
    assert!(!folder.join("README.md").exists(), "only what the model needs");
    assert!(server.asked().iter().all(|asked| asked.token.is_none()));

    // All of it again, the hub gone: nothing is asked for.
    server.world().status = Some(500);
    assert_eq!(store.add(&known(), &mut go).expect("adds"), installed);
    assert_eq!(store.verify("wd-vit-tagger-v3", &mut go).expect("verifies"), installed);
    assert_eq!(store.resolve(Want::Purpose(Purpose::Tagger)).expect("resolves"), Some(installed.clone()));
    assert_eq!(ready(&store), ["wd-vit-tagger-v3"]);
    assert!(server.asked().is_empty());
    let mut offline = store.hub().clone();
    offline.offline = true;
    let offline = models::Store::with_hub(&home.path().join("elsewhere"), offline);
    assert_eq!(offline.add(&known(), &mut go).expect("adds").files[0].sha256, installed.files[0].sha256);
}

#[test]
fn the_cache_has_pythons_layout() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let server = tagger(&model);
    store(home.path(), &server.url).add(&known(), &mut go).expect("adds");
    let shelf = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3");
    assert_eq!(fs::read_to_string(shelf.join("refs").join("main")).expect("ref"), COMMIT);
    let mut blobs: Vec<_> = fs::read_dir(shelf.join("blobs"))
        .expect("blobs")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
        .collect();
    blobs.sort();
    let mut etags = [sha256(&model), small_etag(TAGS)];
    etags.sort();
    if cfg!(unix) {
        assert_eq!(blobs, etags, "nothing else is left");
        let link = fs::read_link(shelf.join("snapshots").join(COMMIT).join("model.onnx")).expect("a link");
        assert_eq!(link, std::path::Path::new("../../blobs").join(sha256(&model)));
    }
    assert!(
        home.path()
            .join("hub/.locks/models--SmilingWolf--wd-vit-tagger-v3")
            .join(format!("{}.lock", etags[0]))
            .exists()
    );
}

#[test]
fn without_links_files_move_into_the_snapshot() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(1000);
    let server = tagger(&model);
    let mut hub = crate::hub(home.path(), &server.url);
    hub.links = false;
    let store = models::Store::with_hub(&home.path().join("models"), hub);
    let installed = store.add(&known(), &mut go).expect("adds");
    let path = installed.model().expect("model");
    assert!(!fs::symlink_metadata(path).expect("there").is_symlink());
    assert_eq!(fs::read(path).expect("reads"), model);
    let shelf = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3");
    assert_eq!(fs::read_dir(shelf.join("blobs")).expect("blobs").count(), 0);
    server.asked();
    store.add(&known(), &mut go).expect("adds again");
    assert!(server.asked().is_empty());
    let removed = store.remove("wd-vit-tagger-v3", true).expect("removes");
    assert_eq!((removed.freed, removed.left), (installed.bytes(), Vec::new()));
}

#[test]
fn a_download_that_breaks_goes_on_where_it_stopped() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(2_000_000);
    let server = tagger(&model);
    server.world().cuts = [700_000, 0, 400_000].into();
    let store = store(home.path(), &server.url);
    let installed = store.add(&known(), &mut go).expect("adds");
    assert_eq!(installed.files[0].sha256, sha256(&model));
    assert_eq!(server.world().sent, model.len() + TAGS.len(), "no byte twice");
    let ranges: Vec<_> = server
        .asked()
        .into_iter()
        .filter(|asked| asked.path.starts_with("/storage/"))
        .map(|asked| asked.range)
        .collect();
    let at = |from: u32| Some(format!("bytes={from}-"));
    assert_eq!(ranges, [None, at(700_000), at(700_000), at(1_100_000)]);
}

#[test]
fn a_stopped_download_is_not_installed_and_goes_on_later() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(2_000_000);
    let server = tagger(&model);
    let store = store(home.path(), &server.url);
    let error = store.add(&known(), &mut |progress| progress.bytes < 900_000).expect_err("stopped");
    assert!(matches!(error, ModelsError::Cancelled), "{error}");
    assert!(store.list().expect("lists").is_empty());
    let shelf = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3");
    assert!(!shelf.join("blobs").join(sha256(&model)).exists() && !shelf.join("snapshots").exists());
    let partial = shelf.join("blobs").join(format!("{}.incomplete", sha256(&model)));
    let have = fs::metadata(&partial).expect("a partial file").len();
    assert!((900_000..2_000_000).contains(&have));

    server.asked();
    assert_eq!(store.add(&known(), &mut go).expect("adds").files[0].sha256, sha256(&model));
    assert!(server.asked().iter().any(|asked| asked.range == Some(format!("bytes={have}-"))));
    assert!(!partial.exists());
}

#[test]
fn partial_files_of_any_kind_are_dealt_with() {
    let home = tempfile::tempdir().expect("home");
    let model = bytes(500_000);
    let server = tagger(&model);
    let blobs = home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3").join("blobs");
    let partial = blobs.join(format!("{}.incomplete", sha256(&model)));
    fs::create_dir_all(&blobs).expect("creates");
    let add = || store(home.path(), &server.url).add(&known(), &mut go);
    let forget =
        || fs::remove_dir_all(home.path().join("hub").join("models--SmilingWolf--wd-vit-tagger-v3").join("snapshots"));

    // Whole, but not renamed: no byte is fetched.
    fs::write(&partial, &model).expect("writes");
    add().expect("adds");
    assert_eq!(server.world().sent, TAGS.len());
    // Too long: fetched anew.
    forget().expect("forgets");
    fs::remove_file(blobs.join(sha256(&model))).expect("removes");
    fs::write(&partial, [&model[..], b"more"].concat()).expect("writes");
    assert_eq!(add().expect("adds").files[0].sha256, sha256(&model));
    // A server that sends the whole for a piece.
    forget().expect("forgets");
    fs::remove_file(blobs.join(sha256(&model))).expect("removes");
    fs::write(&partial, &model[..1000]).expect("writes");
    server.world().whole = true;
    assert_eq!(add().expect("adds").files[0].sha256, sha256(&model));
    // A beginning of another file: the digest tells, and the next time is right.
    server.world().whole = false;
    forget().expect("forgets");
    fs::remove_file(blobs.join(sha256(&model))).expect("removes");
    fs::write(&partial, [7; 1000]).expect("writes");
    assert!(matches!(add(), Err(ModelsError::Mismatch { .. })));
    assert!(!partial.exists());
    assert_eq!(add().expect("adds").files[0].sha256, sha256(&model));
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let home = tempfile::tempdir().expect("home");
    let server = tagger(&bytes(1000));
    server.world().token = Some("hf_secret".to_owned());
    let mut hub = crate::hub(home.path(), &server.url);
    let locked = models::Store::with_hub(&home.path().join("models"), hub.clone());
    let error = locked.add(&known(), &mut go).expect_err("refused");
    assert!(
        matches!(error, ModelsError::Refused { status: 401, .. }) && error.to_string().contains("HF_TOKEN"),
        "{error}"
    );

    hub.token = models::Token::new("hf_secret");
    server.asked();
    models::Store::with_hub(&home.path().join("models"), hub.clone()).add(&known(), &mut go).expect("adds");
    let asked = server.asked();
    let (storage, own): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked.path.starts_with("/storage/"));
    assert!(!storage.is_empty() && storage.iter().all(|asked| asked.token.is_none()));
    assert!(own.iter().all(|asked| asked.token.as_deref() == Some("Bearer hf_secret")));

    hub.token = models::Token::new("two\r\nlines");
    hub.cache = home.path().join("other");
    let error =
        models::Store::with_hub(&home.path().join("models"), hub).add(&known(), &mut go).expect_err("bad token");
    assert!(matches!(error, ModelsError::BadToken) && !error.to_string().contains("lines"), "{error}");
}

#[test]
fn a_renamed_repository_is_found_under_its_old_name() {
    for full in [false, true] {
        let home = tempfile::tempdir().expect("home");
        let model = bytes(1000);
        let server = tagger(&model);
        server.world().repository = "someone/new-name".to_owned();
        server.world().old_name = Some(REPOSITORY.to_owned());
        server.world().full = full;
        let installed = store(home.path(), &server.url).add(&known(), &mut go).expect("adds");
        assert_eq!(installed.files[0].sha256, sha256(&model));
    }
}

#[test]
fn any_repository_will_do_whose_files_tell_what_it_is() {
    let home = tempfile::tempdir().expect("home");
    let names = Form::Florence2.parts();
    let mut files: Vec<_> = names.iter().map(|name| (*name, name.as_bytes(), true)).collect();
    files.push(("onnx/encoder_model_q4.onnx", b"q4", true));
    let server = Server::start("me/My.Florence", &files);
    let store = store(home.path(), &server.url);
    let source = Source::Hub { repository: "me/My.Florence".to_owned(), revision: Some("refs/pr/7".to_owned()) };
    let installed = store.add(&source, &mut go).expect("adds");
    assert_eq!((installed.id.as_str(), installed.form, installed.files.len()), ("my.florence", Form::Florence2, 5));
    assert!(installed.path().expect("folder").join("onnx").join("encoder_model.onnx").is_file());
    assert!(server.asked()[0].path.ends_with("/revision/refs%2Fpr%2F7"));
    store.add(&source, &mut go).expect("adds again");
    assert!(server.asked().is_empty());

    let server = Server::start("me/masks", &[("u2net.onnx", b"1", true), ("isnet-general-use.onnx", b"2", true)]);
    let store = crate::store(home.path(), &server.url);
    let all = Source::Hub { repository: "me/masks".to_owned(), revision: None };
    let error = store.add(&all, &mut go).expect_err("several");
    assert!(error.to_string().contains("isnet-general-use, u2net"), "{error}");
    server.world().files.clear();
    assert!(matches!(store.add(&all, &mut go), Err(ModelsError::NotAModel { .. })));
    let clip =
        [("model.safetensors", &b"w"[..], true), ("config.json", b"{}", false), ("tokenizer.json", b"{}", false)];
    let server = Server::start("me/clip", &clip);
    server.world().model_type = Some("clip".to_owned());
    let source = Source::Hub { repository: "me/clip".to_owned(), revision: None };
    assert_eq!(crate::store(home.path(), &server.url).add(&source, &mut go).expect("adds").form, Form::Clip);
}
