//! What goes into a model and comes out of it, and where its weights may lie.

mod runtime;

use std::fs;
use std::path::Path;

use runtime::{cases, load, open};
use serde::Deserialize;
use vision::Error;
use vision::runtime::Device;
use vision::session::{Kind, Session, Slot, Tensor, Values};

#[derive(Deserialize)]
struct Case {
    halves: Vec<f32>,
    products: Vec<f32>,
}

fn inputs(case: &Case) -> [(&'static str, Tensor); 3] {
    [
        ("halves", Tensor::f32(&[2, 3], case.halves.clone())),
        ("truth", Tensor::bool(&[1], vec![true])),
        ("numbers", Tensor::i64(&[2], vec![3, -4])),
    ]
}

fn assert_right(path: &Path) {
    let case: Case = load(&cases().join("session/expected.json"));
    let mut session = Session::open(path, Device::Cpu).expect("the model opens");
    let outputs = session.run(&inputs(&case)).expect("the model runs");
    let products = &outputs["products"];
    assert_eq!(products.dims, [2, 40]);
    for (got, wanted) in products.floats().expect("floats").iter().zip(&case.products) {
        // Sums of 16-bit floats differ by their order.
        assert!((got - wanted).abs() < 4e-3, "{got} for {wanted}");
    }
    assert_eq!(outputs["lie"].values, Values::Bool(vec![false]));
    assert_eq!(outputs["doubled"].values, Values::I64(vec![6, -8]));
    assert!(!outputs.contains_key("wide"), "doubles are no type of ours");
}

#[test]
fn all_types_go_in_and_out_and_weights_lie_beside_the_model() {
    open();
    let path = cases().join("session/model.onnx");
    assert_right(&path);
    let session = Session::open(&path, Device::Cpu).expect("the model opens");
    let halves = Slot { name: "halves".to_owned(), kind: Kind::F16, dims: vec![None, Some(3)] };
    assert_eq!(session.inputs()[0], halves);
    assert_eq!(session.output("wide").expect("it is there").kind, Kind::Other);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    open();
    let mut session = Session::open(&cases().join("session/model.onnx"), Device::Cpu).expect("the model opens");
    for (name, tensor, told) in [
        ("halves", Tensor::f32(&[1, 4], vec![0.0; 4]), "[?, 3]"),
        ("halves", Tensor::i64(&[1, 3], vec![0; 3]), "F16"),
        ("thirds", Tensor::f32(&[1], vec![0.0]), "thirds"),
        ("truth", Tensor::bool(&[1], vec![true, false]), "model.onnx"),
    ] {
        let error = session.run(&[(name, tensor)]).expect_err("it doesn't fit").to_string();
        assert!(error.contains(told), "{error}");
    }
    let error = session.run(&[]).expect_err("nothing was given");
    assert!(matches!(error, Error::Run { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn models_of_a_hub_cache_are_links_and_their_weights_lie_beside_the_link() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let (blobs, snapshot) = (folder.path().join("blobs"), folder.path().join("snapshots/main"));
    fs::create_dir_all(&blobs).expect("a folder");
    fs::create_dir_all(&snapshot).expect("a folder");
    for (name, blob) in [("model.onnx", "0a"), ("model.onnx_data", "0b")] {
        fs::copy(cases().join("session").join(name), blobs.join(blob)).expect("a copy");
        std::os::unix::fs::symlink(Path::new("../../blobs").join(blob), snapshot.join(name)).expect("a link");
    }
    assert_right(&snapshot.join("model.onnx"));
}

#[test]
fn a_model_without_its_weights_is_an_error() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.onnx");
    fs::copy(cases().join("session/model.onnx"), &path).expect("a copy");
    let error = Session::open(&path, Device::Cpu).expect_err("half of it is missing");
    assert!(matches!(&error, Error::Model { what, .. } if what.contains("model.onnx_data")), "{error}");
    let error = Session::open(&folder.path().join("none.onnx"), Device::Cpu).expect_err("there is none").to_string();
    assert!(error.contains("none.onnx") && error.contains("no such file"), "{error}");
}

#[test]
fn cuda_is_an_error_where_the_runtime_has_none_and_never_the_cpu_in_secret() {
    open();
    match Session::open(&cases().join("wd14/model.onnx"), Device::Cuda) {
        Ok(session) => assert_eq!(session.device(), Device::Cuda),
        Err(error) => {
            assert!(matches!(error, Error::Provider { .. }), "{error}");
            assert!(error.to_string().contains("onnxruntime-gpu"), "{error}");
        }
    }
}

#[test]
fn another_library_or_no_library_is_refused() {
    open();
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("libonnxruntime.so.1.99.0");
    fs::write(&other, b"no library").expect("a file");
    let error = vision::runtime::open(&other).expect_err("there is one already").to_string();
    assert!(error.contains("already uses"), "{error}");
}
