//! Pictures that the running daemon draws, written where the user wants them.

use super::{Create, numbered, split_strength};
use crate::{
    Failure,
    client::{ClientError, Daemon},
    interrupt,
};
use anyhow::{Context, anyhow};
use base64::{Engine, prelude::BASE64_STANDARD};
use protocol::{ApplyConcept, CreationRequest, CreationView, JobState};
use std::{fs, thread, time::Duration};

/// Time between two looks at a creation.
const PAUSE: Duration = Duration::from_millis(100);

/// Draws by the daemon.
pub fn create(asked: &Create, daemon: &Daemon) -> Result<(), Failure> {
    let mut concepts = Vec::new();
    for argument in &asked.concept {
        let (name, strength) = split_strength(argument).map_err(crate::usage)?;
        concepts.push(ApplyConcept { concept: name.display().to_string(), strength, step: None });
    }
    let read = |path: &std::path::PathBuf| {
        fs::read(path).map(|bytes| BASE64_STANDARD.encode(bytes)).with_context(|| path.display().to_string())
    };
    let request = CreationRequest {
        prompt: asked.prompt.clone(),
        base: asked.base.as_ref().map(|base| base.display().to_string()),
        concepts,
        negative: asked.negative.clone(),
        width: asked.width,
        height: asked.height,
        steps: asked.steps,
        cfg: asked.cfg,
        seed: asked.seed,
        count: asked.count,
        init_image: asked.init_image.as_ref().map(read).transpose()?,
        init_strength: asked.init_strength,
    };
    let mut creation: CreationView = daemon.write("POST", "/v1/creations", &request)?;
    let route = format!("/v1/creations/{}", creation.id);
    while !creation.state.is_final() {
        if interrupt::asked() {
            let _: CreationView = daemon.act(&format!("{route}/cancel"))?;
            return Err(ClientError::Stopped.into());
        }
        thread::sleep(PAUSE);
        creation = daemon.get(&route)?;
    }
    if creation.state != JobState::Done {
        let reason = creation.failure.map_or_else(|| "it was cancelled".to_owned(), |failure| failure.reason);
        return Err(Failure::Failed(anyhow!("{reason}")));
    }
    for (i, picture) in creation.pictures.iter().enumerate() {
        let path = numbered(&asked.out, i);
        // A picture of an earlier drawing gives way, as it does when drawing here.
        let _ = fs::remove_file(&path);
        daemon.download(picture, &path)?;
        println!("{}", path.display());
    }
    Ok(())
}
