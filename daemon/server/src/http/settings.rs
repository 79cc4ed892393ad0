//! Settings, and a look at the whole machine.

use super::{
    error::{Answer, ApiError},
    input::json,
};
use crate::{
    App, Error, config,
    settings::{self, Refused},
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use protocol::{DoctorView, SettingsChange};
use std::{process::Stdio, time::Duration};
use tokio::{process::Command, sync::Semaphore, time::timeout};

/// What looking at the machine may take: it opens models and asks hosts.
const PATIENCE: Duration = Duration::from_secs(60);

/// `GET /v1/settings`.
pub async fn list(app: Data<App>) -> Answer {
    let viewed = crate::blocking(move || Ok(settings::view(&app)));
    Ok(HttpResponse::Ok().json(viewed.await?.map_err(unreadable)?))
}

/// `PATCH /v1/settings`.
pub async fn change(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (SettingsChange { values }, _) = json(&app, &request, payload).await?;
    let store = app.clone();
    match crate::blocking(move || settings::change(&store.home, &values)).await? {
        Ok(()) => list(Data::from(app)).await,
        Err(Refused(field, detail)) => Err(ApiError::invalid(field, detail)),
    }
}

/// A file that somebody broke while the daemon runs is theirs to mend.
fn unreadable(error: Error) -> ApiError {
    match error {
        Error::Config(detail) => ApiError::conflict(detail),
        error => error.into(),
    }
}

/// `GET /v1/doctor`. The command looks, in a process of its own, since it opens models.
pub async fn doctor(app: Data<App>) -> Answer {
    static TURN: Semaphore = Semaphore::const_new(1);
    let _turn = TURN.acquire().await.map_err(Error::bug)?;
    let mut command = Command::new(&app.program);
    command.args(["doctor", "--json", "--home"]).arg(app.home.path());
    command.envs(config::as_variables(&app.config, &app.origins));
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.map_err(Error::bug)?.map_err(Error::bug)?;
    // It exits with 1 where something is wrong.
    let view: DoctorView = serde_json::from_slice(&output.stdout).map_err(Error::bug)?;
    Ok(HttpResponse::Ok().json(view))
}
