//! Whether a caption is English.

use crate::lexicon::{self, AUX, CONJ, DET, POSS, PREP, PRON};
use std::{collections::HashSet, sync::LazyLock};

/// Small words of other languages that are no English ones.
const FOREIGN: &str = "ein eine einem einen einer eines der das und mit auf ist im den dem des zum zur steht sitzt vor \
    hinter neben unter trägt frau mann mädchen junge le la les du une dans sur avec et est qui au aux \
    femme homme sous devant un el los las una con y de del en sobre mujer hombre está sentada sentado \
    que il lo gli di che nel della su davanti donna uomo seduta è e uma com na em ao da do mulher homem \
    sentado o os een het van op met zit staat achter vrouw w na z się jest och på är i med den det en \
    ett som sitter za ve bir ile w";

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| FOREIGN.split_whitespace().collect());

/// Whether the text is in another language, of which we know no grammar: small words of others outnumber the English
/// ones, or most letters are not Latin.
pub(crate) fn is_foreign(text: &str) -> bool {
    let text = text.replace("<concept>", " ");
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (count, latin) =
        letters.fold((0usize, 0usize), |(count, latin), c| (count + 1, latin + usize::from(c < '\u{250}')));
    if count > 0 && latin * 2 < count {
        return true;
    }
    let (mut foreign, mut english) = (0, 0);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let key = word.to_lowercase();
        if WORDS.contains(key.as_str()) {
            foreign += 1;
        } else if lexicon::class(&key) & (DET | PREP | CONJ | AUX | PRON | POSS) != 0 {
            english += 1;
        }
    }
    foreign > english && (foreign > 1 || english == 0)
}

/// With a small letter at the beginning, where a small word stands there: "Ein Mann" becomes "ein Mann".
pub(crate) fn small(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let key = first.to_lowercase();
    if WORDS.contains(key.as_str()) { format!("{key}{}", &text[first.len()..]) } else { text.to_owned() }
}
