//! The daemon itself: whether it is well, who is logged in, how it is set, what it can train on.

use super::{Entry, entry, get, op, post};
use crate::http::{session, settings, system};
use actix_web::{http::Method, web};
use protocol::{
    DoctorView, Health, Limits, LoginLink, LoginRequest, LoginView, ModelPage, Settings, SettingsChange, VersionView,
};

/// The daemon itself: whether it is well, who is logged in, how it is set, what it can train on.
pub fn table() -> Vec<Entry> {
    vec![
        entry(
            "/healthz",
            vec![(get("Whether the daemon is well").answers::<Health>(200), web::get().to(system::health))],
        ),
        entry("/openapi.json", vec![(get("This document").answers_json(200), web::get().to(system::openapi))]),
        entry(
            "/metrics",
            vec![(get("Counters for Prometheus").answers_as(200, "text/plain"), web::get().to(system::metrics))],
        ),
        entry(
            "/v1/version",
            vec![(get("Which daemon this is").answers::<VersionView>(200), web::get().to(system::version))],
        ),
        entry("/v1/limits", vec![(get("What is refused").answers::<Limits>(200), web::get().to(system::limits))]),
        entry(
            "/v1/session",
            vec![
                (get("Whether whoever asks is logged in").answers_nothing(204), web::get().to(session::check)),
                (
                    post("Log a browser in: by the code of a link, or by the token")
                        .reads::<LoginRequest>()
                        .answers::<LoginView>(200),
                    web::post().to(session::enter),
                ),
                (op(Method::DELETE, "Log a browser out").answers_nothing(204), web::delete().to(session::leave)),
            ],
        ),
        entry(
            "/v1/session/links",
            vec![(
                post("A link that logs a browser in, once").answers::<LoginLink>(201),
                web::post().to(session::link),
            )],
        ),
        entry(
            "/v1/settings",
            vec![
                (get("Every setting, and where it comes from").answers::<Settings>(200), web::get().to(settings::list)),
                (
                    op(Method::PATCH, "Change settings in config.toml; they are in effect from the next start")
                        .reads::<SettingsChange>()
                        .answers::<Settings>(200),
                    web::patch().to(settings::change),
                ),
            ],
        ),
        entry(
            "/v1/doctor",
            vec![(
                get("Check this machine and the settings").answers::<DoctorView>(200),
                web::get().to(settings::doctor),
            )],
        ),
        entry(
            "/v1/models",
            vec![(
                get("Checkpoints in the configured folders").paged().answers::<ModelPage>(200),
                web::get().to(system::models),
            )],
        ),
    ]
}
