//! Plans: what a training would do.

use super::{
    error::{Answer, ApiError},
    input::{json, refused},
};
use crate::{
    App,
    planning::{Decided, Refused, decide},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use protocol::TrainRequest;
use std::sync::Arc;

/// `POST /v1/plans`.
pub async fn plan(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (asked, _) = json::<TrainRequest>(&app, &request, payload).await?;
    let decided = decided(&app, asked).await?;
    Ok(HttpResponse::Ok().json(crate::blocking(move || decided.view(&app)).await?))
}

/// Decides a request.
pub async fn decided(app: &Arc<App>, asked: TrainRequest) -> Result<Decided, ApiError> {
    let app = app.clone();
    Ok(crate::blocking(move || Ok(decide(&app, asked))).await??)
}

impl From<Refused> for ApiError {
    fn from(refusal: Refused) -> Self {
        match refusal {
            Refused::Field(field, code, detail) => Self::unusable(code, field, detail),
            Refused::Parameter(error) => refused("parameters", &error),
            Refused::Daemon(error) => error.into(),
        }
    }
}
