//! Concepts by their names: the newest, the last version, and which of them a text may name, found without looking at every
//! concept.

use super::{Concept, Store, get};
use crate::Result;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::collections::BTreeSet;

impl Store {
    /// The newest concept of a name.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn concept_named(&self, name: &str) -> Result<Option<Concept>> {
        let connection = self.reader();
        let id: Option<String> = connection
            .query_row(
                // One that came back from the trash is as old as it was.
                "SELECT id FROM concepts WHERE name = ?1 \
                 ORDER BY json_extract(body, '$.view.created_at_ms') DESC, seq DESC LIMIT 1",
                [concept::folded(name)],
                |row| row.get(0),
            )
            .optional()?;
        id.map_or(Ok(None), |id| get(&connection, &id))
    }

    /// The last version of a name among the concepts.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn versions_of(&self, name: &str) -> Result<u64> {
        let sql = "SELECT coalesce(max(json_extract(body, '$.view.version')), 0) FROM concepts WHERE name = ?1";
        Ok(self.reader().query_row(sql, [concept::folded(name)], |row| row.get(0))?)
    }

    /// Whether a job made a concept already.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn concept_of_job(&self, job: &str) -> Result<Option<String>> {
        let sql = "SELECT id FROM concepts WHERE job = ?1";
        Ok(self.reader().query_row(sql, [job], |row| row.get(0)).optional()?)
    }

    /// The newest concept of each name that one of `beginnings` begins with.
    ///
    /// # Errors
    /// If the database refuses.
    pub fn concepts_named_in(&self, beginnings: &[String]) -> Result<Vec<Concept>> {
        let names = names(&self.reader(), beginnings)?;
        let newest = names.iter().map(|name| self.concept_named(name));
        newest.filter_map(Result::transpose).collect()
    }
}

fn names(connection: &Connection, beginnings: &[String]) -> Result<BTreeSet<String>> {
    let mut before =
        connection.prepare_cached("SELECT name FROM concepts WHERE name <= ?1 ORDER BY name DESC LIMIT 1")?;
    let mut found = BTreeSet::new();
    for beginning in beginnings {
        prefixes(&mut before, beginning, &mut found)?;
    }
    Ok(found)
}

/// Adds the names that `text` begins with. The last name that is not behind `text` in the order of the index is either one
/// of them, or shares with the text all that a name among them can be long: a few steps find them all.
fn prefixes(before: &mut CachedStatement, text: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let mut text = text;
    while !text.is_empty() {
        let Some(name) = before.query_row([text], |row| row.get::<_, String>(0)).optional()? else { break };
        let same = name.chars().zip(text.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        let shorter = match name.len() == same {
            true => name.char_indices().next_back().map_or(0, |(last, _)| last),
            false => same,
        };
        if name.len() == same {
            found.insert(name);
        }
        text = &text[..shorter];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str], text: &str) -> Vec<String> {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(include_str!("1.sql")).expect("tables");
        for (number, name) in names.iter().enumerate() {
            let row = (number, concept::folded(name));
            connection.execute("INSERT INTO concepts (id, body, name) VALUES (?1, '', ?2)", row).expect("stored");
        }
        super::names(&connection, &concept::beginnings(text)).expect("found").into_iter().collect()
    }

    #[test]
    fn names_are_found_by_what_the_text_says() {
        let library = ["Anna", "Anna Maria", "An", "Annabel", "anton", "C++", "Ünal", "サンダー", "Teddy", "zorb"];
        for (text, expected) in [
            ("a photo of anna maria", &["an", "anna", "anna maria"][..]),
            ("<ANNA>'s hat", &["an", "anna"]),
            ("ANNABEL", &["an", "anna", "annabel"]),
            ("(antonia:1.2)", &["an", "anton"]),
            ("banna", &[]),
            ("the c++ logo by u\u{308}nal", &["c++", "ünal"]),
            ("xサンダー", &["サンダー"]),
            ("three teddies", &["teddy"]),
            ("zor", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(&library, text), expected, "{text}");
        }
        assert!(found(&[], "anna").is_empty());
    }
}
