//! Captions made smoother by a server; what it gets wrong stays as it was.

use crate::{Result, eyes::connect, seen::Sight};
use protocol::{EndpointTask, Mode};

/// Captions that are sent at once: more are mixed up, fewer cost time.
const TOGETHER: usize = 16;
/// What the concept is called meanwhile: angle brackets would be taken for markup.
const STAND_IN: &str = "CONCEPT";

/// Has a server rewrite what captioners said. Only an answer in which each caption still names the concept once counts.
/// Returns what the user should know.
///
/// # Errors
/// If the server's settings cannot be used; a server that fails is no error.
pub(crate) fn rewrite(endpoint: &EndpointTask, mode: Mode, sights: &mut [Sight]) -> Result<Vec<String>> {
    let server = connect(endpoint)?;
    let what = match mode {
        Mode::Face => "the person; never say what the person looks like",
        Mode::Object => "the object; never say what it looks like",
        Mode::Style => "the style that the picture is in; never say how it is drawn",
    };
    let instruction = format!(
        "Rewrite each caption as one short, plain English sentence about the same picture. {STAND_IN} stands for {what}. Keep \
         the word {STAND_IN} exactly once in each."
    );
    let mut described: Vec<&mut Sight> = sights.iter_mut().filter(|sight| sight.described.is_some()).collect();
    let mut kept = 0;
    for part in described.chunks_mut(TOGETHER) {
        let text = |sight: &&mut Sight| Some(sight.described.as_ref()?.text.replace("<concept>", STAND_IN));
        let texts: Vec<String> = part.iter().filter_map(text).collect();
        let rewritten = match server.rewrite(&texts, &instruction) {
            Ok(rewritten) => rewritten,
            Err(error) => return Ok(vec![format!("captions were not rewritten: {error}")]),
        };
        for (sight, text) in part.iter_mut().zip(rewritten) {
            let Some(described) = &mut sight.described else { continue };
            let once = text.matches(STAND_IN).count() == 1;
            let text = text.replace(STAND_IN, "<concept>");
            if !once {
                kept += 1;
            } else if text != described.text {
                described.changes.push(format!("`{}` was rewritten by {}", described.text, endpoint.model));
                sight.caption = Some(text.clone());
                described.text = text;
            }
        }
    }
    Ok((kept > 0)
        .then(|| format!("{kept} captions were not rewritten: the answer did not name the concept once"))
        .into_iter()
        .collect())
}
