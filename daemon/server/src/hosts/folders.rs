//! Where hosts look for LoRAs and embeddings: their usual folders, moved by flags and by `extra_model_paths.yaml`.

use super::flags::Flags;
use protocol::HostKind;
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

/// Where a host looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// For LoRAs.
    pub loras: PathBuf,
    /// For embeddings.
    pub embeddings: PathBuf,
}

/// What a folder is and where the host in it begins: a portable edition keeps it one folder deeper.
pub fn recognise(folder: &Path) -> Option<(HostKind, PathBuf)> {
    let inner = ["", "ComfyUI", "webui", "app"].into_iter().map(|inner| match inner {
        "" => folder.to_owned(),
        inner => folder.join(inner),
    });
    inner.into_iter().find_map(|folder| Some((kind_of(&folder)?, folder)))
}

fn kind_of(folder: &Path) -> Option<HostKind> {
    let is = |name: &str| folder.join(name).exists();
    if is("webui.py") && is("modules") {
        return Some(if is("modules_forge") { HostKind::Forge } else { HostKind::A1111 });
    }
    // The desktop edition keeps its program elsewhere.
    let program = is("main.py") && is("comfy");
    (program || is("custom_nodes") && is("models")).then_some(HostKind::Comfyui)
}

/// Where a host looks for its files.
pub fn of(kind: HostKind, folder: &Path, flags: &Flags) -> Folders {
    let base = flags.base.as_deref().unwrap_or(folder);
    match kind {
        HostKind::Comfyui => {
            let models = base.join("models");
            let mut found = Folders { loras: models.join("loras"), embeddings: models.join("embeddings") };
            let own = folder.join("extra_model_paths.yaml");
            for file in std::iter::once(&own).chain(&flags.extra_paths) {
                let text = fs::read_to_string(file).unwrap_or_default();
                put_first(&text, file.parent().unwrap_or(folder), &mut found);
            }
            found
        }
        HostKind::A1111 | HostKind::Forge => {
            let models = flags.models.clone().unwrap_or_else(|| base.join("models"));
            Folders {
                loras: flags.loras.clone().unwrap_or_else(|| models.join("Lora")),
                embeddings: flags.embeddings.clone().unwrap_or_else(|| base.join("embeddings")),
            }
        }
    }
}

/// Takes over the folders of sections that are `is_default`: they come before the usual ones, the last one first.
fn put_first(yaml: &str, beside: &Path, folders: &mut Folders) {
    type Section = Option<BTreeMap<String, serde_json::Value>>;
    let Ok(sections) = serde_saphyr::from_str::<BTreeMap<String, Section>>(yaml) else { return };
    for section in sections.into_values().flatten() {
        if section.get("is_default").and_then(serde_json::Value::as_bool) != Some(true) {
            continue;
        }
        let text = |key: &str| section.get(key).and_then(serde_json::Value::as_str);
        let base = text("base_path").map_or_else(|| beside.to_owned(), |base| beside.join(at_home(base)));
        // Several lines are several folders; each is put before those so far.
        let first = |key: &str| {
            let line = text(key)?.lines().map(str::trim).rfind(|line| !line.is_empty())?;
            Some(plain(&base.join(line)))
        };
        folders.loras = first("loras").unwrap_or_else(|| folders.loras.clone());
        folders.embeddings = first("embeddings").unwrap_or_else(|| folders.embeddings.clone());
    }
}

/// `~` is the user's folder.
fn at_home(path: &str) -> PathBuf {
    match path.strip_prefix('~') {
        Some(rest) => crate::platform::user_folder().join(rest.trim_start_matches(['/', '\\'])),
        None => path.into(),
    }
}

/// Without `.` and `..`.
pub fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path, entries: &[&str]) {
        for entry in entries {
            match entry.strip_suffix('/') {
                Some(name) => fs::create_dir_all(folder.join(name)).expect("made"),
                None => fs::write(folder.join(entry), "").expect("written"),
            }
        }
    }

    #[test]
    fn each_kind_is_recognised_also_one_folder_deeper() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        make(
            root,
            &["portable/ComfyUI/comfy/", "portable/ComfyUI/main.py", "desktop/models/", "desktop/custom_nodes/"],
        );
        make(
            root,
            &["a1111/modules/", "a1111/webui.py", "f/webui/modules/", "f/webui/modules_forge/", "f/webui/webui.py"],
        );
        make(root, &["pictures/models/"]);
        let found = |name: &str| recognise(&root.join(name));
        assert_eq!(found("portable"), Some((HostKind::Comfyui, root.join("portable/ComfyUI"))));
        assert_eq!(found("desktop"), Some((HostKind::Comfyui, root.join("desktop"))));
        assert_eq!(found("a1111"), Some((HostKind::A1111, root.join("a1111"))));
        assert_eq!(found("f"), Some((HostKind::Forge, root.join("f/webui"))));
        assert_eq!(found("pictures"), None);
    }

    #[test]
    fn folders_follow_flags_and_extra_paths() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path();
        let usual = of(HostKind::Comfyui, root, &Flags::default());
        assert_eq!(usual.loras, root.join("models/loras"));
        let yaml = "# mine\na111:\n    base_path: ../sd\n    loras: |\n        models/Lora\n        models/LyCORIS\n    \
                    embeddings: embeddings\nfast:\n    is_default: true\n    base_path: big\n    loras: loras/\n";
        fs::write(root.join("extra_model_paths.yaml"), yaml).expect("written");
        let moved = of(HostKind::Comfyui, root, &Flags::default());
        assert_eq!(moved.loras, root.join("big/loras"), "only a default section comes first");
        assert_eq!(moved.embeddings, root.join("models/embeddings"));
        fs::write(root.join("extra_model_paths.yaml"), ":\n  - {").expect("written");
        assert_eq!(of(HostKind::Comfyui, root, &Flags::default()), usual, "a broken file moves nothing");
        let flags = Flags { base: Some("/d".into()), loras: Some("/l".into()), ..Flags::default() };
        let a1111 = of(HostKind::A1111, root, &flags);
        assert_eq!((a1111.loras, a1111.embeddings), ("/l".into(), "/d/embeddings".into()));
        let comfy = of(HostKind::Comfyui, root, &Flags { base: Some("/d".into()), ..Flags::default() });
        assert_eq!(comfy.embeddings, Path::new("/d/models/embeddings"));
    }
}
