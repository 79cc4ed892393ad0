//! Prompts as hosts want them.

use super::{error::Answer, input::json};
use crate::{
    App, Result,
    planning::{Refused, concept_of},
    store::Concept,
};
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
    let view = crate::blocking(move || {
        let chosen = !concepts.is_empty();
        let called = if chosen { self::chosen(&app, &concepts) } else { Ok(nameable(&app, &text)?) };
        Ok(called.map(|called| concept::expand(&text, host, &called, chosen)))
    });
    Ok(HttpResponse::Ok().json(view.await??))
}

fn chosen(app: &App, concepts: &[ApplyConcept]) -> std::result::Result<Vec<Called>, Refused> {
    let called = |applied: &ApplyConcept| Ok(called(concept_of(app, "concepts", &applied.concept)?, applied.strength));
    concepts.iter().map(called).collect()
}

/// The newest concept of each name that stands in a text.
fn nameable(app: &App, text: &str) -> Result<Vec<Called>> {
    let concepts = app.store.concepts_named_in(&concept::beginnings(text))?;
    Ok(concepts.into_iter().map(|concept| called(concept, 1.0)).collect())
}

fn called(Concept { view, .. }: Concept, strength: f64) -> Called {
    Called {
        id: view.id,
        name: view.name,
        stem: view.stem,
        mode: view.mode,
        tokens: view.tokens as usize,
        strength,
        bare_name: view.bare_name,
    }
}
