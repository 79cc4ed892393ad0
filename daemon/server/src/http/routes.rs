//! The table of routes. What answers, what is documented and what is guarded all follow from it.

mod daemon;
mod hosts;
mod library;
mod pictures;
mod trainings;

use super::{
    error::{Answer, ApiError},
    openapi::Operation,
    page,
};
use actix_web::{
    HttpRequest, ResponseError, Route,
    http::{
        Method,
        header::{ALLOW, HeaderValue},
    },
    web::{self, ServiceConfig},
};

/// A path, its methods with their documentation, and what answers them.
pub struct Entry {
    /// With `{id}` for what varies.
    pub path: &'static str,
    /// What can be done there.
    pub methods: Vec<(Operation, Route)>,
}

/// Whether a path answers without a token: it tells no secret, or asks for one itself.
pub fn is_open(method: &Method, path: &str) -> bool {
    match path {
        "/healthz" | "/openapi.json" => true,
        "/v1/session" => *method == Method::POST,
        path => page::is_part(path),
    }
}

/// Whether a path is one that elements of a page load by themselves: pictures, downloads, streams of events.
pub fn is_shown(path: &str) -> bool {
    let mut parts = path.split('/').rev();
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    matches!(last, "bundle" | "events" | "preview" | "sheet")
        || matches!(before, "masks" | "pictures" | "samples" | "thumbnails")
}

/// Puts the table into an application. Methods that a path does not know get an answer that says so.
pub fn configure(config: &mut ServiceConfig) {
    for Entry { path, methods } in table() {
        let mut resource = web::resource(path).default_service(web::to(wrong_method));
        for (_, route) in methods {
            resource = resource.route(route);
        }
        config.service(resource);
    }
}

async fn wrong_method(request: HttpRequest) -> Answer {
    let pattern = request.match_pattern();
    let here = table().into_iter().find(|entry| Some(entry.path) == pattern.as_deref());
    let methods = here.map(|entry| entry.methods.iter().map(|(operation, _)| operation.method.to_string()).collect());
    let methods: Vec<String> = methods.unwrap_or_default();
    let detail = format!("{} cannot be done here; {} can", request.method(), methods.join(", "));
    let mut answer = ApiError::method(detail).error_response();
    // RFC 9110, 15.5.6.
    if let Ok(allowed) = HeaderValue::from_str(&methods.join(", ")) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    Ok(answer)
}

/// Every route.
pub fn table() -> Vec<Entry> {
    [daemon::table(), pictures::table(), trainings::table(), library::table(), hosts::table()]
        .into_iter()
        .flatten()
        .collect()
}

fn entry(path: &'static str, methods: Vec<(Operation, Route)>) -> Entry {
    Entry { path, methods }
}

fn op(method: Method, summary: &'static str) -> Operation {
    Operation::new(method, summary)
}

fn get(summary: &'static str) -> Operation {
    op(Method::GET, summary)
}

fn post(summary: &'static str) -> Operation {
    op(Method::POST, summary)
}
