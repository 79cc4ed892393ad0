//! Frames of films, read by an `ffmpeg` that the user has. Nothing of it is part of this program; without it films are
//! skipped with a reason. No shell is involved, the format is said rather than guessed (a guessed playlist could name other
//! files), and whatever takes too long is ended.

use crate::{
    Options,
    choice::{Glance, LOOKED_AT, choose},
    decode::{self, Decoded},
};
use image::GrayImage;
use std::{
    fs,
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Frames a second that are looked at.
const RATE: usize = 6;
/// Seconds of a film that are looked at.
const SECONDS: usize = LOOKED_AT / RATE;
/// Side of the frames that are looked at. They are squeezed into a square: proportions change no comparison.
const SIDE: u32 = 256;
const FRAME: usize = (SIDE * SIDE) as usize;

/// Shows sharp frames of a film one after the other, with their numbers from 1.
///
/// # Errors
/// Why the film cannot be used, and what to do.
pub(crate) fn frames(
    name: &str,
    bytes: &[u8],
    options: &Options,
    notes: &mut Vec<String>,
    show: &mut dyn FnMut(usize, Decoded),
) -> Result<(), String> {
    decode::check_file(bytes, &options.limits)?;
    let folder = tempfile::tempdir().map_err(|error| format!("there is no room to unpack the film ({error})"))?;
    let film = Film {
        program: &options.frames.ffmpeg,
        folder: folder.path(),
        demuxer: demuxer(name),
        pixels: options.limits.pixels,
        deadline: Instant::now() + options.frames.patience,
        patience: options.frames.patience,
    };
    fs::write(film.folder.join(INPUT), bytes)
        .map_err(|error| format!("there is no room to unpack the film ({error})"))?;
    let glances = film.look()?;
    if glances.len() >= SECONDS * RATE {
        notes.push(format!("only its first {} minutes count", SECONDS / 60));
    }
    let mut shown = 0;
    for frame in choose(&glances, options.frames.most) {
        let Some(picture) = film.frame(frame)? else { continue };
        let picture = decode::picture(&picture, &options.limits, &mut |note| notes.push(note.to_owned()))?;
        shown += 1;
        show(shown, picture);
    }
    match shown {
        0 => Err("no frame of the film could be read; save single frames as PNG or JPEG".into()),
        _ => Ok(()),
    }
}

const INPUT: &str = "film";
const OUTPUT: &str = "frame.png";

/// The name that `ffmpeg` has for what a file's ending says.
fn demuxer(name: &str) -> &'static str {
    match name.to_lowercase().rsplit_once('.').map(|(_, extension)| extension) {
        Some("webm" | "mkv") => "matroska",
        Some("avi") => "avi",
        _ => "mov",
    }
}

struct Film<'a> {
    program: &'a Path,
    folder: &'a Path,
    demuxer: &'static str,
    pixels: u64,
    deadline: Instant,
    patience: Duration,
}

impl Film<'_> {
    /// What is remembered of every looked-at frame.
    fn look(&self) -> Result<Vec<Glance>, String> {
        let filter = format!("fps={RATE},scale={SIDE}:{SIDE}:flags=area,format=gray");
        let seconds = SECONDS.to_string();
        let mut glances = Vec::new();
        self.run(&["-t", &seconds], &["-vf", &filter, "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"], &mut |frame| {
            match GrayImage::from_raw(SIDE, SIDE, frame) {
                Some(frame) if glances.len() < SECONDS * RATE => {
                    glances.push(Glance::of(&frame));
                    true
                }
                _ => false,
            }
        })?;
        Ok(glances)
    }

    /// A frame as PNG; `None` if there is none at its time, as at the end of films whose clock is wrong.
    fn frame(&self, number: usize) -> Result<Option<Vec<u8>>, String> {
        let output = self.folder.join(OUTPUT);
        let time = format!("{:.4}", number as f64 / RATE as f64);
        self.run(&["-ss", &time], &["-frames:v", "1", "-f", "image2", "-c:v", "png", OUTPUT], &mut |_| true)?;
        // At most what decoding takes.
        let longest = self.pixels.saturating_mul(8);
        let mut bytes = Vec::new();
        match fs::File::open(&output).and_then(|file| file.take(longest).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("its frame cannot be read ({error})")),
        }
        fs::remove_file(&output).map_err(|error| format!("its frame cannot be removed ({error})"))?;
        Ok(Some(bytes))
    }

    /// Runs the program; `see` gets each whole frame that it writes and says whether more is wanted.
    fn run(&self, before: &[&str], after: &[&str], see: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<(), String> {
        let pixels = self.pixels.min(i32::MAX as u64).to_string();
        let mut command = Command::new(self.program);
        command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", "file,pipe"]);
        command.args(["-max_pixels", &pixels, "-f", self.demuxer]).args(before).args(["-i", INPUT]);
        command.args(["-map", "0:v:0", "-an", "-sn", "-dn"]).args(after).current_dir(self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().map_err(|error| self.missing(&error))?);
        let complaint = child.0.stderr.take().map(complaint);
        let frames = child.0.stdout.take().map(whole_frames);
        let mut enough = false;
        while let (false, Some(frames)) = (enough, &frames) {
            match frames.recv_timeout(self.left()) {
                Ok(frame) => enough = !see(frame),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => return Err(self.slow()),
            }
        }
        if enough {
            return Ok(());
        }
        let ended = child.end(self.deadline).map_err(|error| format!("ffmpeg went astray ({error})"))?;
        match ended {
            None => Err(self.slow()),
            Some(status) if status.success() => Ok(()),
            Some(_) => {
                let said =
                    complaint.and_then(|said| said.recv_timeout(Duration::from_secs(1)).ok()).unwrap_or_default();
                Err(format!("ffmpeg cannot read this film ({}); save single frames as PNG or JPEG", first_line(&said)))
            }
        }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn slow(&self) -> String {
        let seconds = self.patience.as_secs();
        format!("reading this film took longer than {seconds} seconds; cut it shorter, or save single frames as PNG")
    }

    fn missing(&self, error: &io::Error) -> String {
        const FIX: &str = "or save single frames as PNG or JPEG";
        match error.kind() {
            io::ErrorKind::NotFound => format!(
                "this is a film, and `{}` was not found, which is needed to read it; install ffmpeg so that it is on the \
                 PATH (Debian and Ubuntu: apt install ffmpeg; Windows: winget install ffmpeg; macOS: brew install ffmpeg), \
                 {FIX}",
                self.program.display()
            ),
            _ => format!(
                "this is a film, and `{}` cannot be started ({error}); install ffmpeg, {FIX}",
                self.program.display()
            ),
        }
    }
}

/// A program that ends with this value at the latest.
struct Running(Child);

impl Running {
    /// Waits for the end; `None` if that does not come in time.
    fn end(&mut self, deadline: Instant) -> io::Result<Option<std::process::ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be ended; there is nothing to do about either error.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whole frames as they come; the thread ends with the pipe, or when nobody listens.
fn whole_frames(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::sync_channel(2);
    thread::spawn(move || {
        loop {
            let mut frame = vec![0; FRAME];
            if pipe.read_exact(&mut frame).is_err() || send.send(frame).is_err() {
                return;
            }
        }
    });
    receive
}

/// The beginning of what is said; the rest is read too, so that the program never waits for a listener.
fn complaint(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut said = Vec::new();
        pipe.by_ref().take(4096).read_to_end(&mut said).ok();
        send.send(String::from_utf8_lossy(&said).into_owned()).ok();
        io::copy(&mut pipe, &mut io::sink()).ok();
    });
    receive
}

fn first_line(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it says nothing");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
