//! Who may ask. Every web page that the user visits can reach a server on localhost, so each request must carry the token,
//! or our own page's cookie, call the machine by an expected name (against DNS rebinding) and come from an expected page, if
//! from any.

use super::{
    error::ApiError,
    routes,
    session::{self, Shown},
};
use crate::{App, metrics::Answer};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
    middleware::Next,
    web::Data,
};
use std::time::Instant;

/// Checks a request and counts its answer.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let app = request.app_data::<Data<App>>().cloned();
    let Some(app) = app else { return Err(ApiError::forbidden("the daemon is not ready").into()) };
    let answer = match check(&request, &app) {
        Ok(()) => next.call(request).await?.map_into_left_body(),
        Err(error) => request.into_response(actix_web::ResponseError::error_response(&error)).map_into_right_body(),
    };
    let status = format!("{}xx", answer.status().as_u16() / 100);
    app.metrics.answers.get_or_create(&Answer { status }).inc();
    app.metrics.seconds.observe(begun.elapsed().as_secs_f64());
    Ok(answer)
}

fn check(request: &ServiceRequest, app: &App) -> Result<(), ApiError> {
    let text = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(&HOST).map(str::to_owned).or_else(|| request.uri().authority().map(|a| a.to_string()));
    let name = host.as_deref().map(without_port).unwrap_or_default();
    let configured = name.trim_matches(['[', ']']) == app.config.address.to_string();
    if !configured
        && !is_own_name(name)
        && !app.config.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    {
        return Err(ApiError::forbidden(format!(
            "this machine is not called `{}` here; add the name to `allowed_hosts` if it is",
            name.escape_debug()
        )));
    }
    let open = routes::is_open(request.method(), request.path());
    if let Some(origin) = text(&ORIGIN).filter(|_| request.path() != "/healthz")
        && !is_allowed_origin(origin, app)
        && !is_this_page(origin, host.as_deref())
    {
        return Err(ApiError::forbidden(format!(
            "pages of `{}` may not call; add the origin to `allowed_origins` if they may",
            origin.escape_debug()
        )));
    }
    let site = text(&HeaderName::from_static("sec-fetch-site"));
    if site == Some("cross-site") && !open {
        return Err(ApiError::forbidden("another site's page may not call"));
    }
    if open {
        return Ok(());
    }
    let token = text(&AUTHORIZATION).map(|value| value.strip_prefix("Bearer ").unwrap_or_default());
    match token {
        Some(token) if app.sessions.is_token(token.trim()) => Ok(()),
        Some(_) => Err(ApiError::unauthorized()),
        None => {
            let safe = request.method().is_safe();
            match session::shown(request, app) {
                Shown::Key => {}
                Shown::Cookie if safe && routes::is_shown(request.path()) => {}
                Shown::Cookie | Shown::Nothing => return Err(ApiError::unauthorized()),
            }
            // Another page of this machine has our cookie shown, too; it is our own that may ask.
            let own = match safe {
                true => site.is_none_or(|site| matches!(site, "same-origin" | "none")),
                false => text(&ORIGIN).is_some_and(|origin| is_this_page(origin, host.as_deref())),
            };
            if own { Ok(()) } else { Err(ApiError::forbidden("only conceptd's own page may use its login")) }
        }
    }
}

/// Whether an origin is the very address that was asked, which the check of names found to be ours.
fn is_this_page(origin: &str, host: Option<&str>) -> bool {
    let address = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    address.is_some_and(|address| host.is_some_and(|host| host.eq_ignore_ascii_case(address)))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_own_name(name: &str) -> bool {
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

fn is_allowed_origin(origin: &str, app: &App) -> bool {
    let own = origin
        .strip_prefix("http://")
        .and_then(|rest| rest.rsplit_once(':'))
        .is_some_and(|(name, port)| is_own_name(name) && port.parse() == Ok(app.port));
    own || app.config.allowed_origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_ports() {
        for (host, name) in [("localhost:7470", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a.b", "a.b")]
        {
            assert_eq!(without_port(host), name);
        }
        assert!(is_this_page("http://studio:7470", Some("Studio:7470")) && !is_this_page("http://studio:80", None));
        assert!(!is_this_page("http://studio:8188", Some("studio:7470")) && !is_this_page("null", Some("null")));
        assert!(is_own_name("LocalHost") && !is_own_name("localhost.evil.example") && !is_own_name(""));
    }
}
