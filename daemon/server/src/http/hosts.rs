//! Hosts, and concepts in them.

use super::{
    concepts,
    error::{Answer, ApiError},
    input::json,
};
use crate::{
    App,
    hosts::{self, Host},
    installs,
    store::Concept,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path as UrlPath, Payload},
};
use protocol::{ErrorCode, FoundHosts, HostRequest, Hosts, InstallRequest, Installs, UninstallRequest};
use std::sync::Arc;

/// `GET /v1/hosts`.
pub async fn list(app: Data<App>) -> Answer {
    let app = app.into_inner();
    let hosts = crate::blocking(move || app.store.all::<Host>()).await?;
    Ok(HttpResponse::Ok().json(Hosts { items: hosts.into_iter().map(|host| host.view).collect() }))
}

/// `POST /v1/hosts`.
pub async fn add(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (asked, _): (HostRequest, _) = json(&app, &request, payload).await?;
    match crate::blocking(move || hosts::add(&app, &asked)).await? {
        Ok(host) => Ok(HttpResponse::Created().json(host.view)),
        Err((field, detail)) => Err(ApiError::invalid(field, detail)),
    }
}

/// `POST /v1/hosts/detect`.
pub async fn detect(app: Data<App>) -> Answer {
    let app = app.into_inner();
    let items = crate::blocking(move || hosts::detect(&app)).await?;
    Ok(HttpResponse::Ok().json(FoundHosts { items }))
}

/// `GET /v1/hosts/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    Ok(HttpResponse::Ok().json(find(&app.into_inner(), &id).await?.view))
}

/// `DELETE /v1/hosts/{id}`.
pub async fn forget(app: Data<App>, id: UrlPath<String>) -> Answer {
    let (app, id) = (app.into_inner(), id.into_inner());
    match crate::blocking(move || installs::forget(&app, &id)).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::not_found("such host")),
    }
}

/// `POST /v1/hosts/{id}/verify`.
pub async fn verify(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let host = find(&app, &id).await?;
    let check = crate::blocking(move || installs::verify(&app, &host)).await?;
    Ok(HttpResponse::Ok().json(check))
}

/// `POST /v1/concepts/{id}/install`.
pub async fn install(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (InstallRequest { hosts, conflict }, _) = json(&app, &request, payload).await?;
    let concept: Concept = concepts::find(&app, &id).await?;
    let store = app.clone();
    let known = crate::blocking(move || store.store.all::<Host>()).await?;
    if let Some(unknown) = hosts.iter().find(|id| !known.iter().any(|host| host.view.id == **id)) {
        return Err(ApiError::unusable(ErrorCode::NotFound, "hosts", format!("there is no host `{unknown}`")));
    }
    let meant: Vec<Host> = known.into_iter().filter(|host| hosts.is_empty() || hosts.contains(&host.view.id)).collect();
    if meant.is_empty() {
        let detail = "no host is known; `conceptd hosts detect --add` finds them, `conceptd hosts add` takes a folder";
        return Err(ApiError::conflict(detail));
    }
    let items = crate::blocking(move || installs::install(&app, &concept, &meant, conflict)).await?;
    Ok(HttpResponse::Ok().json(Installs { items }))
}

/// `POST /v1/concepts/{id}/uninstall`.
pub async fn uninstall(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (UninstallRequest { hosts }, _) = json(&app, &request, payload).await?;
    let concept = concepts::find(&app, &id).await?;
    let items = crate::blocking(move || installs::uninstall(&app, &concept.view.id, &hosts)).await?;
    Ok(HttpResponse::Ok().json(Installs { items }))
}

async fn find(app: &Arc<App>, id: &str) -> Result<Host, ApiError> {
    app.read::<Host>(id).await?.ok_or_else(|| ApiError::not_found("such host"))
}
