//! What is wrong with the set as a whole.

use crate::{
    Settings, SharedWord,
    likeness::groups,
    record::PictureRecord,
    variety::{alike, embedded_alike, odd_ones},
};
use protocol::{Finding, FindingCode, Mode, Severity};

/// Everything about the set. `records` are sorted by name.
pub(crate) fn findings(settings: &Settings, records: &[PictureRecord], words: &[SharedWord]) -> Vec<Finding> {
    let mut found = Vec::new();
    if records.is_empty() {
        return found;
    }
    let twins = twins(records, &mut found);
    // What shows the same counts once.
    let distinct: Vec<&PictureRecord> =
        records.iter().enumerate().filter(|(at, _)| !twins.contains(at)).map(|(_, record)| record).collect();
    count(settings.mode, records.len(), distinct.len(), &mut found);
    grey(settings.mode, records, &mut found);
    variety(settings.mode, &distinct, &mut found);
    if settings.mode == Mode::Style {
        styles(&distinct, &mut found);
    }
    captions(records, &mut found);
    shared_words(records, words, &mut found);
    found
}

fn names<'a>(records: impl IntoIterator<Item = &'a PictureRecord>) -> Vec<String> {
    records.into_iter().map(|record| record.name.clone()).collect()
}

fn about(code: FindingCode, severity: Severity, pictures: Vec<String>, message: String, advice: &str) -> Finding {
    Finding { code, severity, pictures, message, advice: advice.to_owned() }
}

/// Says which pictures show the same; the places of all but the first of each group.
fn twins(records: &[PictureRecord], found: &mut Vec<Finding>) -> Vec<usize> {
    let likenesses: Vec<_> = records.iter().map(|record| &record.likeness).collect();
    let mut further = Vec::new();
    for (group, mirrored) in groups(&likenesses) {
        let turned = if mirrored { ", some of them mirrored" } else { "" };
        let message = format!("{} pictures show nearly the same{turned}", group.len());
        let pictures = names(group.iter().map(|&at| &records[at]));
        let advice = "keep the best one: what is seen twice counts double, and the concept sticks to it";
        found.push(about(FindingCode::NearDuplicate, Severity::Warning, pictures, message, advice));
        further.extend(group.into_iter().skip(1));
    }
    further.sort_unstable();
    further
}

fn count(mode: Mode, all: usize, distinct: usize, found: &mut Vec<Finding>) {
    let (proper, most, wanted) = match mode {
        Mode::Face | Mode::Object => (4, 60, "4 to 30"),
        Mode::Style => (10, 500, "20 or more"),
    };
    let pictures = |n: usize| if n == 1 { "1 picture".to_owned() } else { format!("{n} pictures") };
    let said = match distinct == all {
        true => pictures(all),
        false => format!("{}, {distinct} of them really different,", pictures(all)),
    };
    if distinct < proper {
        let severity = if distinct < 3 { Severity::Serious } else { Severity::Warning };
        let are = if all == 1 { "is" } else { "are" };
        let message = format!("{said} {are} few for mode {}; {wanted} work best", mode.name());
        let advice = "add pictures that show it in other places, in other light and from other sides";
        found.push(about(FindingCode::FewPictures, severity, Vec::new(), message, advice));
    } else if mode == Mode::Style && distinct < 20 {
        let message = format!("{said} can carry a style; {wanted} work best");
        let advice = "add pictures of other subjects in the same style if you have them";
        found.push(about(FindingCode::FewPictures, Severity::Info, Vec::new(), message, advice));
    } else if distinct > most {
        let message = format!("{said} are more than mode {} has use for; {wanted} work best", mode.name());
        let advice = "choose the sharpest and most different ones; quality counts more than number";
        found.push(about(FindingCode::ManyPictures, Severity::Info, Vec::new(), message, advice));
    }
}

fn grey(mode: Mode, records: &[PictureRecord], found: &mut Vec<Finding>) {
    let grey: Vec<&PictureRecord> = records.iter().filter(|record| record.light.is_grey()).collect();
    if grey.is_empty() {
        return;
    }
    if grey.len() == records.len() {
        let message = "all pictures are black and white; so will be what is drawn with the concept".to_owned();
        let advice = match mode {
            Mode::Style => "fine if that is the style",
            _ => "add coloured pictures, or say \"black and white photo\" in each caption",
        };
        let severity = if mode == Mode::Style { Severity::Info } else { Severity::Warning };
        return found.push(about(FindingCode::Grey, severity, Vec::new(), message, advice));
    }
    let message = match grey.len() {
        1 => "one picture is black and white, the others are not".to_owned(),
        n => format!("{n} pictures are black and white, the others are not"),
    };
    let advice = "say \"black and white\" in their captions, or leave them out";
    found.push(about(FindingCode::Grey, Severity::Warning, names(grey), message, advice));
}

/// In style mode only what a model sees counts: a style may well be its few colours.
fn variety(mode: Mode, records: &[&PictureRecord], found: &mut Vec<Finding>) {
    if embedded_alike(records) {
        let message = "all pictures are very much alike: the same view, place or subject everywhere".to_owned();
        let advice = "add pictures in other places, poses and light; else the concept always looks like these";
        return found.push(about(FindingCode::LittleVariety, Severity::Warning, Vec::new(), message, advice));
    }
    if mode != Mode::Style && alike(records) {
        let message = "all pictures have much the same background; it will become part of the concept".to_owned();
        let advice = "add pictures in other places, or say in each caption what the background is";
        found.push(about(FindingCode::LittleVariety, Severity::Warning, Vec::new(), message, advice));
    }
}

fn styles(records: &[&PictureRecord], found: &mut Vec<Finding>) {
    let Some((odd, difference)) = odd_ones(records) else { return };
    let message = format!("the pictures are of different styles: {} of {} {difference}", odd.len(), records.len());
    let advice = "keep one style; make two concepts if both matter";
    found.push(about(FindingCode::MixedStyles, Severity::Warning, names(odd), message, advice));
}

fn captions(records: &[PictureRecord], found: &mut Vec<Finding>) {
    let without: Vec<&PictureRecord> = records.iter().filter(|record| !record.captioned).collect();
    if without.is_empty() {
        return;
    }
    let (severity, message, pictures) = match without.len() == records.len() {
        true => (Severity::Info, "no picture has a caption".to_owned(), Vec::new()),
        false => {
            let message = format!("{} of {} pictures have no caption", without.len(), records.len());
            (Severity::Warning, message, names(without))
        }
    };
    let advice = "let a captioner write them, or write down what is seen beside the concept: what a caption names is \
                  not taken for the concept";
    found.push(about(FindingCode::CaptionsMissing, severity, pictures, message, advice));
}

/// What stands in every caption is learnt as if it were the concept.
fn shared_words(records: &[PictureRecord], words: &[SharedWord], found: &mut Vec<Finding>) {
    let captioned = records.iter().filter(|record| record.captioned).count();
    let mut shared: Vec<&SharedWord> =
        words.iter().filter(|word| captioned >= 4 && word.count * 10 >= captioned * 9).collect();
    shared.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.word.cmp(&b.word)));
    for SharedWord { word, count } in shared {
        let often = if *count >= captioned { "every caption" } else { "nearly every caption" };
        let message = format!("\"{word}\" stands in {often}, so the concept and \"{word}\" are learnt as one");
        let advice = "if it belongs to the concept, leave the word out everywhere; if not, add pictures without it";
        found.push(about(FindingCode::WordInEveryCaption, Severity::Warning, Vec::new(), message, advice));
    }
}
