//! Whether the home folder, the token and the configured folders are as they should be.

use crate::table::{size, word};
use protocol::Check;
use server::{Config, Home};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Whether others can get at a file or folder.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

/// On Windows what lies in a user's profile is private by inheritance.
#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

/// The home folder: there, writable, private.
pub fn folder(home: &Home) -> Check {
    const NAME: &str = "home";
    let path = home.path();
    let shown = path.display();
    if !path.exists() {
        return Check::ok(NAME, format!("{shown} is not there yet; the first `conceptd serve` makes it"));
    }
    if let Err(error) = tempfile::tempfile_in(path) {
        return Check::fail(
            NAME,
            format!("{shown} cannot be written: {error}"),
            "make it yours, or give another --home",
        );
    }
    if is_open(path) {
        let fix = format!("chmod 700 '{shown}'");
        return Check::warn(NAME, format!("other users of this machine can look into {shown}"), fix);
    }
    Check::ok(NAME, format!("{shown} is writable and private"))
}

/// The token: there, long enough, private.
pub fn token(home: &Home) -> Check {
    const NAME: &str = "token";
    let path = home.token_file();
    let shown = path.display();
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::ok(NAME, "there is none yet; the first `conceptd serve` makes it")
        }
        Err(error) => Check::fail(NAME, format!("{shown}: {error}"), "make the file yours"),
        Ok(_) if is_open(&path) => Check::fail(
            NAME,
            format!("others can read {shown}, and command the daemon with it"),
            format!("chmod 600 '{shown}', then `conceptd token --new`, and start the daemon again"),
        ),
        Ok(token) if token.trim().len() < 32 => {
            Check::fail(NAME, format!("{shown} is too short to be secret"), "`conceptd token --new`")
        }
        Ok(_) => Check::ok(NAME, "only you can read it"),
    }
}

/// Folders that the settings name.
pub fn folders(name: &'static str, folders: &[PathBuf]) -> Vec<Check> {
    let check = |folder: &PathBuf| match fs::read_dir(folder) {
        Ok(_) => Check::ok(name, folder.display().to_string()),
        Err(error) => Check::fail(
            name,
            format!("{}: {error}", folder.display()),
            "make the folder readable, or correct it in config.toml",
        ),
    };
    folders.iter().map(check).collect()
}

/// The checkpoints, each with what is wrong with it.
pub fn models(home: &Home, config: &Config) -> Vec<Check> {
    const NAME: &str = "checkpoint";
    let models = server::models_of(home, config);
    if models.is_empty() {
        let fix = format!(
            "put a Stable Diffusion XL or 1.5 checkpoint into {}, or name its folder as `models` in {}",
            home.models().display(),
            home.config_file().display()
        );
        return vec![Check::warn(NAME, "there is none to train on", fix)];
    }
    let check = |model: &protocol::ModelView| match (&model.problem, model.family) {
        (Some(problem), _) => Check::warn(
            NAME,
            format!("{}: {problem}", model.path),
            "replace it by a whole file in f16, bf16 or f32, or move it out of the folder",
        ),
        (None, family) => Check::ok(
            NAME,
            format!("{} ({}, {})", model.path, family.map_or_else(|| "unknown".into(), word), size(model.bytes)),
        ),
    };
    models.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Verdict;

    #[test]
    fn a_fresh_home_is_well_and_what_is_missing_is_named() {
        let parent = tempfile::tempdir().expect("a folder");
        let home = Home::at(parent.path().join("home"));
        assert_eq!((folder(&home).verdict, token(&home).verdict), (Verdict::Ok, Verdict::Ok));
        assert!(!home.path().exists(), "looking makes nothing");
        home.token().expect("made");
        assert_eq!((folder(&home).verdict, token(&home).verdict), (Verdict::Ok, Verdict::Ok));
        let missing = folders("root", &[parent.path().join("gone")]);
        assert!(missing[0].verdict == Verdict::Fail && missing[0].found.contains("gone"));
        fs::create_dir_all(home.models()).expect("made");
        fs::write(home.models().join("cut.safetensors"), "cut").expect("written");
        let found = models(&home, &Config::default());
        assert!(found[0].verdict == Verdict::Warn && found[0].found.contains("cut.safetensors"));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a folder");
        let home = Home::at(parent.path().join("home"));
        home.token().expect("made");
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        open(home.path(), 0o755);
        open(&home.token_file(), 0o644);
        assert_eq!((folder(&home).verdict, token(&home).verdict), (Verdict::Warn, Verdict::Fail));
    }
}
