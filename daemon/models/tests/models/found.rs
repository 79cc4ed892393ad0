//! Models in the folders of other programs.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use models::{Form, Place, PlaceKind, Source, Want, found_in};

use crate::{go, store};

fn put(root: &Path, name: &str) -> PathBuf {
    let path = name.split('/').fold(root.to_owned(), |at, step| at.join(step));
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(&path, name).expect("writes");
    path
}

fn names(kind: PlaceKind, root: &Path) -> Vec<(String, Form)> {
    let found = found_in(&[Place { kind, path: root.to_owned() }]);
    found.into_iter().map(|candidate| (candidate.name, candidate.form)).collect()
}

fn expected(pairs: &[(&str, Form)]) -> Vec<(String, Form)> {
    pairs.iter().map(|(name, form)| ((*name).to_owned(), *form)).collect()
}

#[test]
fn comfyuis_tagger_and_masks_are_found() {
    let home = tempfile::tempdir().expect("home");
    let root = home.path().join("ComfyUI");
    let model = put(&root, "custom_nodes/ComfyUI-WD14-Tagger/models/wd-v1-4-moat-tagger-v2.onnx");
    let tags = put(&root, "custom_nodes/ComfyUI-WD14-Tagger/models/wd-v1-4-moat-tagger-v2.csv");
    put(&root, "custom_nodes/other/nested/u2net.onnx");
    put(&root, "models/wd14_tagger/wd-vit-tagger-v3.onnx");
    put(&root, "models/wd14_tagger/wd-vit-tagger-v3.csv");
    put(&root, "models/rembg/isnet-general-use.onnx");
    put(&root, "models/checkpoints/sd_xl.safetensors");
    put(&root, "models/onnx/unknown.onnx");
    let found = names(PlaceKind::ComfyUi, &root);
    let all = expected(&[
        ("isnet-general-use", Form::IsNet),
        ("wd-vit-tagger-v3", Form::Wd14),
        ("wd-v1-4-moat-tagger-v2", Form::Wd14),
    ]);
    assert_eq!(found, all);

    // Used where it lies; a host that deletes it is noticed.
    let store = store(home.path(), "http://127.0.0.1:9");
    let candidates = found_in(&[Place { kind: PlaceKind::ComfyUi, path: root }]);
    let installed = store.add(&Source::Found(candidates[2].clone()), &mut go).expect("adds");
    assert_eq!(installed.path(), Some(model.as_path()), "its files have no usual names, so it is no folder");
    assert_eq!(installed.part("selected_tags.csv"), Some(tags.as_path()));
    fs::remove_file(&tags).expect("removes");
    let error = store.resolve(Want::Id(&installed.id)).expect_err("gone").to_string();
    assert!(error.contains("wd-v1-4-moat-tagger-v2.csv"), "{error}");
    assert!(store.resolve(Want::Form(Form::Wd14)).expect("resolves").is_none());
}

#[test]
fn a1111_kohya_rembg_and_onetrainer_are_searched_where_they_keep_models() {
    let home = tempfile::tempdir().expect("home");
    let root = home.path();
    put(root, "a1111/models/u2net/u2net_human_seg.onnx");
    put(root, "a1111/extensions/tagger/models/wd.onnx");
    put(root, "a1111/extensions/tagger/models/wd.csv");
    put(root, "a1111/outputs/u2net.onnx");
    assert_eq!(
        names(PlaceKind::A1111, &root.join("a1111")),
        expected(&[("u2net_human_seg", Form::U2Net), ("wd", Form::Wd14)])
    );
    put(root, "kohya/sd-scripts/wd14_tagger_model/SmilingWolf_wd-vit-tagger-v3/model.onnx");
    put(root, "kohya/sd-scripts/wd14_tagger_model/SmilingWolf_wd-vit-tagger-v3/selected_tags.csv");
    assert_eq!(names(PlaceKind::Kohya, &root.join("kohya")), expected(&[("wd-vit-tagger-v3", Form::Wd14)]));
    put(root, ".u2net/u2netp.onnx");
    put(root, ".u2net/isnet-anime.onnx");
    assert_eq!(names(PlaceKind::Rembg, &root.join(".u2net")), expected(&[("u2netp", Form::U2Net)]));
    put(root, "OneTrainer/external/models/rembg/u2net.onnx");
    assert_eq!(names(PlaceKind::OneTrainer, &root.join("OneTrainer")), expected(&[("u2net", Form::U2Net)]));
    assert!(names(PlaceKind::ComfyUi, &root.join("nowhere")).is_empty());
}

#[test]
fn the_usual_places_follow_the_environment() {
    let home = tempfile::tempdir().expect("home");
    let at = home.path();
    let places = |vars: &[(&str, PathBuf)]| {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, path)| OsString::from(path));
        Place::usual(find, Some(at)).into_iter().map(|place| place.path).collect::<Vec<_>>()
    };
    let cache = at.join(".cache").join("huggingface").join("hub");
    assert_eq!(places(&[]), [at.join(".u2net"), cache.clone()]);
    assert_eq!(places(&[("U2NET_HOME", at.join("u"))]), [at.join("u"), cache]);
    assert_eq!(
        places(&[("HF_HUB_CACHE", at.join("c")), ("XDG_DATA_HOME", at.join("d"))]),
        [at.join("d").join(".u2net"), at.join("c")]
    );
}

#[cfg(unix)]
#[test]
fn links_in_circles_end_and_one_file_is_found_once() {
    let home = tempfile::tempdir().expect("home");
    put(home.path(), "a/u2netp.onnx");
    for name in ["loop", "again"] {
        std::os::unix::fs::symlink(home.path(), home.path().join("a").join(name)).expect("links");
    }
    assert_eq!(names(PlaceKind::Folder, home.path()), expected(&[("u2netp", Form::U2Net)]));
}

#[test]
fn a_model_of_several_files_is_found_once() {
    let home = tempfile::tempdir().expect("home");
    for part in Form::Florence2.parts() {
        put(home.path(), &format!("deep/My Florence/{part}"));
    }
    put(home.path(), "deep/My Florence/onnx/decoder_model.onnx");
    assert_eq!(names(PlaceKind::Folder, home.path()), expected(&[("My Florence", Form::Florence2)]));
    let store = store(home.path(), "http://127.0.0.1:9");
    let source = Source::Folder(home.path().join("deep").join("My Florence"));
    let installed = store.add(&source, &mut go).expect("adds");
    assert_eq!((installed.id.as_str(), installed.files.len()), ("my-florence", 5));
    assert_eq!(installed.path(), Some(home.path().join("deep").join("My Florence").as_path()));
}
