//! Errors as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names an error for programs; stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The token is missing or wrong.
    Unauthorized,
    /// The request comes from somewhere that may not ask.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The route does not know this method.
    MethodNotAllowed,
    /// The thing is in a state that does not allow this.
    Conflict,
    /// A value cannot be used; `field` says which.
    Invalid,
    /// The body is not of the type that this route reads.
    UnsupportedMediaType,
    /// Something is larger than allowed.
    TooLarge,
    /// The client was too slow.
    Timeout,
    /// The pictures cannot be used.
    Dataset,
    /// The base cannot be used.
    Base,
    /// The bundle cannot be used.
    Bundle,
    /// The loss is no longer a number, or rose far above where it began.
    Diverged,
    /// There is not enough memory, however little is asked of it.
    OutOfMemory,
    /// The disk is full, or refuses.
    Disk,
    /// A worker died again and again without getting further.
    WorkerDied,
    /// A model that looks at pictures cannot be used.
    Vision,
    /// A mistake of conceptd's own.
    Internal,
}

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI that names the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
    /// The kind, for programs.
    pub code: ErrorCode,
    /// Which part of the request is meant, such as `parameters.lora_rank`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}
