//! The graphics card, as far as plans must know it.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

/// What the driver's answer may take; a broken one never answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that a training may take on the card; none if it cannot be used or does not answer. A process of its own asks: a
/// daemon that holds the driver open would keep a laptop's card awake.
pub fn room(program: &Path) -> Option<u64> {
    let mut command = Command::new(program);
    command.arg("card").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let stdout = child.stdout.take()?;
    let (tell, heard) = channel();
    thread::spawn(move || tell.send(serde_json::from_reader(stdout).ok().flatten()));
    let room = heard.recv_timeout(PATIENCE).ok().flatten();
    let _ = child.kill();
    let _ = child.wait();
    room
}
