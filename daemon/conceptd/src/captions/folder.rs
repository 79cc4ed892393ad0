//! Pictures in a folder, without a daemon: described, examined, and what was said written beside them.

use super::Look;
use crate::{
    Failure,
    client::{Reach, eyes, print_json},
    interrupt,
    serve::{Flags, settings},
    table::{or_dash, table},
};
use anyhow::{Context, anyhow};
use protocol::{DatasetReport, Described, Finding, Limits, PrepareTask, Severity};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What was written beside the pictures, so that a later look knows what a user has edited since.
const WRITTEN: &str = ".conceptd-captions.json";
/// Pictures that a finding names; `--json` has all.
const SHOWN: usize = 6;

/// Looks at a folder or an archive, and prints what is seen.
pub fn run(pictures: &Path, look: &Look, reach: &Reach) -> Result<(), Failure> {
    if look.write && !pictures.is_dir() {
        return Err(crate::usage(anyhow!("--write puts files beside pictures: give a folder, not an archive")));
    }
    interrupt::listen()?;
    let home = reach.home.home();
    let config = settings(&home, &Flags::default())?.config;
    let before = match look.again && pictures.is_dir() {
        true => ours(pictures)?,
        false => BTreeMap::new(),
    };
    let out = look.sheet.as_ref().map(|_| tempfile::tempdir()).transpose()?;
    let asks_for_mode = look.captioner.is_some() || look.report;
    let task = PrepareTask {
        pictures: vec![pictures.to_owned()],
        limits: Limits::default(),
        left_out: BTreeSet::new(),
        focuses: BTreeMap::new(),
        // What we wrote and nobody edited counts as not written.
        captions: before.keys().map(|picture| (picture.clone(), None)).collect(),
        eyes: eyes(&home, &config),
        mode: if asks_for_mode { look.mode()? } else { look.mode.unwrap_or(protocol::Mode::Object) },
        name: look.name.clone(),
        class_word: look.class_word.clone(),
        leave_out: look.leave_out.clone(),
        tags: look.tags,
        captioner: look.captioner.clone(),
        rewrite: look.rewrite,
        resolution: look.resolution,
        crop: look.crop,
        mask: look.mask,
        out: out.as_ref().map(|out| out.path().to_owned()),
    };
    let mut progress = |done: u64| {
        if done > 0 && done.is_multiple_of(50) && !reach.json {
            eprintln!("{done} pictures");
        }
    };
    let seen = preparation::prepare(&task, &mut progress, &interrupt::asked)?;
    seen.prepared.notes.iter().for_each(|note| eprintln!("note: {note}"));
    seen.prepared.shared.iter().for_each(|shared| eprintln!("note: {}", shared.meaning));
    if look.write {
        write(pictures, &seen.prepared.captions)?;
    }
    if let (Some(sheet), Some(out)) = (&look.sheet, &out) {
        fs::copy(out.path().join("sheet.png"), sheet).with_context(|| format!("cannot write {}", sheet.display()))?;
    }
    match &seen.prepared.examined {
        Some(report) if look.report => print_report(report, reach.json),
        _ if reach.json => Ok(print_json(&json!({
            "captions": seen.captions, "described": seen.prepared.captions, "notes": seen.prepared.notes
        }))?),
        _ => {
            let rows: Vec<_> = seen.captions.into_iter().map(|(name, text)| vec![name, or_dash(text)]).collect();
            print!("{}", table(&["PICTURE", "PROMPT"], &rows));
            Ok(())
        }
    }
}

/// The captions that were written here by us and are still as we wrote them, by picture.
fn ours(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let path = folder.join(WRITTEN);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(BTreeMap::new()) };
    let mut written: BTreeMap<String, String> =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged; remove it", path.display()))?;
    written.retain(|picture, text| {
        fs::read_to_string(beside(folder, picture)).is_ok_and(|now| now.trim() == text.as_str())
    });
    Ok(written)
}

fn beside(folder: &Path, picture: &str) -> PathBuf {
    folder.join(picture).with_extension("txt")
}

/// Writes captions beside their pictures. What a user wrote in the meantime stays.
fn write(folder: &Path, captions: &BTreeMap<String, Described>) -> Result<(), Failure> {
    let mut written = ours(folder)?;
    let mut count = 0;
    for (picture, described) in captions {
        // A frame of a film shares its file with the others.
        let path = beside(folder, picture);
        if path.exists() && !written.contains_key(picture) || picture.contains('#') {
            continue;
        }
        server::write_whole(&path, format!("{}\n", described.text).as_bytes())?;
        written.insert(picture.clone(), described.text.clone());
        count += 1;
    }
    server::write_whole(&folder.join(WRITTEN), &serde_json::to_vec_pretty(&written)?)?;
    eprintln!("{count} captions written; edit them as you like");
    Ok(())
}

/// Prints what was found, what matters most first.
pub fn print_report(report: &DatasetReport, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return Ok(print_json(report)?);
    }
    println!("{}", report.verdict);
    // The same about several pictures is said once.
    for same in report.findings.chunk_by(|a, b| a.code == b.code) {
        let Finding { severity, advice, message, pictures, .. } = &same[0];
        let mark = match severity {
            Severity::Serious => "!!",
            Severity::Warning => " !",
            Severity::Info => "  ",
        };
        match (same.len(), pictures.as_slice()) {
            (1, []) => println!("\n{mark} {message}"),
            (1, pictures) => println!("\n{mark} {}: {message}", some(pictures)),
            _ => {
                println!("\n{mark} {} pictures", same.len());
                same.iter().take(SHOWN).for_each(|one| println!("     {}: {}", some(&one.pictures), one.message));
                if same.len() > SHOWN {
                    println!("     and {} more", same.len() - SHOWN);
                }
            }
        }
        println!("   > {advice}");
    }
    Ok(())
}

/// The first of many names.
fn some(pictures: &[String]) -> String {
    let more = pictures.len().saturating_sub(SHOWN);
    let shown = pictures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
