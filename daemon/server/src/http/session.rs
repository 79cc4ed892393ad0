//! Logging browsers in and out.

use super::{
    error::{Answer, ApiError},
    input::json,
};
use crate::{App, session::SESSION_MS};
use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    dev::ServiceRequest,
    http::header::HOST,
    web::{Data, Payload},
};
use protocol::{LoginLink, LoginRequest, LoginView};

/// The address that logs one browser in. The code stands behind `#`, where no log and no other server sees it.
pub fn login_link(url: &str, code: &str) -> String {
    format!("{url}/#login={code}")
}

/// `POST /v1/session/links`.
pub async fn link(app: Data<App>, request: HttpRequest) -> Answer {
    let (code, expires_at_ms) = app.sessions.link()?;
    // The guard has found the name to be one of this machine's.
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let url = format!("http://{host}");
    Ok(HttpResponse::Created().json(LoginLink { url: login_link(&url, &code), expires_at_ms }))
}

/// `GET /v1/session`. Whoever gets here is logged in.
pub async fn check() -> Answer {
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /v1/session`.
pub async fn enter(app: Data<App>, request: HttpRequest, payload: Payload) -> Answer {
    let app = app.into_inner();
    let (LoginRequest { secret }, _) = json(&app, &request, payload).await?;
    if !app.sessions.redeem(secret.trim()) {
        return Err(ApiError::unauthorized());
    }
    let (value, key) = app.sessions.begin()?;
    let cookie = cookie(&app, value, Duration::milliseconds(SESSION_MS));
    Ok(HttpResponse::Ok().cookie(cookie).json(LoginView { key }))
}

/// `DELETE /v1/session`.
pub async fn leave(app: Data<App>) -> Answer {
    Ok(HttpResponse::NoContent().cookie(cookie(&app, String::new(), Duration::ZERO)).finish())
}

/// Cookies know no ports: a name for each daemon, and a path that keeps it from other servers on this machine as far as a
/// path can.
fn cookie(app: &App, value: String, age: Duration) -> Cookie<'static> {
    let cookie = Cookie::build(name(app), value).path("/v1").http_only(true).same_site(SameSite::Strict);
    cookie.max_age(age).finish()
}

fn name(app: &App) -> String {
    format!("conceptd-{}", app.port)
}

/// What a request shows of a login.
pub enum Shown {
    /// Nothing that holds.
    Nothing,
    /// A cookie of ours: enough for what elements of a page load, which can send nothing else.
    Cookie,
    /// Also the key that only our page has.
    Key,
}

/// What a request shows of a login.
pub fn shown(request: &ServiceRequest, app: &App) -> Shown {
    let Some(cookie) = request.cookie(&name(app)).filter(|cookie| app.sessions.holds(cookie.value())) else {
        return Shown::Nothing;
    };
    let key = request.headers().get("x-conceptd-key").and_then(|key| key.to_str().ok());
    match key.is_some_and(|key| app.sessions.fits(cookie.value(), key)) {
        true => Shown::Key,
        false => Shown::Cookie,
    }
}
