//! Reading requests: bodies within limits and time, queries, paging, idempotency keys.

use super::error::ApiError;
use crate::App;
use actix_web::{
    HttpRequest,
    http::header::CONTENT_TYPE,
    web::{Bytes, BytesMut, Payload, Query},
};
use futures_util::StreamExt;
use jsonschema::Validator;
use protocol::ErrorCode;
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;

/// What a client may take to send the next part of a body.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a JSON body and its digest, held to the schema that is documented. What is wrong is named.
pub async fn json<T: DeserializeOwned + JsonSchema>(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
) -> Result<(T, String), ApiError> {
    if media_type(request) != "application/json" {
        return Err(ApiError::media_type("send `Content-Type: application/json`"));
    }
    let bytes = body(payload, app.config.limits.json_bytes).await?;
    let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
    let no_json = |error: serde_json::Error| ApiError::malformed(format!("the body is no JSON: {error}"));
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        match cause.classify() {
            serde_json::error::Category::Data => {
                ApiError::invalid(field(&path, &cause.to_string()), plain(&cause.to_string()))
            }
            _ => no_json(cause),
        }
    })?;
    deserializer.end().map_err(no_json)?;
    hold_to_schema::<T>(&serde_json::from_slice(&bytes).map_err(no_json)?)?;
    Ok((value, concept::hex(&Sha256::digest(&bytes))))
}

/// The field that a message of serde means.
fn field(path: &str, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (path, missing) {
        (".", Some(missing)) => missing.to_owned(),
        (path, Some(missing)) => format!("{path}.{missing}"),
        (path, None) => path.to_owned(),
    }
}

/// Fails if a value is not what the type's schema allows: types know no ranges and lengths.
fn hold_to_schema<T: JsonSchema>(value: &Value) -> Result<(), ApiError> {
    static VALIDATORS: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let validator = {
        let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
        match validators.get(&*T::schema_name()) {
            Some(validator) => validator.clone(),
            None => {
                let made = jsonschema::validator_for(schema_for!(T).as_value()).map_err(crate::Error::bug)?;
                let made = Arc::new(made);
                validators.insert(T::schema_name().into_owned(), made.clone());
                made
            }
        }
    };
    match validator.iter_errors(value).max_by_key(|error| error.instance_path().as_str().len()) {
        None => Ok(()),
        Some(error) => {
            let detail = error.masked_with("this").to_string();
            Err(ApiError::invalid(path_of(error.instance_path().as_str()), detail))
        }
    }
}

/// `concepts[0].strength` for the pointer `/concepts/0/strength`.
fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        match part.parse::<usize>() {
            Ok(place) => path += &format!("[{place}]"),
            Err(_) if path.is_empty() => path += part,
            Err(_) => path += &format!(".{part}"),
        }
    }
    if path.is_empty() { ".".into() } else { path }
}

/// A message without its place in the text, which means nothing behind a form.
fn plain(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

/// The type of a body, without its parameters.
pub fn media_type(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_lowercase()
}

async fn body(mut payload: Payload, limit: u64) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = timeout(PATIENCE, payload.next()).await.map_err(|_| ApiError::timeout())? {
        let chunk = chunk.map_err(|error| ApiError::malformed(format!("the body broke off: {error}")))?;
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(ApiError::too_large(format!("the body is larger than {limit} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Which part of a list is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paging {
    after: Option<String>,
    limit: Option<usize>,
}

/// The id that a page is behind, and its length.
pub fn paging(request: &HttpRequest) -> Result<(Option<String>, usize), ApiError> {
    const USUAL: usize = 50;
    const MOST: usize = 200;
    let Paging { after, limit } = query(request)?;
    let limit = limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("choose a limit from 1 to {MOST}")));
    }
    Ok((after, limit))
}

/// The query of a request.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let query = Query::<T>::from_query(request.query_string());
    Ok(query.map_err(|error| ApiError::invalid("query", plain(&error.to_string())))?.into_inner())
}

/// The key under which a request may be repeated without being done twice.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    const LONGEST: usize = 200;
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= LONGEST => Ok(Some(format!("{} {key}", request.path()))),
        _ => Err(ApiError::invalid("Idempotency-Key", format!("give 1 to {LONGEST} plain characters"))),
    }
}

/// What a key that was used with another body gets.
pub fn other_body() -> ApiError {
    ApiError::conflict("this Idempotency-Key was used with another body; take a new one")
}

/// An error of the concept crate as a problem of a request.
pub fn refused(field: &str, error: &concept::Error) -> ApiError {
    match error {
        concept::Error::Parameter { name, .. } => {
            ApiError::unusable(ErrorCode::Invalid, format!("parameters.{name}"), error.to_string())
        }
        error => ApiError::unusable(error.code(), field, error.to_string()),
    }
}
