//! Names of concepts as names of files.

use crate::{Error, Result, RunFolder};
use std::path::Path;

/// Names that Windows keeps for devices.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// `[a-z0-9][a-z0-9_-]*`, not all digits: what every host and file system takes. Accents are dropped, anything else
/// becomes an underscore; a name of nothing but such becomes `concept`.
///
/// # Errors
/// If the name is empty, too long, or holds control characters or path separators.
pub fn safe_name(name: &str) -> Result<String> {
    let trimmed = name.trim();
    if trimmed.is_empty() {
        return Err(Error::Invalid("the name is empty; give the concept a name such as `Xander`".into()));
    }
    if trimmed.chars().count() > 100 {
        return Err(Error::Invalid("the name is longer than 100 characters; give a shorter one".into()));
    }
    // Marks that turn the direction of writing show another name than there is.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if trimmed.chars().any(|c| c.is_control() || turns(c) || matches!(c, '/' | '\\')) || trimmed == ".." {
        return Err(Error::Invalid(format!(
            "the name `{}` is a path or holds control characters; give a plain name",
            trimmed.escape_debug()
        )));
    }
    let mut safe = String::new();
    for c in trimmed.chars().flat_map(char::to_lowercase) {
        match plain(c) {
            Some(text) => safe.push_str(text),
            None if c.is_ascii_alphanumeric() || c == '-' => safe.push(c),
            None if !safe.ends_with('_') => safe.push('_'),
            None => {}
        }
    }
    let safe = safe.trim_matches(|c| c == '_' || c == '-');
    Ok(if safe.is_empty() {
        "concept".into()
    } else if safe.bytes().all(|b| b.is_ascii_digit()) || RESERVED.contains(&safe) {
        format!("concept_{safe}")
    } else {
        safe.into()
    })
}

/// The plain spelling of a common accented letter.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' => "ae",
        'ö' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' => "o",
        'ù' | 'ú' | 'û' => "u",
        'ý' | 'ÿ' => "y",
        'ł' => "l",
        'š' => "s",
        'ž' => "z",
        _ => return None,
    })
}

/// The first of `stem`, `stem-v2`, `stem-v3`, ... of which `folder` holds neither result nor run. Hosts keep stale weights
/// of a file that is replaced, so every training gets a new name.
pub fn free_name(folder: &Path, stem: &str) -> String {
    let taken = |stem: &str| {
        let run = RunFolder::of(folder, stem);
        folder.join(format!("{stem}.tar")).exists() || run.begun() || run.exists()
    };
    if !taken(stem) {
        return stem.to_owned();
    }
    (2..).map(|n| format!("{stem}-v{n}")).find(|stem| !taken(stem)).unwrap_or_else(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_files_that_every_host_takes() {
        for (name, safe) in [
            ("Xander", "xander"),
            ("Ünal Müller", "uenal_mueller"),
            ("  my  cat!! ", "my_cat"),
            ("🦊", "concept"),
            ("1234", "concept_1234"),
            ("CON", "concept_con"),
            ("a-b_c", "a-b_c"),
            ("日本", "concept"),
        ] {
            assert_eq!(safe_name(name).expect(name), safe);
        }
        for bad in ["", "   ", "xan\u{202e}der", "../x", "a\\b", "..", "a\nb", &"x".repeat(101)] {
            assert!(safe_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_taken_name_gets_a_version() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(free_name(folder.path(), "fox"), "fox");
        std::fs::write(folder.path().join("fox.tar"), "").expect("written");
        let run = RunFolder::of(folder.path(), "fox-v2");
        assert_eq!(free_name(folder.path(), "fox"), "fox-v2");
        run.write_description(&serde_json::json!({})).expect("begun");
        assert_eq!(free_name(folder.path(), "fox"), "fox-v3");
    }
}
