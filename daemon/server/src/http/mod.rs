//! HTTP: routes, who may ask, what comes in, what goes out. Only this folder knows actix.

mod concepts;
mod creations;
mod datasets;
mod error;
mod events;
mod files;
mod guard;
mod hosts;
mod input;
mod jobs;
mod looks;
mod openapi;
mod page;
mod plans;
mod prompts;
mod routes;
mod session;
mod settings;
mod system;
mod watches;

pub use openapi::document as openapi;
pub use session::login_link;

use crate::App;
use actix_web::{
    App as ActixApp, HttpRequest,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::{DefaultHeaders, from_fn},
    web::{self, Data},
};
use error::{Answer, ApiError};

/// The application that answers requests.
pub fn app(
    app: Data<App>,
) -> ActixApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    ActixApp::new()
        .app_data(app)
        .wrap(from_fn(guard::guard))
        .wrap(
            DefaultHeaders::new()
                .add(("x-content-type-options", "nosniff"))
                .add(("referrer-policy", "no-referrer"))
                .add(("x-frame-options", "DENY"))
                .add(("cache-control", "no-store")),
        )
        .configure(routes::configure)
        .configure(page::configure)
        .default_service(web::to(nothing))
}

async fn nothing(request: HttpRequest) -> Answer {
    Err(ApiError::not_found(format!("route {}; `/openapi.json` lists them", request.path().escape_debug())))
}
