//! The table of routes. What answers, what is documented and what is guarded all follow from it.

use super::{
    concepts, creations, datasets,
    error::{Answer, ApiError},
    events, hosts, jobs, looks,
    openapi::Operation,
    page, plans, prompts, session, settings, system, watches,
};
use actix_web::{
    HttpRequest, ResponseError, Route,
    http::{
        Method,
        header::{ALLOW, HeaderValue},
    },
    web::{self, ServiceConfig},
};
use protocol::{
    CaptionRequest, CaptionViews, Captions, ConceptChange, ConceptPage, ConceptView, CreationPage, CreationRequest,
    CreationView, DatasetChange, DatasetFromPath, DatasetPage, DatasetReport, DatasetView, DoctorView, ExamineRequest,
    FoundHosts, Health, HostCheck, HostRequest, HostView, Hosts, InstallRequest, Installs, JobPage, JobView, Limits,
    LoginLink, LoginRequest, LossCurve, ModelPage, PlanView, PreviewRequest, PriorityChange, PromoteRequest,
    PromptRequest, PromptView, Samples, Settings, SettingsChange, Snapshots, TrainRequest, Trash, UninstallRequest,
    VersionView, VisionModels, WatchRequest, WatchView, Watches,
};

/// A path, its methods with their documentation, and what answers them.
pub struct Entry {
    /// With `{id}` for what varies.
    pub path: &'static str,
    /// What can be done there.
    pub methods: Vec<(Operation, Route)>,
}

/// Whether a path answers without a token: it tells no secret, or asks for one itself.
pub fn is_open(method: &Method, path: &str) -> bool {
    match path {
        "/healthz" | "/openapi.json" => true,
        "/v1/session" => *method == Method::POST,
        path => page::is_part(path),
    }
}

/// Puts the table into an application. Methods that a path does not know get an answer that says so.
pub fn configure(config: &mut ServiceConfig) {
    for Entry { path, methods } in table() {
        let mut resource = web::resource(path).default_service(web::to(wrong_method));
        for (_, route) in methods {
            resource = resource.route(route);
        }
        config.service(resource);
    }
}

async fn wrong_method(request: HttpRequest) -> Answer {
    let pattern = request.match_pattern();
    let here = table().into_iter().find(|entry| Some(entry.path) == pattern.as_deref());
    let methods = here.map(|entry| entry.methods.iter().map(|(operation, _)| operation.method.to_string()).collect());
    let methods: Vec<String> = methods.unwrap_or_default();
    let detail = format!("{} cannot be done here; {} can", request.method(), methods.join(", "));
    let mut answer = ApiError::method(detail).error_response();
    // RFC 9110, 15.5.6.
    if let Ok(allowed) = HeaderValue::from_str(&methods.join(", ")) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    Ok(answer)
}

/// Every route.
pub fn table() -> Vec<Entry> {
    let entry = |path, methods| Entry { path, methods };
    let op = |method: Method, summary: &'static str| Operation::new(method, summary);
    let get = |summary| op(Method::GET, summary);
    let post = |summary| op(Method::POST, summary);
    vec![
        entry("/healthz", vec![(get("Whether the daemon is well").answers::<Health>(200), web::get().to(system::health))]),
        entry(
            "/openapi.json",
            vec![(get("This document").answers_json(200), web::get().to(system::openapi))],
        ),
        entry("/metrics", vec![(get("Counters for Prometheus").answers_as(200, "text/plain"), web::get().to(system::metrics))]),
        entry("/v1/version", vec![(get("Which daemon this is").answers::<VersionView>(200), web::get().to(system::version))]),
        entry("/v1/limits", vec![(get("What is refused").answers::<Limits>(200), web::get().to(system::limits))]),
        entry(
            "/v1/session",
            vec![
                (get("Whether whoever asks is logged in").answers_nothing(204), web::get().to(session::check)),
                (
                    post("Log a browser in: by the code of a link, or by the token").reads::<LoginRequest>().answers_nothing(204),
                    web::post().to(session::enter),
                ),
                (op(Method::DELETE, "Log a browser out").answers_nothing(204), web::delete().to(session::leave)),
            ],
        ),
        entry(
            "/v1/session/links",
            vec![(post("A link that logs a browser in, once").answers::<LoginLink>(201), web::post().to(session::link))],
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
            vec![(get("Check this machine and the settings").answers::<DoctorView>(200), web::get().to(settings::doctor))],
        ),
        entry(
            "/v1/models",
            vec![(get("Checkpoints in the configured folders").paged().answers::<ModelPage>(200), web::get().to(system::models))],
        ),
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
                    op(Method::PATCH, "Leave pictures out, or move their crops; pictures that are not named stay as they are")
                        .reads::<DatasetChange>()
                        .answers::<DatasetView>(200),
                    web::patch().to(datasets::change),
                ),
                (op(Method::DELETE, "Move a data set to the trash").answers_nothing(204), web::delete().to(datasets::delete)),
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
                post("Say what is wrong with the pictures")
                    .reads::<ExamineRequest>()
                    .answers::<DatasetReport>(200),
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
                get("The pictures with their crops and masks, as the last examination saw them").answers_as(200, "image/png"),
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
            vec![(get("Installed models that look at pictures").answers::<VisionModels>(200), web::get().to(looks::captioners))],
        ),
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
                (op(Method::DELETE, "Move a concept to the trash").answers_nothing(204), web::delete().to(concepts::delete)),
            ],
        ),
        entry(
            "/v1/concepts/{id}/bundle",
            vec![(get("Its bundle").answers_as(200, "application/x-tar"), web::get().to(concepts::bundle))],
        ),
        entry(
            "/v1/concepts/{id}/preview",
            vec![
                (get("Base beside concept, or the picture that was chosen").answers_as(200, "image/png"), web::get().to(concepts::preview)),
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
                    .answers::<ConceptView>(201),
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
            "/v1/concepts/{id}/install",
            vec![(
                post("Put a concept into hosts, as a pair, and ask them whether they see it")
                    .reads::<InstallRequest>()
                    .answers::<Installs>(200),
                web::post().to(hosts::install),
            )],
        ),
        entry(
            "/v1/concepts/{id}/uninstall",
            vec![(
                post("Take a concept out of hosts; what could not go is listed")
                    .reads::<UninstallRequest>()
                    .answers::<Installs>(200),
                web::post().to(hosts::uninstall),
            )],
        ),
        entry(
            "/v1/hosts",
            vec![
                (post("Make a host known").reads::<HostRequest>().answers::<HostView>(201), web::post().to(hosts::add)),
                (get("Known hosts").answers::<Hosts>(200), web::get().to(hosts::list)),
            ],
        ),
        entry(
            "/v1/hosts/detect",
            vec![(
                post("Look for hosts that run or lie on this machine").answers::<FoundHosts>(200),
                web::post().to(hosts::detect),
            )],
        ),
        entry(
            "/v1/hosts/{id}",
            vec![
                (get("A host").answers::<HostView>(200), web::get().to(hosts::get)),
                (
                    op(Method::DELETE, "Forget a host; what was installed stays there").answers_nothing(204),
                    web::delete().to(hosts::forget),
                ),
            ],
        ),
        entry(
            "/v1/hosts/{id}/verify",
            vec![(
                post("Look whether a host can be used, and what is installed and seen there").answers::<HostCheck>(200),
                web::post().to(hosts::verify),
            )],
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
        entry(
            "/v1/watches",
            vec![
                (get("Watched folders, and how the data sets in them stand").answers::<Watches>(200), web::get().to(watches::list)),
                (
                    post("Watch a folder: what is put into it trains by itself")
                        .reads::<WatchRequest>()
                        .answers::<WatchView>(201),
                    web::post().to(watches::add),
                ),
            ],
        ),
        entry(
            "/v1/watches/{id}",
            vec![
                (get("A watched folder").answers::<WatchView>(200), web::get().to(watches::get)),
                (
                    op(Method::DELETE, "Watch a folder no longer; what it queued goes on").answers_nothing(204),
                    web::delete().to(watches::remove),
                ),
            ],
        ),
        entry(
            "/v1/watches/{id}/rescan",
            vec![(
                post("Look at everything in a watched folder, and try again what failed").answers::<WatchView>(200),
                web::post().to(watches::rescan),
            )],
        ),
    ]
}
