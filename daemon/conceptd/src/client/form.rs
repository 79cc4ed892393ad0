//! Files as a multipart form, read from disk while they are sent.

use crate::interrupt;
use std::{
    collections::VecDeque,
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Cursor, Read},
    path::PathBuf,
};

enum Piece {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// A form on its way.
pub struct Form {
    boundary: String,
    pieces: VecDeque<Piece>,
    open: Option<Box<dyn Read>>,
    closed: bool,
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        // Nobody who made the files could know it.
        let random = || RandomState::new().build_hasher().finish();
        let boundary = format!("conceptd-{:016x}{:016x}", random(), random());
        Self { boundary, pieces: VecDeque::new(), open: None, closed: false }
    }

    /// The type of the body.
    pub fn media_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        let part = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n", self.boundary);
        self.pieces.push_back(Piece::Bytes(part.into()));
        self
    }

    /// Adds a file under a name that may hold folders.
    #[must_use]
    pub fn file(mut self, name: &str, called: &str, path: PathBuf) -> Self {
        let called = called.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{called}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.boundary
        );
        self.pieces.extend([Piece::Bytes(head.into()), Piece::File(path), Piece::Bytes(b"\r\n".into())]);
        self
    }

    fn next(&mut self) -> io::Result<Option<Box<dyn Read>>> {
        Ok(Some(match self.pieces.pop_front() {
            Some(Piece::Bytes(bytes)) => Box::new(Cursor::new(bytes)),
            Some(Piece::File(path)) => {
                let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
                Box::new(File::open(&path).map_err(named)?)
            }
            None if self.closed => return Ok(None),
            None => {
                self.closed = true;
                Box::new(Cursor::new(format!("--{}--\r\n", self.boundary).into_bytes()))
            }
        }))
    }
}

impl Read for Form {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if interrupt::asked() {
            return Err(io::Error::other("stopped"));
        }
        loop {
            if let Some(open) = &mut self.open {
                match open.read(into)? {
                    0 => self.open = None,
                    count => return Ok(count),
                }
            }
            match self.next()? {
                Some(next) => self.open = Some(next),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_its_parts_between_boundaries() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.bin");
        std::fs::write(&path, [0, 13, 10, 255]).expect("written");
        let mut form = Form::new().text("mode", "face").file("files", "ä/\"b\".png", path);
        let boundary = form.boundary.clone();
        assert!(form.media_type().ends_with(&boundary));
        let mut body = Vec::new();
        form.read_to_end(&mut body).expect("read");
        let mut wanted = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\nface\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"ä/%22b%22.png\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        wanted.extend([0, 13, 10, 255]);
        wanted.extend(format!("\r\n--{boundary}--\r\n").bytes());
        assert_eq!(body, wanted);
        assert_ne!(Form::new().boundary, Form::new().boundary);
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let mut form = Form::new().file("files", "a.png", "/no/such/file.png".into());
        let error = form.read_to_end(&mut Vec::new()).expect_err("gone").to_string();
        assert!(error.contains("file.png"), "{error}");
    }
}
