//! Sending files, a part at a time.

use super::error::{Answer, ApiError};
use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, ContentDisposition, DispositionParam, DispositionType, HeaderValue,
    },
    web::Bytes,
};
use futures_util::stream;
use std::path::Path;
use tokio::{fs::File, io::AsyncReadExt};

/// Bytes that are read at once.
const PART: usize = 64 << 10;

/// Answers with a file.
pub async fn send(path: &Path, media: &'static str, download: Option<&str>) -> Answer {
    let missing = |_| ApiError::not_found("such file any more");
    let file = File::open(path).await.map_err(missing)?;
    let length = file.metadata().await.map_err(missing)?.len();
    let parts = stream::unfold(file, |mut file| async move {
        let mut part = vec![0; PART];
        match file.read(&mut part).await {
            Ok(0) => None,
            Ok(read) => {
                part.truncate(read);
                Some((Ok::<_, std::io::Error>(Bytes::from(part)), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let mut answer = HttpResponse::Ok();
    answer.content_type(media);
    if let Some(name) = download {
        let parameters = vec![DispositionParam::Filename(name.to_owned())];
        answer.insert_header((
            CONTENT_DISPOSITION,
            ContentDisposition { disposition: DispositionType::Attachment, parameters },
        ));
    }
    Ok(answer.body(SizedStream::new(length, Box::pin(parts))))
}

/// Answers with a picture that never changes, so that a browser asks once.
pub async fn send_lasting(path: &Path, media: &'static str) -> Answer {
    let mut answer = send(path, media, None).await?;
    let lasting = HeaderValue::from_static("private, max-age=31536000, immutable");
    answer.headers_mut().insert(CACHE_CONTROL, lasting);
    Ok(answer)
}

/// A name from a path of a request: nothing that leads elsewhere.
pub fn plain_name(name: &str) -> Result<&str, ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain) {
        return Ok(name);
    }
    Err(ApiError::not_found("such file"))
}
