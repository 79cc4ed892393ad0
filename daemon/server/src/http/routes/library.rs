//! Concepts, the trash, and pictures and prompts with concepts.

use super::{Entry, entry, get, op, post};
use crate::http::{concepts, creations, prompts};
use actix_web::{http::Method, web};
use protocol::{
    ConceptChange, ConceptPage, ConceptView, CreationPage, CreationRequest, CreationView, PreviewRequest,
    PromoteRequest, PromptRequest, PromptView, Trash,
};

/// Concepts, the trash, and pictures and prompts with concepts.
pub fn table() -> Vec<Entry> {
    vec![
        entry(
            "/v1/concepts",
            vec![
                (
                    post("Import a bundle: the fields `file`, `mode` and optionally `name`")
                        .reads_bundle()
                        .once()
                        .answers::<ConceptView>(201),
                    web::post().to(concepts::import),
                ),
                (get("Concepts, newest first").paged().answers::<ConceptPage>(200), web::get().to(concepts::list)),
            ],
        ),
        entry(
            "/v1/concepts/{id}",
            vec![
                (get("A concept").answers::<ConceptView>(200), web::get().to(concepts::get)),
                (
                    op(Method::PATCH, "Rename a concept; its files keep their names")
                        .reads::<ConceptChange>()
                        .answers::<ConceptView>(200),
                    web::patch().to(concepts::change),
                ),
                (
                    op(Method::DELETE, "Move a concept to the trash").answers_nothing(204),
                    web::delete().to(concepts::delete),
                ),
            ],
        ),
        entry(
            "/v1/concepts/{id}/bundle",
            vec![(get("Its bundle").answers_as(200, "application/x-tar"), web::get().to(concepts::bundle))],
        ),
        entry(
            "/v1/concepts/{id}/preview",
            vec![
                (
                    get("Base beside concept, or the picture that was chosen").answers_as(200, "image/png"),
                    web::get().to(concepts::preview),
                ),
                (
                    op(Method::PUT, "Take a created picture as its preview")
                        .reads::<PreviewRequest>()
                        .answers::<ConceptView>(200),
                    web::put().to(concepts::set_preview),
                ),
            ],
        ),
        entry(
            "/v1/concepts/{id}/report",
            vec![(get("How it was trained: plan, curves, prompts").answers_json(200), web::get().to(concepts::report))],
        ),
        entry(
            "/v1/concepts/{id}/promote",
            vec![(
                post("Make a version of it out of another snapshot of its job")
                    .reads::<PromoteRequest>()
                    .answers::<ConceptView>(201)
                    .answers::<ConceptView>(200),
                web::post().to(concepts::promote),
            )],
        ),
        entry("/v1/trash", vec![(get("Deleted concepts").answers::<Trash>(200), web::get().to(concepts::trash))]),
        entry(
            "/v1/trash/{id}",
            vec![(op(Method::DELETE, "Delete it for good").answers_nothing(204), web::delete().to(concepts::forget))],
        ),
        entry(
            "/v1/trash/{id}/restore",
            vec![(post("Take a concept back").answers::<ConceptView>(200), web::post().to(concepts::restore))],
        ),
        entry(
            "/v1/creations",
            vec![
                (
                    post("Make pictures").reads::<CreationRequest>().once().answers::<CreationView>(202),
                    web::post().to(creations::submit),
                ),
                (get("Creations, newest first").paged().answers::<CreationPage>(200), web::get().to(creations::list)),
            ],
        ),
        entry(
            "/v1/creations/{id}",
            vec![
                (get("A creation").answers::<CreationView>(200), web::get().to(creations::get)),
                (
                    op(Method::DELETE, "Move a creation to the trash").answers_nothing(204),
                    web::delete().to(creations::delete),
                ),
            ],
        ),
        entry(
            "/v1/creations/{id}/cancel",
            vec![(post("End a creation").answers::<CreationView>(200), web::post().to(creations::cancel))],
        ),
        entry(
            "/v1/creations/{id}/pictures/{file}",
            vec![(get("A picture").answers_as(200, "image/png"), web::get().to(creations::picture))],
        ),
        entry(
            "/v1/prompts",
            vec![(
                post("A prompt as a host wants it").reads::<PromptRequest>().answers::<PromptView>(200),
                web::post().to(prompts::expand),
            )],
        ),
    ]
}
