//! The daemon about itself.

use super::{error::Answer, input::paging};
use crate::{App, models};
use actix_web::{HttpRequest, HttpResponse, web::Data};
use protocol::{Health, ModelPage, VersionView};
use std::sync::OnceLock;

/// `GET /healthz`.
pub async fn health() -> Answer {
    Ok(HttpResponse::Ok().json(Health { status: "ok".into() }))
}

/// `GET /openapi.json`.
pub async fn openapi() -> Answer {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| super::openapi().to_string());
    Ok(HttpResponse::Ok().content_type("application/json").body(document.as_str()))
}

/// `GET /metrics`.
pub async fn metrics(app: Data<App>) -> Answer {
    let text = crate::blocking(move || app.metrics.text(&app.store)).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// `GET /v1/version`.
pub async fn version(app: Data<App>) -> Answer {
    let device = crate::blocking(move || Ok(if app.room().1 { "cuda" } else { "cpu" })).await?;
    Ok(HttpResponse::Ok().json(VersionView {
        version: env!("CARGO_PKG_VERSION").into(),
        api: 1,
        device: device.into(),
    }))
}

/// `GET /v1/limits`.
pub async fn limits(app: Data<App>) -> Answer {
    Ok(HttpResponse::Ok().json(&app.config.limits))
}

/// `GET /v1/models`.
pub async fn models(app: Data<App>, request: HttpRequest) -> Answer {
    let (after, limit) = paging(&request)?;
    let all = crate::blocking(move || app.models.list(&app.store)).await?;
    let mut items =
        all.iter().map(models::view).skip_while(|model| after.as_ref().is_some_and(|after| model.path <= *after));
    let page: Vec<_> = items.by_ref().take(limit).collect();
    let next = if items.next().is_some() { page.last().map(|model| model.path.clone()) } else { None };
    Ok(HttpResponse::Ok().json(ModelPage { items: page, next }))
}
