//! Looking at a data set: captions, examination, the preview sheet, the models that look.

use super::{
    datasets::find,
    error::{Answer, ApiError},
    files::send,
    input::json,
};
use crate::{
    App,
    preparing::{self, Refused},
    store::DatasetRecord,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path as UrlPath, Payload},
};
use models::{Listed, Store as Models};
use protocol::{
    CaptionRequest, CaptionViews, DatasetReport, ErrorCode, ExamineRequest, MaskName, PrepareTask, Prepared,
    VisionModel, VisionModels,
};
use std::{collections::BTreeSet, sync::Arc};

/// `POST /v1/datasets/{id}/describe`.
pub async fn describe(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (asked, _) = json::<CaptionRequest>(&app, &request, payload).await?;
    let (again, some) = (asked.again, !asked.pictures.is_empty());
    let record = find(&app, &id).await?;
    let known: BTreeSet<&String> = record.survey.pictures.iter().map(|picture| &picture.name).collect();
    if let Some(foreign) = asked.pictures.iter().find(|name| !known.contains(name)) {
        return Err(ApiError::invalid("pictures", format!("the data set has no picture `{foreign}`")));
    }
    let wanted: BTreeSet<String> = asked.pictures.into_iter().collect();
    let others = known.into_iter().filter(|name| some && !wanted.contains(*name));
    let wish = PrepareTask {
        left_out: others.cloned().collect(),
        name: asked.name,
        class_word: asked.class_word,
        leave_out: asked.leave_out,
        tags: asked.tags,
        captioner: Some(asked.captioner.unwrap_or_else(|| "auto".into())),
        rewrite: asked.rewrite,
        mask: MaskName::None,
        ..PrepareTask::of(asked.mode)
    };
    let (record, notes) = look(&app, &id, wish, again, move |record, prepared| {
        record.described.extend(std::mem::take(&mut prepared.captions));
        if !some {
            record.shared = std::mem::take(&mut prepared.shared);
        }
    })
    .await?;
    Ok(HttpResponse::Ok().json(CaptionViews { items: record.sources(), shared: record.shared, notes }))
}

/// `GET /v1/datasets/{id}/describe`.
pub async fn described(app: Data<App>, id: UrlPath<String>) -> Answer {
    let record = find(&app.into_inner(), &id).await?;
    Ok(HttpResponse::Ok().json(CaptionViews { items: record.sources(), shared: record.shared, notes: Vec::new() }))
}

/// `POST /v1/datasets/{id}/examine`.
pub async fn examine(app: Data<App>, id: UrlPath<String>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (asked, _) = json::<ExamineRequest>(&app, &request, payload).await?;
    let usual = PrepareTask::of(asked.mode);
    let resolution = asked.resolution.unwrap_or(usual.resolution);
    preparing::forget_masks(&app.home, &find(&app, &id).await?.id);
    let wish = PrepareTask { name: asked.name, resolution, crop: asked.crop, mask: asked.mask, ..usual };
    let (record, _) = look(&app, &id, wish, false, |record, prepared| record.report = prepared.examined.take()).await?;
    Ok(HttpResponse::Ok().json(report_of(record)?))
}

/// `GET /v1/datasets/{id}/report`.
pub async fn report(app: Data<App>, id: UrlPath<String>) -> Answer {
    Ok(HttpResponse::Ok().json(report_of(find(&app.into_inner(), &id).await?)?))
}

fn report_of(record: DatasetRecord) -> Result<DatasetReport, ApiError> {
    record.report.ok_or_else(|| ApiError::not_found("report of this data set; ask for an examination first"))
}

/// `GET /v1/datasets/{id}/sheet`.
pub async fn sheet(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let record = find(&app, &id).await?;
    send(&preparing::sheet(&app.home, &record.id), "image/png", None).await
}

/// `POST /v1/datasets/{id}/cancel`.
pub async fn cancel(app: Data<App>, id: UrlPath<String>) -> Answer {
    let app = app.into_inner();
    let record = find(&app, &id).await?;
    app.looking.cancel(&record.id);
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/captioners`.
pub async fn captioners(app: Data<App>) -> Answer {
    let listed = crate::blocking(move || Models::open(&app.home.eyes()).list().map_err(crate::Error::Models));
    let view = |listed| match listed {
        Listed::Ready(model) => VisionModel {
            purpose: model.purpose().to_string(),
            form: model.form.to_string(),
            bytes: model.bytes(),
            problem: None,
            id: model.id,
        },
        Listed::Broken { id, why } => {
            VisionModel { id, purpose: String::new(), form: String::new(), bytes: 0, problem: Some(why.to_string()) }
        }
    };
    Ok(HttpResponse::Ok().json(VisionModels { items: listed.await?.into_iter().map(view).collect() }))
}

/// Looks, and keeps what was seen. It goes on when whoever asked stops waiting.
async fn look(
    app: &Arc<App>,
    id: &str,
    wish: PrepareTask,
    again: bool,
    keep: impl Fn(&mut DatasetRecord, &mut Prepared) + Send + 'static,
) -> Result<(DatasetRecord, Vec<String>), ApiError> {
    let record = find(app, id).await?;
    let app = app.clone();
    let work = actix_web::rt::spawn(async move {
        let (mut prepared, _shown) = match preparing::prepare(&app, &record, wish, again).await? {
            Ok(seen) => seen,
            Err(refused) => return Ok(Err(refused)),
        };
        let notes = std::mem::take(&mut prepared.notes);
        let id = record.id.clone();
        let kept =
            crate::blocking(move || app.store.update::<DatasetRecord, _>(&id, |record| keep(record, &mut prepared)));
        Ok::<_, crate::Error>(Ok((kept.await?.map_or(record, |(record, ())| record), notes)))
    });
    match work.await.map_err(crate::Error::bug)?? {
        Ok(seen) => Ok(seen),
        Err(Refused::Busy) => Err(ApiError::conflict("somebody looks at this data set already; wait, or cancel it")),
        Err(Refused::Failed(failure)) => {
            let field = if failure.code == ErrorCode::Invalid { "captioner" } else { "dataset" };
            Err(ApiError::unusable(failure.code, field, failure.reason))
        }
    }
}
