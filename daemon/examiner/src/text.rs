//! A report in words.

use protocol::{DatasetReport, Finding, FindingCode, Severity};
use std::collections::BTreeMap;

/// All in all.
pub(crate) fn verdict(pictures: usize, findings: &[Finding]) -> String {
    let (serious, warnings) = (kinds(findings, Severity::Serious), kinds(findings, Severity::Warning));
    let set = match pictures {
        0 => return "There are no pictures to look at.".to_owned(),
        1 => "The picture".to_owned(),
        n => format!("These {n} pictures"),
    };
    let one = pictures == 1;
    let things = |n: usize| if n == 1 { "one thing".to_owned() } else { format!("{n} things") };
    match (serious.len(), warnings.len()) {
        (0, 0) => format!("{set} {} good to train.", if one { "is" } else { "are" }),
        (0, count) => {
            let settled = if count == 1 { "is" } else { "are" };
            format!(
                "{set} can be trained; the concept gets better if {} {settled} put right: {}.",
                things(count),
                listed(&warnings)
            )
        }
        (count, _) => {
            format!("{set} should not be trained yet; {} must be put right: {}.", things(count), listed(&serious))
        }
    }
}

/// What is found, and how often; what is found most often first.
fn kinds(findings: &[Finding], severity: Severity) -> Vec<(FindingCode, usize)> {
    let mut counts: BTreeMap<FindingCode, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity == severity) {
        *counts.entry(finding.code).or_default() += 1;
    }
    let mut counts: Vec<(FindingCode, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    counts
}

fn listed(kinds: &[(FindingCode, usize)]) -> String {
    let named = |(code, count): &(FindingCode, usize)| match count {
        1 => label(*code).to_owned(),
        _ => format!("{} ({count} times)", label(*code)),
    };
    let named: Vec<String> = kinds.iter().take(4).map(named).collect();
    let more = if kinds.len() > 4 { ", and more" } else { "" };
    format!("{}{more}", named.join(", "))
}

/// A code in two or three words, for lists and labels.
pub(crate) fn label(code: FindingCode) -> &'static str {
    match code {
        FindingCode::FewPictures => "few pictures",
        FindingCode::ManyPictures => "many pictures",
        FindingCode::Empty => "nothing to see",
        FindingCode::BelowResolution => "too small",
        FindingCode::SmallPicture => "rather small",
        FindingCode::Blurred => "blurred",
        FindingCode::JpegBlocks => "JPEG blocks",
        FindingCode::Overexposed => "too bright",
        FindingCode::Underexposed => "too dark",
        FindingCode::Grey => "black and white",
        FindingCode::Transparent => "was transparent",
        FindingCode::ExtremeAspect => "long shape",
        FindingCode::SubjectOutsideCrop => "subject cut off",
        FindingCode::NoFace => "no face",
        FindingCode::SeveralFaces => "several faces",
        FindingCode::SmallFace => "small face",
        FindingCode::NearDuplicate => "nearly the same",
        FindingCode::LittleVariety => "little variety",
        FindingCode::MixedStyles => "other style",
        FindingCode::WordInEveryCaption => "word everywhere",
        FindingCode::CaptionsMissing => "no caption",
        FindingCode::CaptionTooLong => "long caption",
    }
}

/// A report for a terminal: the verdict, then each finding with its pictures and what to do. What is said of several pictures
/// in the same way stands there once.
pub fn in_words(report: &DatasetReport) -> String {
    let mut text = format!("{}\n", report.verdict);
    let mut at = 0;
    while let Some(finding) = report.findings.get(at) {
        let alike = |other: &&Finding| (other.code, other.severity) == (finding.code, finding.severity);
        let single = finding.pictures.len() == 1;
        let run = report.findings[at..].iter().take_while(|other| alike(other) && other.pictures.len() == 1).count();
        let mark = match finding.severity {
            Severity::Serious => "serious",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let (who, step) = match single {
            true => (shortened(report.findings[at..at + run].iter().flat_map(|finding| &finding.pictures)), run),
            false => (shortened(&finding.pictures), 1),
        };
        let who = if who.is_empty() { String::new() } else { format!("{who}: ") };
        let differ = report.findings[at..at + step].iter().any(|other| other.message != finding.message);
        let like = if differ { " (said of the first)" } else { "" };
        text += &format!("\n{mark}: {who}{}{like}\n  -> {}\n", finding.message, finding.advice);
        at += step;
    }
    text
}

/// The first few names, and how many more there are.
fn shortened<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    let listed = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        count if count > SHOWN => format!("{listed} and {} more", count - SHOWN),
        _ => listed,
    }
}
