//! Plans and trainings.

use super::{Entry, entry, get, op, post};
use crate::http::{events, jobs, plans};
use actix_web::{http::Method, web};
use protocol::{JobPage, JobView, LossCurve, PlanView, PriorityChange, Samples, Snapshots, TrainRequest};

/// Plans and trainings.
pub fn table() -> Vec<Entry> {
    vec![
        entry(
            "/v1/plans",
            vec![(
                post("What a training would do: every decision, memory, time, warnings")
                    .reads::<TrainRequest>()
                    .answers::<PlanView>(200),
                web::post().to(plans::plan),
            )],
        ),
        entry(
            "/v1/jobs",
            vec![
                (
                    post("Queue a training").reads::<TrainRequest>().once().answers::<JobView>(202),
                    web::post().to(jobs::submit),
                ),
                (get("Trainings, newest first").paged().answers::<JobPage>(200), web::get().to(jobs::list)),
            ],
        ),
        entry("/v1/jobs/{id}", vec![(get("A training").answers::<JobView>(200), web::get().to(jobs::get))]),
        entry("/v1/jobs/{id}/cancel", vec![(post("End a training for good").answers::<JobView>(200), web::post().to(jobs::cancel))]),
        entry(
            "/v1/jobs/{id}/pause",
            vec![(post("Stop at the next step and free the memory").answers::<JobView>(200), web::post().to(jobs::pause))],
        ),
        entry("/v1/jobs/{id}/resume", vec![(post("Go on").answers::<JobView>(200), web::post().to(jobs::resume))]),
        entry(
            "/v1/jobs/{id}/sample",
            vec![(post("Draw sample pictures at the next step").answers::<JobView>(200), web::post().to(jobs::sample))],
        ),
        entry(
            "/v1/jobs/{id}/request",
            vec![(get("What was asked").answers::<TrainRequest>(200), web::get().to(jobs::request))],
        ),
        entry(
            "/v1/jobs/{id}/snapshots",
            vec![(
                get("What can be drawn with and promoted, and how models judged it").answers::<Snapshots>(200),
                web::get().to(jobs::snapshots),
            )],
        ),
        entry(
            "/v1/jobs/{id}/priority",
            vec![(
                op(Method::PUT, "Move a training in the queue").reads::<PriorityChange>().answers::<JobView>(200),
                web::put().to(jobs::prioritize),
            )],
        ),
        entry(
            "/v1/jobs/{id}/events",
            vec![(
                get("What happens, as server-sent events; `Last-Event-ID` replays what was missed. 204 when all is told")
                    .resumed()
                    .answers_as(200, "text/event-stream")
                    .answers_nothing(204),
                web::get().to(events::stream),
            )],
        ),
        entry("/v1/jobs/{id}/loss", vec![(get("The curves of a training").answers::<LossCurve>(200), web::get().to(jobs::loss))]),
        entry("/v1/jobs/{id}/samples", vec![(get("Its sample pictures").answers::<Samples>(200), web::get().to(jobs::samples))]),
        entry(
            "/v1/jobs/{id}/samples/{file}",
            vec![(get("A sample picture").answers_as(200, "image/png"), web::get().to(jobs::sample_file))],
        ),
        entry("/v1/jobs/{id}/log", vec![(get("The end of its worker's log").answers_as(200, "text/plain"), web::get().to(jobs::log))]),
    ]
}
