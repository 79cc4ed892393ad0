//! The library: import, look, rename, delete, download.

use super::{
    error::{Answer, ApiError},
    files::{plain_name, send},
    input::{PATIENCE, idempotency_key, json, media_type, paging},
};
use crate::{
    App, Blobs, Error, installs, library,
    store::{Concept, Creation},
    trash::{self, Kept},
};
use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path as UrlPath, Payload},
};
use futures_util::StreamExt;
use protocol::{ConceptChange, ConceptPage, ConceptView, ErrorCode, Mode, PreviewRequest, PromoteRequest, Trash};
use std::{path::Path, sync::Arc};
use tokio::{io::AsyncWriteExt, time::timeout};

/// `POST /v1/concepts`.
pub async fn import(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    // Importing the same bundle twice makes two versions; a key makes it one.
    let key = idempotency_key(&request)?;
    if let Some(key) = key.clone() {
        let store = app.clone();
        let made = crate::blocking(move || match store.store.request(&key)? {
            Some((id, _)) => store.store.get::<Concept>(&id),
            None => Ok(None),
        });
        if let Some(concept) = made.await? {
            return Ok(HttpResponse::Created().json(concept.view));
        }
    }
    if media_type(&request) != "multipart/form-data" {
        return Err(ApiError::media_type("send the bundle as multipart/form-data"));
    }
    let staged = app.home.staging()?;
    let form = receive(&app, Multipart::new(request.headers(), payload), &staged.join("bundle.tar")).await;
    let result = match form {
        Ok((name, mode)) => {
            let (store, tar) = (app.clone(), staged.join("bundle.tar"));
            let imported =
                crate::blocking(move || library::import(&store, &tar, name.as_deref(), mode, key.as_deref()));
            match imported.await? {
                Ok(concept) => Ok(HttpResponse::Created().json(concept.view)),
                Err(error) => {
                    // The sender knows nothing of where it was put.
                    let put = staged.join("bundle.tar").display().to_string();
                    Err(ApiError::unusable(ErrorCode::Bundle, "file", error.to_string().replace(&put, "the bundle")))
                }
            }
        }
        Err(error) => Err(error),
    };
    let _ = std::fs::remove_dir_all(&staged);
    result
}

/// Streams the bundle to disk and returns the other fields.
async fn receive(app: &Arc<App>, mut form: Multipart, to: &Path) -> Result<(Option<String>, Mode), ApiError> {
    let broken = |error: actix_multipart::MultipartError| ApiError::malformed(format!("the form is damaged: {error}"));
    let (mut name, mut mode, mut there) = (None, None, false);
    while let Some(field) = timeout(PATIENCE, form.next()).await.map_err(|_| ApiError::timeout())? {
        let mut field = field.map_err(broken)?;
        let which = field.content_disposition().and_then(|d| d.get_name()).unwrap_or_default().to_owned();
        let limit = match which.as_str() {
            "file" => app.config.limits.dataset_bytes,
            "name" | "mode" => 1000,
            _ => return Err(ApiError::invalid("file", "send the fields `file`, `mode` and optionally `name`")),
        };
        let mut file = match which.as_str() {
            "file" => Some(tokio::fs::File::create(to).await.map_err(Error::disk(to))?),
            _ => None,
        };
        let (mut text, mut length) = (Vec::new(), 0);
        while let Some(chunk) = timeout(PATIENCE, field.next()).await.map_err(|_| ApiError::timeout())? {
            let chunk = chunk.map_err(broken)?;
            length += chunk.len() as u64;
            if length > limit {
                return Err(ApiError::too_large(format!("`{which}` is larger than {limit} bytes")));
            }
            match &mut file {
                Some(file) => file.write_all(&chunk).await.map_err(Error::disk(to))?,
                None => text.extend_from_slice(&chunk),
            }
        }
        if let Some(file) = file {
            file.sync_all().await.map_err(Error::disk(to))?;
            there = true;
            continue;
        }
        let text = String::from_utf8(text).map_err(|_| ApiError::invalid(which.as_str(), "send UTF-8"))?;
        if which == "name" {
            concept::safe_name(&text).map_err(|error| ApiError::invalid("name", error.to_string()))?;
            name = Some(text);
        } else {
            let parsed = serde_json::from_value::<Mode>(text.into());
            mode = Some(parsed.map_err(|_| ApiError::invalid("mode", "choose face, object or style"))?);
        }
    }
    if !there {
        return Err(ApiError::invalid("file", "the form holds no bundle in the field `file`"));
    }
    let mode = mode.ok_or_else(|| ApiError::invalid("mode", "say what the concept is of: face, object or style"))?;
    Ok((name, mode))
}

/// The concept that a route means by its id, or by its name for the newest of that name.
pub async fn find(app: &Arc<App>, wanted: &str) -> Result<Concept, ApiError> {
    let (app, wanted) = (app.clone(), wanted.to_owned());
    let found = crate::blocking(move || match app.store.get::<Concept>(&wanted)? {
        Some(concept) => Ok(Some(concept)),
        None => app.store.concept_named(&wanted),
    });
    found.await?.ok_or_else(|| ApiError::not_found("such concept"))
}

/// A concept by its id alone: a name means another one after the first is gone or renamed.
async fn exactly(app: &Arc<App>, id: &str) -> Result<Concept, ApiError> {
    app.read::<Concept>(id).await?.ok_or_else(|| ApiError::not_found("such concept"))
}

/// With what changes by itself.
fn shown(app: &App, concept: Concept) -> crate::Result<ConceptView> {
    Ok(ConceptView { installs: installs::of_concept(app, &concept.view.id)?, ..concept.view })
}

/// `GET /v1/concepts`.
pub async fn list(app: Data<App>, request: HttpRequest) -> Answer {
    let (after, limit) = paging(&request)?;
    let app = app.into_inner();
    let page = crate::blocking(move || {
        let (items, next) = app.store.page::<Concept>(after.as_deref(), limit)?;
        let items = items.into_iter().map(|concept| shown(&app, concept)).collect::<crate::Result<_>>()?;
        Ok(ConceptPage { items, next })
    });
    Ok(HttpResponse::Ok().json(page.await?))
}

/// `GET /v1/concepts/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let concept = find(&app, &id).await?;
    Ok(HttpResponse::Ok().json(crate::blocking(move || shown(&app, concept)).await?))
}

/// `PATCH /v1/concepts/{id}`.
pub async fn change(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (ConceptChange { name, bare_name }, _) = json(&app, &request, payload).await?;
    if let Some(name) = &name {
        concept::safe_name(name).map_err(|error| ApiError::invalid("name", error.to_string()))?;
    }
    exactly(&app, &id).await?;
    let (store, id) = (app.clone(), id.into_inner());
    let changed = crate::blocking(move || {
        let version = name.as_deref().map(|name| store.store.versions_of(name)).transpose()?;
        let distinctive = name.as_deref().map(library::distinctive).transpose()?;
        store.store.update::<Concept, _>(&id, |Concept { view, bare_name_set, .. }| {
            if let (Some(name), Some(version), Some(distinctive)) = (name, version, distinctive)
                && view.name != name
            {
                (view.name, view.version) = (name, version + 1);
                if !*bare_name_set {
                    view.bare_name = distinctive;
                }
            }
            if let Some(bare_name) = bare_name {
                (view.bare_name, *bare_name_set) = (bare_name, true);
            }
        })
    });
    let (concept, ()) = changed.await?.ok_or_else(|| ApiError::not_found("such concept"))?;
    let view = crate::blocking(move || {
        installs::describe(&app, &concept)?;
        shown(&app, concept)
    });
    Ok(HttpResponse::Ok().json(view.await?))
}

/// `DELETE /v1/concepts/{id}`.
pub async fn delete(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let concept = exactly(&app, &id).await?;
    crate::blocking(move || {
        // What a host still holds open goes later.
        installs::uninstall(&app, &concept.view.id, &[])?;
        trash::discard(&app, &concept.view.id)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/trash`.
pub async fn trash(app: Data<App>) -> Answer {
    let items = crate::blocking(move || Ok(trash::list(&app))).await?;
    Ok(HttpResponse::Ok().json(Trash { items }))
}

/// `POST /v1/trash/{id}/restore`.
pub async fn restore(app: Data<App>, id: UrlPath<String>) -> Answer {
    plain_name(&id)?;
    let app = app.into_inner();
    let store = app.clone();
    match crate::blocking(move || trash::restore(&store, &id)).await? {
        Ok(concept) => Ok(HttpResponse::Ok().json(crate::blocking(move || shown(&app, concept)).await?)),
        Err(Kept::Missing) => Err(ApiError::not_found("such concept in the trash")),
        Err(Kept::Taken(stem)) => {
            let detail = format!("another concept's files are called {stem} by now; delete that one first");
            Err(ApiError::conflict(detail))
        }
    }
}

/// `DELETE /v1/trash/{id}`.
pub async fn forget(app: Data<App>, id: UrlPath<String>) -> Answer {
    plain_name(&id)?;
    match crate::blocking(move || trash::forget(&app, &id)).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ApiError::not_found("such concept in the trash")),
    }
}

/// `POST /v1/concepts/{id}/promote`.
pub async fn promote(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (PromoteRequest { step }, _) = json(&app, &request, payload).await?;
    let concept = exactly(&app, &id).await?;
    if concept.view.job.is_none() {
        return Err(ApiError::conflict("the concept was not trained here, so that there are no snapshots of it"));
    }
    let store = app.clone();
    match crate::blocking(move || library::promote(&store, &concept, step)).await? {
        Ok((concept, new)) => {
            let mut answer = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
            Ok(answer.json(crate::blocking(move || shown(&app, concept)).await?))
        }
        Err(error) => Err(ApiError::unusable(error.code(), "step", error.to_string())),
    }
}

/// `GET /v1/concepts/{id}/report`.
pub async fn report(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let concept = find(&app, &id).await?.view;
    let path = app.home.get(&concept.id, library::REPORT)?;
    send(&path.ok_or_else(|| ApiError::not_found("report of this concept"))?, "application/json", None).await
}

/// `PUT /v1/concepts/{id}/preview`.
pub async fn set_preview(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (PreviewRequest { creation, picture }, _) = json(&app, &request, payload).await?;
    exactly(&app, &id).await?;
    let creation = app.read::<Creation>(&creation).await?;
    let creation = creation.ok_or_else(|| ApiError::invalid("creation", "there is no such creation"))?;
    let file = creation.files.get(picture);
    let file = file.ok_or_else(|| ApiError::invalid("picture", "the creation has no such picture"))?;
    let (path, id) = (creation.task.out.join(file), id.into_inner());
    let changed = crate::blocking(move || {
        app.home.put(&id, library::PREVIEW, &path)?;
        let changed = app.store.update::<Concept, _>(&id, |concept| concept.view.preview = true)?;
        changed.map(|(concept, ())| shown(&app, concept)).transpose()
    });
    let view = changed.await?.ok_or_else(|| ApiError::not_found("such concept"))?;
    Ok(HttpResponse::Ok().json(view))
}

/// `GET /v1/concepts/{id}/bundle`.
pub async fn bundle(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let concept = find(&app, &id).await?.view;
    let path = library::bundle_of(&app.home, &concept)?.ok_or_else(|| ApiError::not_found("such file any more"))?;
    send(&path, "application/x-tar", Some(&library::bundle_file(&concept.stem))).await
}

/// `GET /v1/concepts/{id}/preview`.
pub async fn preview(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let concept = find(&app, &id).await?.view;
    let path =
        app.home.get(&concept.id, library::PREVIEW)?.ok_or_else(|| ApiError::not_found("preview of this concept"))?;
    send(&path, "image/png", None).await
}
