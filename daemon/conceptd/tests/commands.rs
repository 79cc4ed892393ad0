//! The commands that talk to a daemon, through the real program and a real daemon on a random base.

use image::{Rgb, RgbImage};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use synthetic::{Random, Stored};
use tempfile::TempDir;

/// What anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon with a base and pictures; it ends with the test.
struct World {
    folder: TempDir,
    daemon: Child,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let models = folder.path().join("models");
        fs::create_dir(&models).expect("made");
        random_base(&models.join("tiny.safetensors"));
        for i in 0..4u8 {
            let picture = RgbImage::from_fn(70, 64, |x, y| Rgb([x as u8 * 3, y as u8 * 2, i * 60]));
            let path = folder.path().join("pictures").join(format!("{i}.png"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            picture.save(&path).expect("saved");
        }
        fs::write(folder.path().join("pictures/0.txt"), "Zörb in the rain").expect("written");
        let mut command = program(&folder.path().join("home"));
        command.args(["serve", "--port", "0", "--models"]).arg(&models);
        let mut daemon = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().expect("piped")).read_line(&mut line).expect("text");
        assert!(line.contains("listens on http://127.0.0.1:"), "{line}");
        Self { folder, daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.path("home"));
        command.args(arguments);
        command
    }

    /// What a command prints that must succeed.
    fn good(&self, arguments: &[&str]) -> String {
        text(&good(&mut self.command(arguments)))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.good(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}"))
    }

    /// What a command complains of that must fail so.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.command(arguments).output().expect("it starts");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {complaint}");
        complaint
    }

    fn train(&self, out: &str, more: &[&str]) -> Command {
        let mut command = self.command(&["train", "--name", "Zörb", "--mode", "object", "--resolution", "64"]);
        command.arg(self.path("pictures")).arg("--out").arg(self.path(out));
        command.args(["--batch-size", "2", "--lora-rank", "2", "--sample-prompt", "Zörb"]).args(more);
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn random_base(path: &Path) {
    let mut base = BufWriter::new(File::create(path).expect("a file"));
    Random::new(&synthetic::tiny_xl(), 1, Stored::F16, 1.0).write(&mut base).expect("written");
    base.flush().expect("flushed");
}

/// The program on a home, with nothing of the user's own: no services, no settings, no drivers.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conceptd"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONCEPTD_") {
            command.env_remove(name);
        }
    }
    command.env("CONCEPTD_HOME", home).env("HOME", home).env_remove("XDG_CONFIG_HOME").env("PATH", home);
    // A proxy must not be asked for what is on this machine.
    command.env("http_proxy", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    command
}

fn good(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}{}", text(&output), String::from_utf8_lossy(&output.stderr));
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_concept_is_trained_by_the_daemon_and_kept_in_its_library() {
    let world = World::start();
    let base = world.path("models/tiny.safetensors").display().to_string();

    // Trained there, written here, the same bytes as without a daemon.
    let output = good(&mut world.train("out", &["--base", &base, "--steps", "4", "--save-every", "2"]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the daemon on http://127.0.0.1:") && told.contains("in ComfyUI:"), "{told}");
    for file in ["zoerb.tar", "zoerb_lora.safetensors", "zoerb_embeddings.safetensors", "zoerb.png"] {
        assert!(world.path("out").join(file).is_file(), "{file}");
    }
    assert_eq!(fs::read_dir(world.path("out")).expect("read").count(), 4, "nothing is left behind");
    let local = ["--base", &base, "--steps", "4", "--save-every", "2", "--local", "--timings"];
    let output = good(&mut world.train("local", &local));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("the daemon on"), "{told}");
    for part in ["WHERE THE TIME WENT", "steps: forward", "4 x ", "encoding latents", "drawing the preview", "all  "] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for file in ["zoerb.tar", "zoerb_lora.safetensors", "zoerb_embeddings.safetensors"] {
        let read = |out: &str| fs::read(world.path(out).join(file)).expect("read");
        assert_eq!(read("out"), read("local"), "{file}");
    }

    // Mistakes are named as on this side; another concept's files are not touched.
    let output = world.train("out", &["--base", &base, "--caption-dropout", "2"]).output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && complaint.contains("parameters.caption_dropout"), "{complaint}");
    let output = world.train("out", &["--base", &base, "--learning-rate", "nan"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2), "JSON has no such number, so it must not vanish on the way");
    fs::create_dir(world.path("taken")).expect("made");
    fs::write(world.path("taken/zoerb-v2.tar"), "mine").expect("written");
    let output = world.train("taken", &["--base", &base, "--steps", "4"]).output().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && complaint.contains("--local"), "{complaint}");
    assert_eq!(fs::read_to_string(world.path("taken/zoerb-v2.tar")).expect("read"), "mine");

    // A base of no model folder is trained on here.
    let elsewhere = world.path("elsewhere.safetensors");
    fs::copy(&base, &elsewhere).expect("copied");
    let elsewhere = elsewhere.display().to_string();
    let output = good(&mut world.train("here", &["--base", &elsewhere, "--steps", "1"]));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("doing the work here"), "{told}");
    assert!(world.path("here/.zoerb.run").is_dir());

    // The job and what can be asked of it.
    let jobs = world.json(&["jobs"]);
    assert_eq!((jobs["items"].as_array().map(Vec::len), &jobs["next"]), (Some(1), &Value::Null));
    let (job, set) = (&jobs["items"][0]["id"], &jobs["items"][0]["dataset"]);
    let (job, set) = (job.as_str().expect("an id"), set.as_str().expect("an id"));
    assert!(
        world.good(&["jobs", "list"]).lines().nth(1).is_some_and(|row| row.contains("Zörb") && row.contains("4/4"))
    );
    assert_eq!(world.json(&["jobs", "show", job])["state"], "done");
    let told = world.good(&["jobs", "follow", job, "--json"]);
    let last: Value = serde_json::from_str(told.lines().last().expect("events")).expect("JSON");
    assert!(last["event"] == "state" && last["state"] == "done", "{last}");
    assert!(world.refused(&["jobs", "cancel", job], 1).contains("done cannot be cancelled"));
    assert!(world.refused(&["jobs", "show", "../limits"], 1).contains("there is no"));
    world.json(&["jobs", "log", job]);

    // The prompts of its data set.
    assert!(world.good(&["captions"]).contains(set));
    assert_eq!(world.json(&["captions", set])["captions"]["0.png"], "Zörb in the rain");
    let set_1 = world.json(&["captions", "set", set, "1.png", "a <concept>"]);
    assert_eq!((&set_1["captions"]["1.png"], &set_1["captions"]["2.png"]), (&"a <concept>".into(), &Value::Null));
    assert!(world.refused(&["captions", "set", set, "9.png", "x"], 2).contains("captions.9.png"));

    // The library.
    let concepts = world.json(&["concepts", "list"]);
    let id = concepts["items"][0]["id"].as_str().expect("an id");
    assert_eq!(world.json(&["concepts", "show", "zörb"])["id"], id);

    // Drawn by the daemon, from its library and on the concept's own base.
    let picture = world.path("drawn.png").display().to_string();
    let create = [
        "create",
        "a zörb",
        "--concept",
        "zörb:0.5",
        "--width",
        "64",
        "--height",
        "64",
        "--steps",
        "1",
        "--out",
        &picture,
    ];
    world.good(&create);
    assert!(fs::read(&picture).expect("a picture").starts_with(b"\x89PNG"));
    let missing = ["create", "x", "--concept", "nobody", "--out", &picture];
    assert!(world.refused(&missing, 1).contains("nobody"));

    let saved = world.good(&["concepts", "save", id, "--out", &world.path("saved").display().to_string()]);
    assert_eq!(fs::read(saved.trim()).expect("read"), fs::read(world.path("out/zoerb.tar")).expect("read"));
    fs::write(saved.trim(), "mine").expect("written");
    let out = world.path("saved").display().to_string();
    assert!(world.refused(&["concepts", "save", id, "--out", &out], 1).contains("there already"));
    let bundle = world.path("out/zoerb.tar").display().to_string();
    let imported = world.json(&["concepts", "import", &bundle, "--name", "Other"]);
    assert_eq!((&imported["source"], &imported["mode"]), (&"imported".into(), &"object".into()));
    let other = imported["id"].as_str().expect("an id");
    assert_eq!(world.json(&["concepts", "rename", other, "Third"])["name"], "Third");
    world.good(&["concepts", "delete", other]);
    assert!(world.refused(&["concepts", "show", "Third"], 1).contains("there is no concept `Third`"));

    // Prompts: from the library and from a bundle, and nothing else on standard output.
    let wanted = "embedding:zoerb_embeddings surfing\n";
    let prompt = ["prompt", "Zörb surfing", "--host", "comfyui", "--concept"];
    assert_eq!(world.good(&[&prompt[..], &["zörb:0.5"]].concat()), wanted);
    assert_eq!(world.good(&[&prompt[..], &[&bundle]].concat()), wanted);
    let a1111 = world.good(&["prompt", "zörb", "--host", "a1111", "--concept", &format!("{bundle}:0.5")]);
    assert_eq!(a1111, "zoerb_embeddings <lora:zoerb_lora:0.5>\n");
    assert!(world.refused(&[&prompt[..], &["nobody"]].concat(), 1).contains("nobody"));

    let models = world.json(&["models"]);
    assert_eq!(models["items"][0]["name"], "tiny");
    let status = world.json(&["status"]);
    assert!(status["running"] == true && status["daemon"]["version"] == env!("CARGO_PKG_VERSION"));
    assert!(world.good(&["status"]).contains("0 waiting"));
    let doctor = world.json(&["doctor"]);
    assert!(doctor["ok"] == true, "{doctor}");
    let port = doctor["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "port");
    assert!(port.is_some_and(|port| port["found"].as_str().is_some_and(|found| found.contains("runs on"))));
}

#[test]
fn a_training_can_be_left_watched_paused_resumed_and_cancelled() {
    let world = World::start();
    let mut train = world.train("out", &["--base", "tiny", "--steps", "100000", "--json"]);
    let mut train = train.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(train.stdout.take().expect("piped")).lines();
    while !lines.next().expect("a line").expect("text").contains("\"event\":\"step\"") {}
    let jobs = world.json(&["jobs"]);
    let job = jobs["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.json(&["status"])["jobs"]["running"][0]["id"], job.as_str());
    // Ctrl-C leaves the job alone.
    #[cfg(unix)]
    {
        let kill = format!("kill -INT {}", train.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().expect("it starts").success());
        assert_eq!(train.wait().expect("ended").code(), Some(130));
    }
    world.good(&["jobs", "sample", &job]);
    world.good(&["jobs", "pause", &job]);
    let state = |wanted: &str| {
        let begun = Instant::now();
        while world.json(&["jobs", "show", &job])["state"] != wanted {
            assert!(begun.elapsed() < PATIENCE, "it never is {wanted}");
        }
    };
    state("paused");
    world.good(&["jobs", "resume", &job]);
    state("running");
    world.good(&["jobs", "cancel", &job]);
    assert!(world.refused(&["jobs", "follow", &job], 1).contains("cancelled"));
    state("cancelled");
    let _ = train.kill();
    let _ = train.wait();
}

#[test]
fn without_a_daemon_commands_say_so_or_do_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let run = |arguments: &[&str]| program(&home).args(arguments).output().expect("it starts");
    let status = run(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(text(&status).contains("no daemon runs"));
    let status = run(&["status", "--json"]);
    let view: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert!(status.status.code() == Some(1) && view["running"] == false);
    let jobs = run(&["jobs"]);
    assert_eq!(jobs.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&jobs.stderr).contains("conceptd serve"));
    assert!(!home.exists(), "looking makes nothing");

    // Checkpoints are found and examined without a daemon.
    fs::create_dir_all(home.join("models")).expect("made");
    fs::write(home.join("models/cut.safetensors"), "cut").expect("written");
    random_base(&home.join("models/tiny.safetensors"));
    let models = run(&["models"]);
    assert!(models.status.success() && text(&models).contains("sdxl, own sizes"), "{}", text(&models));

    // What is wrong fails, what may be wrong does not.
    fs::write(home.join("config.toml"), "port = 0\n").expect("written");
    let doctor = run(&["doctor", "--json"]);
    let view: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    assert!(doctor.status.success() && view["ok"] == true, "{view}");
    assert!(text(&run(&["doctor"])).contains("warn  checkpoint: "));
    fs::write(home.join("config.toml"), "port = 0\nroots = [\"/no/such/folder\"]\n").expect("written");
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor).contains("FAIL  root: /no/such/folder"), "{}", text(&doctor));
    fs::write(home.join("config.toml"), "prot = 0\n").expect("written");
    let doctor = run(&["doctor"]);
    assert!(doctor.status.code() == Some(1) && text(&doctor).contains("`prot`"), "{}", text(&doctor));

    for (shell, wanted) in [("bash", "complete"), ("zsh", "#compdef conceptd"), ("fish", "conceptd")] {
        assert!(text(&run(&["completions", shell])).contains(wanted), "{shell}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_is_written_where_systemd_looks_and_taken_away_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("made");
    let run = |action: &str| program(&home).args(["service", action]).output().expect("it starts");
    assert_eq!(run("status").status.code(), Some(1));
    // There is nothing on the PATH: the file is written, and what is left to do is said.
    let installed = run("install");
    let unit = home.join(".config/systemd/user/conceptd.service");
    assert!(installed.status.success() && text(&installed).contains("systemctl --user enable --now"));
    let text = fs::read_to_string(&unit).expect("written");
    assert!(text.contains(&format!("serve --home \"{}\"", home.display())), "{text}");
    assert!(run("status").status.success());
    assert!(run("uninstall").status.success() && !unit.exists());
    assert!(home.is_dir());
}
