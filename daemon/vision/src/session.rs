//! One model, opened: what it takes, what it gives, and tensors that go in and come out as plain vectors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use ort::session::builder::SessionBuilder;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};

use crate::error::{Error, Result};
use crate::half;
use crate::runtime::{self, Device};

/// The type of a tensor's values, as far as the models of this crate use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32-bit floats.
    F32,
    /// 16-bit floats; they go in and come out as 32-bit ones.
    F16,
    /// 64-bit integers.
    I64,
    /// Truth values.
    Bool,
    /// Anything else; it can be neither given nor read.
    Other,
}

/// One input or output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name in the model.
    pub name: String,
    /// The type of its values.
    pub kind: Kind,
    /// Its dimensions; `None` where the model takes any size.
    pub dims: Vec<Option<usize>>,
}

/// Values in row-major order and their dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The dimensions; their product is the number of values.
    pub dims: Vec<usize>,
    /// The values.
    pub values: Values,
}

/// A tensor's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Floats; also what 16-bit floats become.
    F32(Vec<f32>),
    /// Integers.
    I64(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
}

impl Tensor {
    /// A tensor of floats.
    pub fn f32(dims: &[usize], values: Vec<f32>) -> Self {
        Self { dims: dims.to_vec(), values: Values::F32(values) }
    }

    /// A tensor of integers.
    pub fn i64(dims: &[usize], values: Vec<i64>) -> Self {
        Self { dims: dims.to_vec(), values: Values::I64(values) }
    }

    /// A tensor of truth values.
    pub fn bool(dims: &[usize], values: Vec<bool>) -> Self {
        Self { dims: dims.to_vec(), values: Values::Bool(values) }
    }

    /// The values when they are floats.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(values) => Some(values),
            Values::I64(_) | Values::Bool(_) => None,
        }
    }
}

/// A model that is ready to run. Dropping it frees its weights.
#[derive(Debug)]
pub struct Session {
    path: PathBuf,
    device: Device,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
    session: OrtSession,
}

impl Session {
    /// Opens the ONNX model at `path`; [`runtime::open`] comes first. Weights in files beside the model are found there.
    ///
    /// # Errors
    /// When no runtime is loaded, the file is missing or no sound model, or `device` can't be used.
    pub fn open(path: &Path, device: Device) -> Result<Self> {
        let mut builder = builder(path, device)?;
        // The path goes in as it was given: hub caches are links, and weights lie beside the link, not beside its target.
        guarded(path, move || builder.commit_from_file(path)).map(|session| Self::of(path, device, session))
    }

    /// Opens `model`, the content of the file at `path` after a change; weights in files beside it are not found.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(crate) fn from_memory(path: &Path, model: &[u8], device: Device) -> Result<Self> {
        let mut builder = builder(path, device)?;
        guarded(path, move || builder.commit_from_memory(model)).map(|session| Self::of(path, device, session))
    }

    fn of(path: &Path, device: Device, session: OrtSession) -> Self {
        let inputs = session.inputs().iter().map(slot).collect();
        let outputs = session.outputs().iter().map(slot).collect();
        Self { path: path.to_owned(), device, inputs, outputs, session }
    }

    /// What the model takes, in its order.
    pub fn inputs(&self) -> &[Slot] {
        &self.inputs
    }

    /// What the model gives, in its order.
    pub fn outputs(&self) -> &[Slot] {
        &self.outputs
    }

    /// The model's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the model runs.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The input of that name.
    ///
    /// # Errors
    /// When the model has none: it is another model than the caller took it for.
    pub fn input(&self, name: &str) -> Result<&Slot> {
        self.inputs.iter().find(|slot| slot.name == name).ok_or_else(|| self.lacks("input", name, &self.inputs))
    }

    /// The output of that name.
    ///
    /// # Errors
    /// When the model has none.
    pub fn output(&self, name: &str) -> Result<&Slot> {
        self.outputs.iter().find(|slot| slot.name == name).ok_or_else(|| self.lacks("output", name, &self.outputs))
    }

    /// Runs the model once. All outputs come back under their names, except those of a [`Kind::Other`].
    ///
    /// # Errors
    /// When an input doesn't fit the model, or the model fails.
    pub fn run(&mut self, inputs: &[(&str, Tensor)]) -> Result<BTreeMap<String, Tensor>> {
        let mut values = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            values.push((Cow::Borrowed(*name), SessionInputValue::from(self.value(name, tensor.clone())?)));
        }
        let path = self.path.clone();
        let mut given = BTreeMap::new();
        for (name, value) in self.run_values(values)? {
            if !matches!(kind(value.dtype()), Kind::Other) {
                given.insert(name, read(&path, &value)?);
            }
        }
        Ok(given)
    }

    /// A tensor as the runtime's own value, in the type that the input `name` has, for [`Self::run_values`].
    pub(crate) fn value(&self, name: &str, tensor: Tensor) -> Result<DynValue> {
        let slot = self.input(name)?;
        let fits = slot.dims.len() == tensor.dims.len()
            && slot.dims.iter().zip(&tensor.dims).all(|(wanted, given)| wanted.is_none_or(|wanted| wanted == *given));
        if !fits {
            let wanted: Vec<String> =
                slot.dims.iter().map(|dim| dim.map_or("?".to_owned(), |n| n.to_string())).collect();
            let what = format!(
                "its input `{name}` is [{}], and a model of this kind gets {:?}",
                wanted.join(", "),
                tensor.dims
            );
            return Err(Error::model(&self.path, what));
        }
        let dims = tensor.dims;
        let value = match (tensor.values, slot.kind) {
            (Values::F32(values), Kind::F32) => {
                ort::value::Tensor::from_array((dims, values)).map(|value| value.into_dyn())
            }
            (Values::F32(values), Kind::F16) => half::value(&dims, &values).map(|value| value.into_dyn()),
            (Values::I64(values), Kind::I64) => {
                ort::value::Tensor::from_array((dims, values)).map(|value| value.into_dyn())
            }
            (Values::Bool(values), Kind::Bool) => {
                ort::value::Tensor::from_array((dims, values)).map(|value| value.into_dyn())
            }
            (_, wanted) => return Err(Error::model(&self.path, format!("its input `{name}` is of type {wanted:?}"))),
        };
        value.map_err(|error| failed(&self.path, &error))
    }

    /// Runs the model on the runtime's own values, which stay where they are: a cache is never copied by us.
    pub(crate) fn run_values(
        &mut self,
        inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)>,
    ) -> Result<Vec<(String, DynValue)>> {
        let outputs = self.session.run(inputs).map_err(|error| failed(&self.path, &error))?;
        Ok(outputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// One of the values that [`Self::run_values`] gave, as a tensor.
    pub(crate) fn tensor(&self, value: &DynValue) -> Result<Tensor> {
        read(&self.path, value)
    }

    fn lacks(&self, what: &str, name: &str, slots: &[Slot]) -> Error {
        let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).take(8).collect();
        Error::model(
            &self.path,
            format!("it has no {what} `{name}` (it has {}); it is another kind of model", names.join(", ")),
        )
    }
}

fn builder(path: &Path, device: Device) -> Result<SessionBuilder> {
    let environment = runtime::environment()?;
    check(path)?;
    let builder = OrtSession::builder(&environment).map_err(|error| refused(path, &error))?;
    let Some(provider) = runtime::provider(device) else { return Ok(builder) };
    builder.with_execution_providers([provider]).map_err(|error| Error::Provider { reason: error.message().to_owned() })
}

/// Opens a model. Reading what kinds of values it has panics in `ort` where a damaged file names kinds that are no tensors.
fn guarded(path: &Path, open: impl FnOnce() -> ort::Result<OrtSession>) -> Result<OrtSession> {
    match panic::catch_unwind(AssertUnwindSafe(open)) {
        Ok(session) => session.map_err(|error| refused(path, &error)),
        Err(_) => Err(Error::model(path, "it takes or gives something that is no tensor")),
    }
}

fn refused(path: &Path, error: &ort::Error) -> Error {
    Error::model(path, format!("ONNX Runtime refuses it ({error})"))
}

/// What people do to model files often enough to be told in plain words.
fn check(path: &Path) -> Result<()> {
    let unreadable = |error: std::io::Error| Error::model(path, format!("it can't be read ({error})"));
    if !path.exists() {
        return Err(Error::model(path, "there is no such file"));
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut head)).map_err(unreadable)?;
    if head.is_empty() {
        return Err(Error::model(path, "it is empty; fetch it again"));
    }
    if head.starts_with(b"version https://git-lfs") {
        return Err(Error::model(path, "it is only a Git LFS pointer; fetch the file itself (`git lfs pull`)"));
    }
    Ok(())
}

fn slot(outlet: &Outlet) -> Slot {
    let dims = outlet.dtype().tensor_shape().map(|shape| shape.iter().map(|n| usize::try_from(*n).ok()).collect());
    Slot { name: outlet.name().to_owned(), kind: kind(outlet.dtype()), dims: dims.unwrap_or_default() }
}

fn kind(value: &ValueType) -> Kind {
    match value.tensor_type() {
        Some(TensorElementType::Float32) => Kind::F32,
        Some(TensorElementType::Float16) => Kind::F16,
        Some(TensorElementType::Int64) => Kind::I64,
        Some(TensorElementType::Bool) => Kind::Bool,
        _ => Kind::Other,
    }
}

fn read(path: &Path, value: &DynValue) -> Result<Tensor> {
    let fail = |error: ort::Error| failed(path, &error);
    let dims = |shape: &[i64]| shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
    match kind(value.dtype()) {
        Kind::F32 => {
            let (shape, values) = value.try_extract_tensor::<f32>().map_err(fail)?;
            Ok(Tensor { dims: dims(shape), values: Values::F32(values.to_vec()) })
        }
        Kind::F16 => {
            let (shape, values) = half::values(value).map_err(fail)?;
            Ok(Tensor { dims: dims(&shape), values: Values::F32(values) })
        }
        Kind::I64 => {
            let (shape, values) = value.try_extract_tensor::<i64>().map_err(fail)?;
            Ok(Tensor { dims: dims(shape), values: Values::I64(values.to_vec()) })
        }
        Kind::Bool => {
            let (shape, values) = value.try_extract_tensor::<bool>().map_err(fail)?;
            Ok(Tensor { dims: dims(shape), values: Values::Bool(values.to_vec()) })
        }
        Kind::Other => Err(Error::model(path, "one of its outputs is neither float, integer nor truth values")),
    }
}

fn failed(path: &Path, error: &ort::Error) -> Error {
    Error::Run { path: path.to_owned(), reason: error.to_string() }
}
