//! Data sets: uploads and local paths, surveys, prompts.

use super::{
    error::{Answer, ApiError},
    files::{plain_name, send, send_lasting},
    input::{PATIENCE, idempotency_key, json, media_type, other_body, paging},
};
use crate::{
    App, Error, intake, preparing,
    store::{DatasetRecord, Submitted},
};
use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path as UrlPath, Payload},
};
use futures_util::StreamExt;
use protocol::{
    Captions, DatasetChange, DatasetFromPath, DatasetPage, DatasetSummary, DatasetView, ErrorCode, JobFailure,
};
use std::{collections::HashSet, path::Path, sync::Arc};
use tokio::{io::AsyncWriteExt, time::timeout};

/// `POST /v1/datasets`.
pub async fn create(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let key = idempotency_key(&request)?;
    if let Some(key) = &key
        && let Some(view) = made_before(&app, key).await?
    {
        return Ok(HttpResponse::Created().json(view));
    }
    let staged = app.home.staging()?;
    let result = match media_type(&request).as_str() {
        "application/json" => from_path(&app, &request, payload, &staged).await,
        "multipart/form-data" => receive(&app, Multipart::new(request.headers(), payload), &staged, 0).await,
        _ => Err(ApiError::media_type("send files as multipart/form-data, or a path as application/json")),
    };
    let result = match result {
        Ok(()) => keep(&app, &staged, key, None).await,
        Err(error) => Err(error),
    };
    // What could not be used is not kept; on success nothing is left there.
    let _ = std::fs::remove_dir_all(&staged);
    Ok(HttpResponse::Created().json(result?))
}

async fn made_before(app: &Arc<App>, key: &str) -> Result<Option<DatasetView>, ApiError> {
    let (store, key) = (app.clone(), key.to_owned());
    let made = crate::blocking(move || match store.store.request(&key)? {
        Some((id, _)) => store.store.get::<DatasetRecord>(&id),
        None => Ok(None),
    });
    Ok(made.await?.map(|record| view(app, record)))
}

/// Looks through what was staged and makes a data set of it.
async fn keep(
    app: &Arc<App>,
    staged: &Path,
    key: Option<String>,
    before: Option<String>,
) -> Result<DatasetView, ApiError> {
    match intake::keep(app, staged, crate::id("dataset")?, key, before).await? {
        Ok(Submitted::New(record) | Submitted::Earlier(record)) => Ok(view(app, record)),
        Ok(Submitted::OtherBody | Submitted::Gone) => Err(other_body()),
        Err(JobFailure { code: ErrorCode::TooLarge, reason }) => Err(ApiError::too_large(reason)),
        Err(JobFailure { code, reason }) => Err(ApiError::unusable(code, "files", reason)),
    }
}

async fn from_path(app: &Arc<App>, request: &HttpRequest, payload: Payload, staged: &Path) -> Result<(), ApiError> {
    let (DatasetFromPath { path }, _) = json(app, request, payload).await?;
    let (app, staged) = (app.clone(), staged.to_owned());
    let copied = crate::blocking(move || Ok(intake::copy(&app, Path::new(&path), &staged)));
    copied.await?.map_err(|reason| ApiError::unusable(ErrorCode::Dataset, "path", reason))
}

/// Streams the files of a form to disk, beside `there` bytes that are there already.
async fn receive(app: &Arc<App>, mut form: Multipart, staged: &Path, there: u64) -> Result<(), ApiError> {
    let limits = &app.config.limits;
    let broken = |error: actix_multipart::MultipartError| ApiError::malformed(format!("the form is damaged: {error}"));
    let (mut names, mut total) = (HashSet::new(), there);
    while let Some(field) = timeout(PATIENCE, form.next()).await.map_err(|_| ApiError::timeout())? {
        let mut field = field.map_err(broken)?;
        let disposition = field.content_disposition();
        if disposition.and_then(|d| d.get_name()) != Some("files") {
            return Err(ApiError::invalid("files", "send every file in the field `files`"));
        }
        let given = disposition.and_then(|d| d.get_filename()).unwrap_or_default().to_owned();
        let name = intake::safe_path(&given).map_err(|reason| ApiError::invalid("files", reason))?;
        // Windows and macOS know no difference between these.
        if !names.insert(name.to_lowercase()) {
            return Err(ApiError::invalid("files", format!("`{name}` comes twice; give the files different names")));
        }
        if names.len() as u64 > limits.pictures.saturating_mul(3) {
            return Err(ApiError::too_large(format!("more than {} files", limits.pictures.saturating_mul(3))));
        }
        let path = staged.join(&name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::disk(folder))?;
        }
        let mut file = tokio::fs::File::create(&path).await.map_err(Error::disk(&path))?;
        let mut length = 0u64;
        while let Some(chunk) = timeout(PATIENCE, field.next()).await.map_err(|_| ApiError::timeout())? {
            let chunk = chunk.map_err(broken)?;
            length += chunk.len() as u64;
            total += chunk.len() as u64;
            // An archive may be as large as a whole data set.
            let most = if intake::is_archive(&name) { limits.dataset_bytes } else { limits.file_bytes };
            if length > most {
                return Err(ApiError::too_large(format!("`{name}` is larger than {most} bytes")));
            }
            if total > limits.dataset_bytes {
                return Err(ApiError::too_large(format!("the files are larger than {} bytes", limits.dataset_bytes)));
            }
            file.write_all(&chunk).await.map_err(Error::disk(&path))?;
        }
        file.sync_all().await.map_err(Error::disk(&path))?;
    }
    if names.is_empty() {
        return Err(ApiError::invalid("files", "the form holds no files"));
    }
    Ok(())
}

fn view(app: &App, record: DatasetRecord) -> DatasetView {
    DatasetView {
        looked_at: app.looking.at(&record.id),
        survey: record.effective(),
        id: record.id,
        bytes: record.bytes,
        created_at_ms: record.created_at_ms,
    }
}

/// `POST /v1/datasets/{id}/files`.
pub async fn add(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let before = find(&app, &id).await?;
    if media_type(&request) != "multipart/form-data" {
        return Err(ApiError::media_type("send files as multipart/form-data"));
    }
    let staged = app.home.staging()?;
    let form = Multipart::new(request.headers(), payload);
    let result = match receive(&app, form, &staged.join("new"), before.bytes).await {
        Ok(()) => together(&app, &before.id, &staged).await,
        Err(error) => Err(error),
    };
    let result = match result {
        Ok(()) => keep(&app, &staged.join("all"), None, Some(before.id)).await,
        Err(error) => Err(error),
    };
    let _ = std::fs::remove_dir_all(&staged);
    Ok(HttpResponse::Created().json(result?))
}

/// Puts a data set's files and the new ones into one folder.
async fn together(app: &Arc<App>, before: &str, staged: &Path) -> Result<(), ApiError> {
    let (old, staged) = (app.home.dataset(before), staged.to_owned());
    Ok(crate::blocking(move || intake::together(&old, &staged.join("new"), &staged.join("all"))).await?)
}

/// `PATCH /v1/datasets/{id}`.
pub async fn change(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (DatasetChange { pictures }, _) = json::<DatasetChange>(&app, &request, payload).await?;
    let record = find(&app, &id).await?;
    for name in pictures.keys() {
        if !record.survey.pictures.iter().any(|picture| picture.name == *name) {
            return Err(ApiError::invalid(format!("pictures.{name}"), "the data set has no such picture"));
        }
    }
    let store = app.clone();
    let updated =
        crate::blocking(move || store.store.update::<DatasetRecord, _>(&id, |record| record.choices.extend(pictures)));
    let (record, ()) = updated.await?.ok_or_else(|| ApiError::not_found("such data set"))?;
    Ok(HttpResponse::Ok().json(view(&app, record)))
}

/// `DELETE /v1/datasets/{id}`.
pub async fn delete(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    find(&app, &id).await?;
    if app.looking.at(&id).is_some() {
        return Err(ApiError::conflict("somebody looks at these pictures; wait, or cancel it"));
    }
    let id = id.into_inner();
    let removed = crate::blocking(move || {
        let removed = app.store.remove_dataset(&id)?;
        if removed.is_ok() {
            // Without a row nothing asks for the files any more, whenever they go.
            app.home.discard(&app.home.dataset(&id))?;
            intake::forget_what_was_made(&app.home, &id);
        }
        Ok(removed)
    });
    match removed.await? {
        Err(name) => Err(ApiError::conflict(format!("the training of {name} needs these pictures; cancel it first"))),
        Ok(_) => Ok(HttpResponse::NoContent().finish()),
    }
}

/// `GET /v1/datasets/{id}/thumbnails/{picture}`.
pub async fn thumbnail(app: Data<App>, path: UrlPath<(String, String)>) -> Answer {
    let (app, (id, picture)) = (app.into_inner(), path.into_inner());
    let folder = app.home.thumbnails(plain_name(&id)?);
    send_lasting(&folder.join(format!("{}.jpg", plain_name(&picture)?)), "image/jpeg").await
}

/// `GET /v1/datasets/{id}/masks/{picture}`.
pub async fn mask(app: Data<App>, path: UrlPath<(String, String)>) -> Answer {
    let (app, (id, picture)) = (app.into_inner(), path.into_inner());
    let (id, picture) = (plain_name(&id)?, plain_name(&picture)?);
    let beside = app.home.thumbnails(id).join(format!("{picture}.png"));
    match beside.is_file() {
        true => send(&beside, "image/png", None).await,
        false => send(&preparing::mask(&app.home, id, picture), "image/png", None).await,
    }
}

/// `GET /v1/datasets`.
pub async fn list(app: Data<App>, request: HttpRequest) -> Answer {
    let (after, limit) = paging(&request)?;
    let page = crate::blocking(move || app.store.page::<DatasetRecord>(after.as_deref(), limit));
    let (items, next) = page.await?;
    let items = items.into_iter().map(|record| DatasetSummary {
        id: record.id,
        pictures: record.survey.pictures.len() as u64,
        cover: record.survey.pictures.first().map(|picture| picture.sha256.clone()),
        bytes: record.bytes,
        created_at_ms: record.created_at_ms,
    });
    Ok(HttpResponse::Ok().json(DatasetPage { items: items.collect(), next }))
}

/// `GET /v1/datasets/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let record = find(&app, &id).await?;
    Ok(HttpResponse::Ok().json(view(&app, record)))
}

/// `GET /v1/datasets/{id}/captions`.
pub async fn captions(app: Data<App>, id: UrlPath<String>) -> Answer {
    Ok(HttpResponse::Ok().json(find(&app.into_inner(), &id).await?.captions()))
}

/// `PUT /v1/datasets/{id}/captions`.
pub async fn set_captions(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    const LONGEST: usize = 10_000;
    let app = app.into_inner();
    let (Captions { captions }, _) = json::<Captions>(&app, &request, payload).await?;
    let record = find(&app, &id).await?;
    for (name, caption) in &captions {
        if !record.survey.pictures.iter().any(|picture| picture.name == *name) {
            return Err(ApiError::invalid(format!("captions.{name}"), "the data set has no such picture"));
        }
        if caption.as_ref().is_some_and(|caption| caption.len() > LONGEST || caption.contains('\0')) {
            let detail = format!("give a text of at most {LONGEST} bytes without NUL");
            return Err(ApiError::invalid(format!("captions.{name}"), detail));
        }
    }
    let tidy = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let updated = crate::blocking(move || {
        app.store.update::<DatasetRecord, _>(&id, |record| {
            let tidied =
                captions.into_iter().map(|(name, text)| (name, text.map(tidy).filter(|text| !text.is_empty())));
            record.captions.extend(tidied);
        })
    });
    let (record, ()) = updated.await?.ok_or_else(|| ApiError::not_found("such data set"))?;
    Ok(HttpResponse::Ok().json(record.captions()))
}

/// The data set of an id.
pub async fn find(app: &Arc<App>, id: &str) -> Result<DatasetRecord, ApiError> {
    app.read::<DatasetRecord>(id).await?.ok_or_else(|| ApiError::not_found("such data set"))
}
