//! Films through a program that stands in for `ffmpeg`: what it is asked, and what happens when it misbehaves. The real
//! one is tried where there is one.
#![cfg(unix)]

mod found;

use dataset::{Crop, Options, Photo};
use found::{Folder, encoded, picture, png};
use image::{GrayImage, ImageFormat, Luma, imageops};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A program of these lines, and options that name it.
fn stand_in(folder: &Path, lines: &str) -> Options {
    let program: PathBuf = folder.join("stand-in");
    fs::write(&program, format!("#!/bin/sh\n{lines}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("permitted");
    let mut options = Options::new(64, Crop::Center);
    options.frames.ffmpeg = program;
    options.frames.patience = Duration::from_secs(20);
    options
}

/// What is said of `film.webm` that the stand-in reads.
fn reason(lines: &str, patience: Duration) -> String {
    let folder = Folder::of(&[("film.webm", b"film"), ("a.png", &png(1))]);
    let tools = tempfile::tempdir().expect("a folder");
    let mut options = stand_in(tools.path(), lines);
    options.frames.patience = patience;
    let dataset = folder.load(&options).expect("a data set");
    assert_eq!((dataset.photos.len(), dataset.skipped.len()), (1, 1));
    dataset.skipped[0].reason.clone()
}

#[test]
fn frames_are_asked_for_by_their_time() {
    let tools = tempfile::tempdir().expect("a folder");
    // Twelve frames, of which every third is another scene; then one PNG for each time that is asked.
    let scene =
        |i: u32| GrayImage::from_fn(256, 256, |x, y| Luma([if (x / 32 + i / 3 * 7) % 8 == y / 64 { 250 } else { 20 }]));
    let raw: Vec<u8> = (0..12).flat_map(|i| scene(i).into_raw()).collect();
    fs::write(tools.path().join("raw"), raw).expect("written");
    for (i, time) in ["0.0000", "0.5000", "1.0000", "1.5000"].iter().enumerate() {
        fs::write(tools.path().join(time), png(i as u8)).expect("written");
    }
    let lines = format!(
        "echo \"$@\" >> {0}/asked\nfor i; do last=$i; done\ncase $last in\npipe:1) cat {0}/raw ;;\n\
         *) while [ $# -gt 0 ]; do [ \"$1\" = -ss ] && time=$2; shift; done; cp {0}/$time frame.png ;;\nesac",
        tools.path().display()
    );
    let folder = Folder::of(&[("f/My film.WEBM", b"film"), ("f/My film.txt", b"stripes")]);
    let mut options = stand_in(tools.path(), &lines);
    options.frames.most = 4;
    let dataset = folder.load(&options).expect("a data set");
    let asked = fs::read_to_string(tools.path().join("asked")).expect("asked");
    let seen = |photo: &Photo| (photo.name.clone(), photo.caption.clone(), photo.image.get_pixel(0, 0)[2]);
    let name = |i: u8| (format!("f/My film.WEBM#{i:02}"), Some("stripes".to_owned()), i - 1);
    assert_eq!(dataset.photos.iter().map(seen).collect::<Vec<_>>(), [1, 2, 3, 4].map(name), "{asked}");
    assert!(asked.lines().all(|line| line.contains("-protocol_whitelist file,pipe") && line.contains("-f matroska")));
}

#[test]
fn a_program_that_misbehaves_costs_one_film() {
    let long = Duration::from_secs(20);
    assert!(reason("echo 'moov atom not found' >&2; exit 1", long).contains("moov atom not found"));
    assert!(reason("exit 0", long).contains("no frame"));
    assert!(reason("head -c 100 /dev/zero", long).contains("no frame"), "half a frame");
    assert!(reason("yes complaint | head -c 3000000 >&2; exit 3", long).contains("complaint"));
    let begun = Instant::now();
    for lines in ["exec sleep 60", "exec yes >&2", "exec >&-; exec sleep 60"] {
        assert!(reason(lines, Duration::from_millis(300)).contains("took longer"), "{lines}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "it is ended, not waited for");
    // One that writes without end is stopped when enough was seen.
    assert!(
        reason("for i; do last=$i; done; [ $last = pipe:1 ] && exec cat /dev/zero; exit 0", long).contains("no frame")
    );
}

/// A film that the real program makes is read by it.
#[test]
fn the_real_program_reads_what_it_wrote() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("skipped: there is no ffmpeg on the PATH");
        return;
    }
    let made = tempfile::tempdir().expect("a folder");
    for i in 0..24u32 {
        let mut frame = imageops::resize(&picture(7), 192, 144, imageops::FilterType::Triangle);
        imageops::replace(&mut frame, &picture(200), i64::from(i) * 4, 30);
        fs::write(made.path().join(format!("{i:03}.png")), encoded(&frame.into(), ImageFormat::Png)).expect("written");
    }
    for (name, codec) in [("a.webm", "libvpx"), ("b.mp4", "mpeg4"), ("c.avi", "mjpeg")] {
        let film = made.path().join(name);
        let mut command = Command::new("ffmpeg");
        command
            .args(["-loglevel", "error", "-framerate", "12", "-i", "%03d.png", "-c:v", codec, "-b:v", "2M"])
            .arg(&film);
        assert!(command.current_dir(made.path()).status().expect("run").success());
        let folder = Folder::of(&[(name, &fs::read(&film).expect("read"))]);
        let mut options = Options::new(0, Crop::Center);
        options.frames.most = 4;
        let dataset = folder.load(&options).expect("a data set");
        let names: Vec<&str> = dataset.photos.iter().map(|photo| photo.name.as_str()).collect();
        assert_eq!(names, [1, 2, 3, 4].map(|i| format!("{name}#{i:02}")));
        assert!(dataset.photos.iter().all(|photo| photo.image.dimensions() == (192, 144)));
    }
}
