//! What a watched folder is told: RESULT.md with a preview where a data set was trained, ERROR.md where it was not.

use super::{
    listing::{OURS, Set},
    naming::without_ending,
};
use crate::{
    App, Blobs, Result,
    hosts::title,
    library,
    store::{Concept, Job, Watched},
};
use protocol::{ConceptView, JobState, WatchedState};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const RESULT: &str = "RESULT.md";
const ERROR: &str = "ERROR.md";
const PREVIEW: &str = "RESULT.preview.png";
/// By this our files are told from those of users.
const SIGNED: &str = "*Written by conceptd.*\n";

/// Brings a data set up to date with its job, and its folder with both. Returns what keeps the folder from being told.
///
/// # Errors
/// If the database refuses.
pub fn conclude(app: &App, set: &Set, watched: &mut Watched) -> Result<Option<String>> {
    let job = watched.job.as_deref().map_or(Ok(None), |id| app.store.get::<Job>(id))?;
    if watched.state == WatchedState::Training {
        let Some((state, text)) = ended(app, job.as_ref())? else { return Ok(None) };
        (watched.state, watched.text, watched.told) = (state, text, false);
    }
    if watched.told {
        return Ok(None);
    }
    let told = match watched.state {
        WatchedState::Failed => tell(set, ERROR, &error_text(&watched.text)),
        _ => match trained(app, job.as_ref())? {
            Some((job, concept)) => tell_result(app, set, &job, &concept.view),
            // It was deleted from the library meanwhile.
            None => Ok(()),
        },
    };
    match told {
        Ok(()) => {
            watched.told = true;
            Ok(None)
        }
        Err(trouble) => Ok(Some(trouble)),
    }
}

/// What a job came to; `None` while it is not over.
fn ended(app: &App, job: Option<&Job>) -> Result<Option<(WatchedState, String)>> {
    let failed = |text: String| Ok(Some((WatchedState::Failed, text)));
    let Some(job) = job else { return failed("its training is gone".into()) };
    match job.work.state {
        JobState::Done => {
            let concept = trained(app, Some(job))?.map(|(_, concept)| concept.view);
            let text = concept.map_or_else(
                || "trained; its concept is no longer in the library".into(),
                |concept| format!("trained: {} (version {}), files {}", concept.name, concept.version, concept.stem),
            );
            Ok(Some((WatchedState::Done, text)))
        }
        JobState::Failed => {
            failed(job.work.failure.as_ref().map_or_else(String::new, |failure| failure.reason.clone()))
        }
        JobState::Cancelled => failed("its training was cancelled".into()),
        _ => Ok(None),
    }
}

fn trained(app: &App, job: Option<&Job>) -> Result<Option<(Job, Concept)>> {
    let Some((job, id)) = job.and_then(|job| Some((job, job.concept.as_ref()?))) else { return Ok(None) };
    Ok(app.store.get::<Concept>(id)?.map(|concept| (job.clone(), concept)))
}

/// Takes an earlier error back: what was wrong is not wrong any more.
pub fn take_back_error(set: &Set) {
    let path = beside(set, ERROR);
    if is_ours(&path) {
        // If it cannot be removed, the result cannot be written either, and that is told.
        let _ = fs::remove_file(path);
    }
}

fn tell_result(app: &App, set: &Set, job: &Job, concept: &ConceptView) -> std::result::Result<(), String> {
    // What came of installing is written down with the job's end, as it was then.
    let concept = &ConceptView { installs: job.installs.clone(), ..concept.clone() };
    let preview = beside(set, PREVIEW);
    let picture = app.home.get(&concept.id, library::PREVIEW).ok().flatten().and_then(|path| fs::read(path).ok());
    let shown = picture.as_ref().and(preview.file_name()).map(|name| name.to_string_lossy());
    tell(set, RESULT, &result_text(concept, &job.base_name, shown.as_deref()))?;
    if let Some(bytes) = picture {
        write(&preview, &bytes).map_err(|error| unwritable(&preview, &error))?;
    }
    take_back_error(set);
    Ok(())
}

/// Writes one of our texts, unless somebody else's file has its name.
fn tell(set: &Set, file: &str, text: &str) -> std::result::Result<(), String> {
    let path = beside(set, file);
    if path.exists() && !is_ours(&path) {
        return Err(format!("{} is not conceptd's; rename it, so that conceptd can write its own", path.display()));
    }
    write(&path, format!("{text}\n{SIGNED}").as_bytes()).map_err(|error| unwritable(&path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written ({error}); the concepts are in the library all the same", path.display())
}

/// Where a file of ours lies: in the data set's folder, or beside its archive.
fn beside(set: &Set, file: &str) -> PathBuf {
    if !set.archive {
        return set.path.join(file);
    }
    let name = set.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    set.path.with_file_name(format!("{}-{file}", without_ending(&name)))
}

fn is_ours(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.ends_with(SIGNED.as_bytes()))
}

/// Writes a file whole or not at all; not at all if it says the same already, since clouds copy what is written.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!("{OURS}{name}.part"));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn error_text(why: &str) -> String {
    format!(
        "# This was not trained\n\n{why}\n\nIt is tried again when its files change. `conceptd watches rescan` tries it \
         again at once.\n"
    )
}

fn result_text(concept: &ConceptView, base: &str, preview: Option<&str>) -> String {
    let ConceptView { name, version, stem, prompts, .. } = concept;
    let mut text = format!("# {name}, version {version}\n\n");
    if let Some(preview) = preview {
        text += &format!("![Left the base, right the concept]({})\n\n", preview.replace(' ', "%20"));
    }
    for (what, value) in [
        ("Trained as", concept.mode.name().to_owned()),
        ("On", base.to_owned()),
        ("Files", format!("`{stem}_lora.safetensors` and `{stem}_embeddings.safetensors`")),
        ("Verdict", concept.verdict.clone().unwrap_or_else(|| "none".into())),
        ("Preview", preview.map_or_else(|| "none".into(), |preview| format!("`{preview}`"))),
        ("In the library", format!("`{}`", concept.id)),
    ] {
        text += &format!("- {what}: {value}\n");
    }
    text += &format!("\n## Prompts\n\nComfyUI, with `{stem}_lora` in a LoRA loader:\n\n    {}\n", prompts.comfyui);
    text += &format!("\nA1111 and Forge:\n\n    {}\n\n## Installed\n\n", prompts.a1111);
    for install in &concept.installs {
        text += &format!("- {}: {}\n", title(install.kind), install.text);
        text.extend(install.files.iter().map(|file| format!("  - `{file}`\n")));
        text.extend(install.warnings.iter().map(|warning| format!("  - {warning}\n")));
    }
    if concept.installs.is_empty() {
        text += &format!("In no host. `conceptd concepts save {}` writes its files into a folder.\n", concept.id);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{BaseFamily, HostKind, HostPrompts, InstallState, InstallView, Mode, Source};

    fn concept() -> ConceptView {
        ConceptView {
            id: "concept-1".into(),
            name: "Xander".into(),
            version: 2,
            stem: "xander-v2".into(),
            mode: Mode::Face,
            source: Source::Trained,
            job: None,
            family: BaseFamily::Sdxl,
            base_sha256: None,
            base_nonstandard: false,
            tokens: 3,
            step: Some(300),
            verdict: Some("good".into()),
            bare_name: false,
            installs: Vec::new(),
            prompts: HostPrompts { comfyui: "a photo of embedding:x".into(), a1111: "a photo of <lora:x:1>".into() },
            preview: true,
            created_at_ms: 0,
        }
    }

    #[test]
    fn a_result_says_everything_that_is_needed_to_draw() {
        let mut concept = concept();
        let text = result_text(&concept, "sd_xl_base_1.0", Some("my fox-RESULT.preview.png"));
        for part in [
            "# Xander, version 2",
            "(my%20fox-RESULT.preview.png)",
            "- Verdict: good",
            "- On: sd_xl_base_1.0",
            "    a photo of embedding:x\n",
            "    a photo of <lora:x:1>\n",
            "`xander-v2_lora.safetensors`",
            "In no host. `conceptd concepts save concept-1`",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        concept.installs = vec![InstallView {
            concept: "concept-1".into(),
            host: "host-1".into(),
            kind: HostKind::Comfyui,
            state: InstallState::Seen,
            text: "installed and seen".into(),
            stem: "xander-v2".into(),
            files: vec!["/c/models/loras/xander-v2_lora.safetensors".into()],
            warnings: Vec::new(),
        }];
        let text = result_text(&concept, "b", None);
        assert!(text.contains("- ComfyUI: installed and seen\n  - `/c/models/loras/xander-v2_lora.safetensors`\n"));
        assert!(!text.contains("In no host") && !text.contains("!["));
    }

    #[test]
    fn texts_lie_in_the_folder_or_beside_the_archive_and_spare_what_is_not_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let archive = Set { name: "fox.tar.gz".into(), path: path("fox.tar.gz"), archive: true };
        tell(&archive, ERROR, "why").expect("written");
        assert_eq!(fs::read_to_string(path("fox-ERROR.md")).expect("read"), format!("why\n{SIGNED}"));
        take_back_error(&archive);
        assert!(!path("fox-ERROR.md").exists());
        let set = Set { name: "fox".into(), path: folder.path().to_owned(), archive: false };
        fs::write(path(ERROR), "my own remarks").expect("written");
        let refused = tell(&set, ERROR, "why").expect_err("not ours");
        assert!(refused.contains("rename it"), "{refused}");
        take_back_error(&set);
        assert_eq!(fs::read_to_string(path(ERROR)).expect("read"), "my own remarks");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("read").collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }
}
