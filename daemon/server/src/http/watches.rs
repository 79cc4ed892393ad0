//! Watched folders: add, look, remove.

use super::{
    error::{Answer, ApiError},
    input::json,
};
use crate::{App, store::Watch, watch};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Data, Path as UrlPath, Payload},
};
use protocol::{WatchRequest, Watches};
use std::sync::Arc;

/// `GET /v1/watches`.
pub async fn list(app: Data<App>) -> Answer {
    let items = crate::blocking(move || {
        app.store.all::<Watch>()?.into_iter().map(|found| watch::view(&app, found)).collect::<crate::Result<_>>()
    });
    Ok(HttpResponse::Ok().json(Watches { items: items.await? }))
}

/// `POST /v1/watches`.
pub async fn add(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (asked, _) = json::<WatchRequest>(&app, &request, payload).await?;
    let store = app.clone();
    let added = crate::blocking(move || Ok(watch::add(&store, asked))).await??;
    let location = format!("/v1/watches/{}", added.id);
    let view = crate::blocking(move || watch::view(&app, added)).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view))
}

/// `GET /v1/watches/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let found = find(&app, &id).await?;
    Ok(HttpResponse::Ok().json(crate::blocking(move || watch::view(&app, found)).await?))
}

/// `DELETE /v1/watches/{id}`.
pub async fn remove(app: Data<App>, id: UrlPath<String>) -> Answer {
    match crate::blocking(move || watch::remove(&app, &id)).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::not_found("such watched folder")),
    }
}

/// `POST /v1/watches/{id}/rescan`.
pub async fn rescan(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let found = find(&app, &id).await?;
    let view = crate::blocking(move || {
        watch::rescan(&app, &found)?;
        watch::view(&app, found)
    });
    Ok(HttpResponse::Ok().json(view.await?))
}

async fn find(app: &Arc<App>, id: &str) -> Result<Watch, ApiError> {
    app.read::<Watch>(id).await?.ok_or_else(|| ApiError::not_found("such watched folder"))
}
