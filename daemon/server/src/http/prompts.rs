//! Prompts as hosts want them.

use super::{error::Answer, input::json};
use crate::{App, planning::concept_of};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use concept::Called;
use protocol::PromptRequest;

/// `POST /v1/prompts`.
pub async fn expand(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (PromptRequest { text, host, concepts }, _) = json(&app, &request, payload).await?;
    let called = crate::blocking(move || {
        Ok(concepts
            .iter()
            .map(|applied| Ok((concept_of(&app, "concepts", &applied.concept)?, applied.strength)))
            .collect())
    });
    let called: Result<Vec<_>, crate::planning::Refused> = called.await?;
    let called: Vec<Called> = called?
        .into_iter()
        .map(|(concept, strength)| Called {
            name: concept.view.name,
            stem: concept.view.stem,
            mode: concept.view.mode,
            tokens: concept.view.tokens as usize,
            strength,
        })
        .collect();
    Ok(HttpResponse::Ok().json(concept::expand(&text, host, &called)))
}
