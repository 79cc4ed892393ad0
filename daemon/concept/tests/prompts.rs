//! Prompts against the table that the Python mirror is held to as well, and what must hold of any prompt.

use concept::{Called, expand};
use protocol::{ApplyConcept, Mode, PromptTarget, PromptView};
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

const HOSTS: [PromptTarget; 2] = [PromptTarget::Comfyui, PromptTarget::A1111];

#[derive(Deserialize)]
struct Table {
    concepts: BTreeMap<String, Sidecar>,
    groups: Vec<Group>,
}

/// A concept as its installed files describe it.
#[derive(Deserialize)]
struct Sidecar {
    id: String,
    name: String,
    mode: Mode,
    stem: String,
    tokens: usize,
    bare_name: bool,
    strength: f64,
}

#[derive(Deserialize)]
struct Group {
    about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    chosen: bool,
    concepts: Vec<String>,
    comfyui: String,
    a1111: String,
    loras: BTreeMap<String, f64>,
    called: Vec<String>,
}

impl Table {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/prompts/cases.json");
        serde_json::from_slice(&std::fs::read(path).expect("the table")).expect("a table")
    }

    fn concepts<'a>(&self, ids: impl IntoIterator<Item = &'a String>) -> Vec<Called> {
        let called = |id: &String| {
            let Sidecar { id, name, mode, stem, tokens, bare_name, strength } = &self.concepts[id];
            let (id, name, stem) = (id.clone(), name.clone(), stem.clone());
            Called { id, name, stem, mode: *mode, tokens: *tokens, bare_name: *bare_name, strength: *strength }
        };
        ids.into_iter().map(called).collect()
    }
}

#[test]
fn every_case_of_the_table_holds_and_expands_to_itself() {
    let table = Table::read();
    let mut failures = String::new();
    let mut count = 0;
    for Group { about, cases } in &table.groups {
        for case in cases {
            count += 1;
            let concepts = table.concepts(&case.concepts);
            for host in HOSTS {
                let PromptView { text, loras, called } = expand(&case.text, host, &concepts, case.chosen);
                let (wanted, files) = match host {
                    PromptTarget::Comfyui => (&case.comfyui, case.loras.clone()),
                    PromptTarget::A1111 => (&case.a1111, BTreeMap::new()),
                };
                let loaded: BTreeMap<_, _> =
                    loras.into_iter().map(|ApplyConcept { concept, strength, .. }| (concept, strength)).collect();
                let again = expand(&text, host, &concepts, case.chosen).text;
                if (&text, &loaded, &called, &again) != (wanted, &files, &case.called, &text) {
                    failures += &format!(
                        "{about}, {host:?}\n  {:?}\n  wanted {wanted:?} {files:?} {:?}\n  got    {text:?} {loaded:?} {called:?}\n  again  {again:?}\n",
                        case.text, case.called
                    );
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(count >= 170, "only {count} cases were read");
}

/// What prompts are made of here: everything that hosts, extensions and this program give a meaning.
fn pieces() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/prompts/pieces.json");
    serde_json::from_slice(&std::fs::read(path).expect("the pieces")).expect("a list")
}

/// A small generator of numbers (SplitMix64), so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn text(&mut self, pieces: &[String]) -> String {
        let count = self.below(14);
        (0..count).map(|_| pieces[self.below(pieces.len())].as_str()).collect()
    }
}

#[test]
fn any_prompt_expands_to_what_expands_to_itself() {
    let (table, pieces) = (Table::read(), pieces());
    let ids: Vec<&String> = table.concepts.keys().collect();
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let text = random.text(&pieces);
        let mut drawn: Vec<&String> = (0..random.below(5)).map(|_| ids[random.below(ids.len())]).collect();
        drawn.sort();
        drawn.dedup();
        let concepts = table.concepts(drawn);
        for host in HOSTS {
            for chosen in [true, false] {
                let once = expand(&text, host, &concepts, chosen);
                let twice = expand(&once.text, host, &concepts, chosen);
                assert_eq!(once.text, twice.text, "seed {seed}, {host:?}, chosen: {chosen}, {text:?}");
            }
        }
    }
}

/// Text with every call, tag of ours, phrase and space taken out.
fn prose(text: &str, concepts: &[Called]) -> String {
    let mut text = text.to_owned();
    for Called { stem, strength, .. } in concepts {
        text = text.replace(&format!("<lora:{stem}_lora:{strength}>"), "");
        text = text.replace(&format!("embedding:{stem}_embeddings"), "").replace(&format!("{stem}_embeddings"), "");
    }
    text.replace(' ', "")
}

#[test]
fn what_calls_nobody_stays_byte_for_byte() {
    let (table, pieces) = (Table::read(), pieces());
    let concepts = table.concepts(&["xander".to_owned(), "anna".to_owned()]);
    // None of these can become part of a name by standing beside another.
    let bystanders: Vec<&String> = pieces.iter().filter(|piece| !piece.to_lowercase().contains("an")).collect();
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut text = String::new();
        let mut kept = String::new();
        for _ in 0..random.below(10) {
            if random.below(4) == 0 {
                text += [" <Xander> ", " <anna> "][random.below(2)];
            } else {
                let piece = bystanders[random.below(bystanders.len())];
                text += piece;
                kept += piece;
            }
        }
        for host in HOSTS {
            let view = expand(&text, host, &concepts, false);
            // What a tag, a comment or a reference swallowed stays as it was typed.
            let made = prose(&view.text, &concepts).replace("<Xander>", "").replace("<anna>", "").replace('\n', "");
            assert_eq!(made, kept.replace([' ', '\n'], ""), "seed {seed}, {host:?}, {text:?}");
        }
        assert_eq!(expand(&text, HOSTS[0], &[], false).text, text);
        assert_eq!(expand(&text, HOSTS[1], &[], true).text, text);
    }
}
