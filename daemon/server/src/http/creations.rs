//! Pictures: asked for, looked at.

use super::{
    error::{Answer, ApiError},
    files::{plain_name, send_lasting},
    input::{idempotency_key, json, other_body, paging},
};
use crate::{
    App, Error, library,
    planning::{self, Refused, concept_of},
    store::{Checkpoint, Creation, Submitted, Work},
};
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Data, Path as UrlPath, Payload},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use protocol::{CreateTask, CreationPage, CreationRequest, CreationView, ErrorCode};
use std::{path::PathBuf, sync::Arc};

/// `POST /v1/creations`.
pub async fn submit(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let key = idempotency_key(&request)?;
    let (mut asked, digest) = json::<CreationRequest>(&app, &request, payload).await?;
    let init = asked.init_image.take().map(|text| BASE64_STANDARD.decode(text));
    let init =
        init.transpose().map_err(|error| ApiError::invalid("init_image", format!("this is no base64: {error}")))?;
    if init.as_deref().is_some_and(|bytes| !is_picture(bytes)) {
        return Err(ApiError::invalid("init_image", "this is no PNG, JPEG or WebP picture"));
    }
    let store = app.clone();
    let prepared = crate::blocking(move || Ok(prepare(&store, asked, init.as_deref())));
    let creation = prepared.await??;
    let store = app.clone();
    let submitted = crate::blocking(move || {
        store.store.submit_creation(creation, key.as_deref().map(|key| (key, digest.as_str())))
    });
    let creation = match submitted.await? {
        Submitted::New(creation) | Submitted::Earlier(creation) => creation,
        Submitted::OtherBody | Submitted::Gone => return Err(other_body()),
    };
    app.controls.ring();
    let location = format!("/v1/creations/{}", creation.id);
    Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(view(creation)))
}

/// Whether bytes begin as a picture does; a worker decodes it.
fn is_picture(bytes: &[u8]) -> bool {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.starts_with(b"\xff\xd8\xff") || webp
}

/// Finds concepts and base, and keeps the init image.
fn prepare(app: &App, asked: CreationRequest, init: Option<&[u8]>) -> Result<Creation, Refused> {
    let mut concepts = Vec::new();
    for applied in &asked.concepts {
        let concept = concept_of(app, "concepts", &applied.concept)?.view;
        let file = match applied.step {
            None => library::bundle_of(&app.home, &concept)?,
            Some(step) => library::snapshot_of(app, &concept, step)?,
        };
        let Some(bundle) = file else {
            let what = applied.step.map_or_else(|| "files".to_owned(), |step| format!("files of step {step}"));
            let detail = format!("the {what} of `{}` are gone", concept.name);
            return Err(Refused::Field("concepts", ErrorCode::NotFound, detail));
        };
        concepts.push((bundle, concept, applied.strength));
    }
    let base = match &asked.base {
        Some(base) => planning::base(app, base)?,
        None => own_base(app, concepts.first().and_then(|(_, concept, _)| concept.base_sha256.as_deref()))?,
    };
    let id = crate::id("creation")?;
    let out = app.home.creation(&id);
    std::fs::create_dir_all(&out).map_err(Error::disk(&out))?;
    let init = match init {
        None => None,
        Some(bytes) => {
            let path = out.join("init");
            crate::write_whole(&path, bytes)?;
            Some((path, asked.init_strength))
        }
    };
    let task = CreateTask {
        base: base.path.into(),
        concepts: concepts.into_iter().map(|(bundle, concept, strength)| (bundle, concept.name, strength)).collect(),
        prompt: asked.prompt.clone(),
        negative: asked.negative.clone(),
        width: asked.width,
        height: asked.height,
        steps: asked.steps,
        cfg: asked.cfg,
        seed: asked.seed,
        count: asked.count,
        init,
        out,
        device: app.config.device,
        threads: app.config.threads,
    };
    Ok(Creation { id, request: asked, task, work: Work::queued(0), files: Vec::new() })
}

/// The checkpoint that a concept was trained on.
fn own_base(app: &App, digest: Option<&str>) -> Result<Checkpoint, Refused> {
    let Some(digest) = digest else {
        let detail = "say which checkpoint to draw with".to_owned();
        return Err(Refused::Field("base", ErrorCode::Invalid, detail));
    };
    let known = app.models.list(&app.store)?;
    known.into_iter().find(|checkpoint| checkpoint.sha256.as_deref() == Some(digest)).ok_or_else(|| {
        let detail =
            "the checkpoint that the concept was trained on is not among the models, or not read yet; name one"
                .to_owned();
        Refused::Field("base", ErrorCode::NotFound, detail)
    })
}

fn view(creation: Creation) -> CreationView {
    let pictures = creation.files.iter().map(|file| format!("/v1/creations/{}/pictures/{file}", creation.id)).collect();
    CreationView {
        state: creation.work.state,
        failure: creation.work.failure,
        created_at_ms: creation.work.created_at_ms,
        finished_at_ms: creation.work.finished_at_ms,
        pictures,
        request: creation.request,
        id: creation.id,
    }
}

async fn find(app: &Arc<App>, id: &str) -> Result<Creation, ApiError> {
    app.read::<Creation>(id).await?.ok_or_else(|| ApiError::not_found("such creation"))
}

/// `GET /v1/creations`.
pub async fn list(app: Data<App>, request: HttpRequest) -> Answer {
    let (after, limit) = paging(&request)?;
    let (items, next) = crate::blocking(move || app.store.page::<Creation>(after.as_deref(), limit)).await?;
    Ok(HttpResponse::Ok().json(CreationPage { items: items.into_iter().map(view).collect(), next }))
}

/// `GET /v1/creations/{id}`.
pub async fn get(app: Data<App>, id: UrlPath<String>) -> Answer {
    Ok(HttpResponse::Ok().json(view(find(&app.into_inner(), &id).await?)))
}

/// `POST /v1/creations/{id}/cancel`.
pub async fn cancel(app: Data<App>, id: UrlPath<String>) -> Answer {
    let (store, id) = (app.into_inner(), id.into_inner());
    let cancelled = crate::blocking(move || store.controls.cancel_creation(&store.store, &id)).await?;
    match cancelled {
        None => Err(ApiError::not_found("such creation")),
        Some(Err(_)) => Err(ApiError::conflict("the creation is over")),
        Some(Ok(creation)) => Ok(HttpResponse::Ok().json(view(creation))),
    }
}

/// `GET /v1/creations/{id}/pictures/{file}`.
pub async fn picture(app: Data<App>, path: UrlPath<(String, String)>) -> Answer {
    let (app, (id, file)) = (app.into_inner(), path.into_inner());
    let creation = find(&app, &id).await?;
    let name = plain_name(&file)?;
    if !creation.files.iter().any(|known| known == name) {
        return Err(ApiError::not_found("such picture"));
    }
    let path: PathBuf = creation.task.out.join(name);
    send_lasting(&path, "image/png").await
}

/// `DELETE /v1/creations/{id}`.
pub async fn delete(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let creation = find(&app, &id).await?;
    if !creation.work.state.is_final() {
        return Err(ApiError::conflict("the pictures are not made yet; cancel the creation first"));
    }
    crate::blocking(move || {
        app.home.discard(&app.home.creation(&creation.id))?;
        app.store.remove::<Creation>(&creation.id)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
