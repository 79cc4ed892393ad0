//! Prompts as hosts want them.

use super::{
    error::{Answer, ApiError},
    input::json,
};
use crate::{App, planning::concept_of};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use concept::Called;
use protocol::{ApplyConcept, PromptRequest};

/// `POST /v1/prompts`.
pub async fn expand(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (PromptRequest { text, host, concepts }, _) = json(&app, &request, payload).await?;
    if text.is_empty() || text.len() > 10_000 {
        return Err(ApiError::invalid("text", "give 1 to 10000 bytes"));
    }
    check_strengths(&concepts)?;
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

/// Fails for more concepts, or stronger ones, than make sense.
pub fn check_strengths(concepts: &[ApplyConcept]) -> Result<(), ApiError> {
    const MOST: usize = 8;
    if concepts.len() > MOST {
        return Err(ApiError::invalid("concepts", format!("give at most {MOST}")));
    }
    match concepts.iter().position(|applied| !(-4.0..=4.0).contains(&applied.strength)) {
        Some(i) => Err(ApiError::invalid(format!("concepts[{i}].strength"), "choose a strength from -4 to 4")),
        None => Ok(()),
    }
}
