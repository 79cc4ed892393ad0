//! The page, which this program carries: its files are built from `daemon/page` and checked in.

use super::error::Answer;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH},
    web::{self, ServiceConfig},
};
use sha2::{Digest, Sha256};

/// A path, its media type and what is there.
type File = (&'static str, &'static str, &'static [u8]);

macro_rules! built {
    ($name:literal) => {
        include_bytes!(concat!("../../../page/dist/", $name))
    };
}

const FILES: [File; 4] = [
    ("/", "text/html; charset=utf-8", built!("index.html")),
    ("/page/page.js", "text/javascript; charset=utf-8", built!("page.js")),
    ("/page/page.css", "text/css; charset=utf-8", built!("page.css")),
    ("/page/icon.svg", "image/svg+xml", built!("icon.svg")),
];

/// Scripts and styles of its own alone, nothing from anywhere else, and no page around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Whether a path is one of the page's files, which hold no secret.
pub fn is_part(path: &str) -> bool {
    FILES.iter().any(|(of, ..)| *of == path)
}

/// Puts the files into an application.
pub fn configure(config: &mut ServiceConfig) {
    for (path, ..) in FILES {
        config.route(path, web::get().to(file));
        config.route(path, web::head().to(file));
    }
}

async fn file(request: HttpRequest) -> Answer {
    let file = FILES.into_iter().find(|(path, ..)| *path == request.path());
    let Some((_, media, bytes)) = file else { return Ok(HttpResponse::NotFound().finish()) };
    let tag = format!("\"{}\"", &concept::hex(&Sha256::digest(bytes))[..32]);
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CONTENT_SECURITY_POLICY, POLICY)).insert_header((ETAG, tag));
    answer.insert_header((CACHE_CONTROL, "no-cache")).insert_header(("cross-origin-opener-policy", "same-origin"));
    answer.content_type(media);
    Ok(if known { answer.finish() } else { answer.body(bytes) })
}
