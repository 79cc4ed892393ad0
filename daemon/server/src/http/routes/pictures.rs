//! Data sets, and what looks at them.

use super::{Entry, entry, get, op, post};
use crate::http::{datasets, looks};
use actix_web::{http::Method, web};
use protocol::{
    CaptionRequest, CaptionViews, Captions, DatasetChange, DatasetFromPath, DatasetPage, DatasetReport, DatasetView,
    ExamineRequest, VisionModels,
};

/// Data sets, and what looks at them.
pub fn table() -> Vec<Entry> {
    vec![
        entry(
            "/v1/datasets",
            vec![
                (
                    post("Make a data set of uploaded files, or of a path below an allowed root")
                        .reads::<DatasetFromPath>()
                        .reads_files("files")
                        .once()
                        .answers::<DatasetView>(201),
                    web::post().to(datasets::create),
                ),
                (get("Data sets, newest first").paged().answers::<DatasetPage>(200), web::get().to(datasets::list)),
            ],
        ),
        entry(
            "/v1/datasets/{id}",
            vec![
                (get("What a data set holds").answers::<DatasetView>(200), web::get().to(datasets::get)),
                (
                    op(
                        Method::PATCH,
                        "Leave pictures out, or move their crops; pictures that are not named stay as they are",
                    )
                    .reads::<DatasetChange>()
                    .answers::<DatasetView>(200),
                    web::patch().to(datasets::change),
                ),
                (
                    op(Method::DELETE, "Move a data set to the trash").answers_nothing(204),
                    web::delete().to(datasets::delete),
                ),
            ],
        ),
        entry(
            "/v1/datasets/{id}/files",
            vec![(
                post("Make a data set of another's files and uploaded ones; what was written and decided comes along")
                    .reads_files("files")
                    .answers::<DatasetView>(201),
                web::post().to(datasets::add),
            )],
        ),
        entry(
            "/v1/datasets/{id}/thumbnails/{picture}",
            vec![(
                get("A small copy of a picture, by the SHA-256 of its pixels").answers_as(200, "image/jpeg"),
                web::get().to(datasets::thumbnail),
            )],
        ),
        entry(
            "/v1/datasets/{id}/masks/{picture}",
            vec![(
                get("Its mask: the one beside it, or as the last examination made it").answers_as(200, "image/png"),
                web::get().to(datasets::mask),
            )],
        ),
        entry(
            "/v1/datasets/{id}/captions",
            vec![
                (get("The prompts of a data set").answers::<Captions>(200), web::get().to(datasets::captions)),
                (
                    op(Method::PUT, "Change prompts; pictures that are not named keep theirs")
                        .reads::<Captions>()
                        .answers::<Captions>(200),
                    web::put().to(datasets::set_captions),
                ),
            ],
        ),
        entry(
            "/v1/datasets/{id}/describe",
            vec![
                (
                    post("Let a captioner describe the pictures that have no prompt; a user's stay")
                        .reads::<CaptionRequest>()
                        .answers::<CaptionViews>(200),
                    web::post().to(looks::describe),
                ),
                (
                    get("Prompts with who wrote them, and what was changed in a captioner's")
                        .answers::<CaptionViews>(200),
                    web::get().to(looks::described),
                ),
            ],
        ),
        entry(
            "/v1/datasets/{id}/examine",
            vec![(
                post("Say what is wrong with the pictures").reads::<ExamineRequest>().answers::<DatasetReport>(200),
                web::post().to(looks::examine),
            )],
        ),
        entry(
            "/v1/datasets/{id}/report",
            vec![(get("What the last examination said").answers::<DatasetReport>(200), web::get().to(looks::report))],
        ),
        entry(
            "/v1/datasets/{id}/sheet",
            vec![(
                get("The pictures with their crops and masks, as the last examination saw them")
                    .answers_as(200, "image/png"),
                web::get().to(looks::sheet),
            )],
        ),
        entry(
            "/v1/datasets/{id}/cancel",
            vec![(
                post("End a captioning or an examination; what it has seen is kept").answers_nothing(204),
                web::post().to(looks::cancel),
            )],
        ),
        entry(
            "/v1/captioners",
            vec![(
                get("Installed models that look at pictures").answers::<VisionModels>(200),
                web::get().to(looks::captioners),
            )],
        ),
    ]
}
