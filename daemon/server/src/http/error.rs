//! Every failure that a client can see: RFC 9457 problems with a stable code. The only place where our errors meet HTTP.

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{StatusCode, header::WWW_AUTHENTICATE},
};
use protocol::{ErrorCode, Problem};
use std::fmt;

/// An answer that is no success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    detail: String,
    field: Option<String>,
}

/// What handlers return.
pub type Answer = Result<HttpResponse, ApiError>;

impl ApiError {
    fn new(status: StatusCode, code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None }
    }

    /// The body is no JSON, or no form.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Invalid, detail)
    }

    /// A value cannot be used.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let field = Some(field.into());
        Self { field, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::Invalid, detail) }
    }

    /// The same with another code.
    pub fn unusable(code: ErrorCode, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, ..Self::invalid(field, detail) }
    }

    /// There is no such thing.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, format!("there is no {what}"))
    }

    /// The path does not know this method.
    pub fn method(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::MethodNotAllowed, detail)
    }

    /// The state of a thing does not allow this.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, ErrorCode::Conflict, detail)
    }

    /// The token is missing or wrong.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::Unauthorized,
            "send the token: `Authorization: Bearer TOKEN`; `conceptd token` prints it",
        )
    }

    /// Whoever asks may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, detail)
    }

    /// The body is larger than allowed.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, detail)
    }

    /// The body is of another type.
    pub fn media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::UnsupportedMediaType, detail)
    }

    /// The client is too slow.
    pub fn timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::Timeout, "the body did not arrive in time; send it again")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let code = serde_json::to_value(self.code).ok().and_then(|code| Some(code.as_str()?.to_owned()));
        let problem = Problem {
            kind: format!("urn:conceptd:{}", code.unwrap_or_default()),
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            field: self.field.clone(),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        answer.content_type("application/problem+json").body(body)
    }
}

impl From<crate::Error> for ApiError {
    fn from(error: crate::Error) -> Self {
        match &error {
            crate::Error::Disk { .. } => {
                tracing::error!("{error}");
                Self::new(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Disk, error.to_string())
            }
            _ => {
                tracing::error!("{error}");
                let detail = "something went wrong in conceptd; its log says what";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, detail)
            }
        }
    }
}
