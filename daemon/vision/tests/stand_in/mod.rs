//! A server that stands in for one that writes captions, and misbehaves as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does with one request.
pub enum Reply {
    /// Status 200 and this body.
    Body(String),
    /// This status, headers (each with its line end) and body.
    Raw(u16, &'static str, String),
    /// A chat completion with this text.
    Says(String),
    /// Nothing, while the caller waits.
    Silence,
    /// The connection is closed before a byte was sent.
    Hangup,
    /// The connection is closed in the middle of the body.
    BreaksOff,
    /// A body without end.
    Endless,
    /// A body that comes one byte at a time.
    Drip,
}

/// A request as it came.
pub struct Request {
    /// The request line and the headers.
    pub head: String,
    /// The body.
    pub body: Value,
}

/// A server on a port of its own.
pub struct StandIn {
    /// Its address.
    pub url: String,
    requests: Receiver<Request>,
}

impl StandIn {
    /// A server that gives these replies in order, then none.
    pub fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (told, requests) = channel();
        thread::spawn(move || {
            for reply in replies {
                let Ok((stream, _)) = listener.accept() else { return };
                // What can't be written was not waited for.
                drop(serve(stream, &reply, &told));
            }
        });
        Self { url, requests }
    }

    /// The next request that came.
    pub fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(10)).expect("a request")
    }

    /// Whether any request came that was not asked for.
    pub fn was_left_alone(&self) -> bool {
        self.requests.recv_timeout(Duration::from_millis(50)).is_err()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, told: &Sender<Request>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    drop(told.send(read(&mut stream)?));
    match reply {
        Reply::Body(body) => answer(&mut stream, 200, "", body),
        Reply::Raw(status, headers, body) => answer(&mut stream, *status, headers, body),
        Reply::Says(text) => {
            let body =
                json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]});
            answer(&mut stream, 200, "Content-Type: application/json\r\n", &body.to_string())
        }
        // Ends when the caller has had enough and closes.
        Reply::Silence => stream.read(&mut [0]).map(drop),
        Reply::Hangup => Ok(()),
        Reply::BreaksOff => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\": ["),
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(b" ")?;
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Reads a request with a `Content-Length`.
fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length =
                lower.split_once("content-length:").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
            if count == 0 || length.is_some_and(|length: usize| body.len() >= length) {
                return Ok(Request { head: head.to_owned(), body: serde_json::from_str(body).unwrap_or(Value::Null) });
            }
        } else if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
