//! Which files of what the user named go to the daemon, and what they are called there.

use crate::{Failure, client::Form, usage};
use anyhow::anyhow;
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

/// A file and what it is called in the data set.
type Named = (String, PathBuf);

/// A form with everything below the given paths that a data set may use.
pub fn form(paths: &[PathBuf]) -> Result<Form, Failure> {
    let files = files(paths)?;
    if files.is_empty() {
        return Err(usage(anyhow!("there are no pictures, zip or tar archives among what you gave")));
    }
    let mut form = Form::new();
    for (name, path) in files {
        // Found out here, it costs no upload.
        let name = server::safe_path(&name).map_err(|reason| usage(anyhow!("{reason}, or add --local")))?;
        form = form.file("files", &name, path);
    }
    Ok(form)
}

fn files(paths: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    let (mut files, mut taken) = (Vec::new(), HashSet::new());
    for path in paths {
        let unreadable = |error: io::Error| usage(anyhow!("{}: {error}", path.display()));
        let whole = fs::canonicalize(path).map_err(unreadable)?;
        let name = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if whole.is_dir() {
            // Alone, its pictures are called as in itself; `10_fox` counts ten times by its name.
            let counts = name.split_once('_').is_some_and(|(count, _)| count.parse::<usize>().is_ok());
            let prefix =
                if paths.len() == 1 && !counts { String::new() } else { format!("{}/", free(&name, &mut taken)) };
            below(&whole, &prefix, &mut files).map_err(unreadable)?;
            continue;
        }
        // What lies beside a picture belongs to it. All of them go under one free stem.
        let (stem, ending) = name.rsplit_once('.').map_or((name.as_str(), ""), |(stem, ending)| (stem, ending));
        let stem_there = free(stem, &mut taken);
        files.push((format!("{stem_there}.{ending}"), whole.clone()));
        let archive =
            concept::may_belong(&name) && matches!(ending.to_lowercase().as_str(), "zip" | "tar" | "gz" | "tgz");
        for beside in ["txt", "caption", "mask.png"].into_iter().filter(|beside| !archive && *beside != ending) {
            let path = whole.with_file_name(format!("{stem}.{beside}"));
            // Given by name too, it comes once.
            if path.is_file() && !paths.iter().any(|given| fs::canonicalize(given).is_ok_and(|given| given == path)) {
                files.push((format!("{stem_there}.{beside}"), path));
            }
        }
    }
    Ok(files)
}

/// The files below a folder. Links to folders are not followed: they may lead in circles.
fn below(folder: &Path, prefix: &str, files: &mut Vec<Named>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            below(&entry.path(), &format!("{name}/"), files)?;
        } else if entry.path().is_file() && concept::may_belong(&name) {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

/// A name that no other has, in any case of letters.
fn free(name: &str, taken: &mut HashSet<String>) -> String {
    let candidates = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-{n}")));
    let mut free = candidates.skip_while(|candidate| !taken.insert(candidate.to_lowercase()));
    free.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Vec<String> {
        let Ok(files) = files(paths) else { panic!("they can be read") };
        files.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_those_that_a_local_training_sees() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, "x").expect("written");
            path
        };
        let (one, _) = (put("a/1.png"), put("a/1.txt"));
        put("a/.hidden/2.png");
        put("a/notes.doc");
        put("a/5_fox/3.jpg");
        put("b/1.png");
        let at = |name: &str| folder.path().join(name);
        assert_eq!(names(&[at("a")]), ["1.png", "1.txt", "5_fox/3.jpg"]);
        assert_eq!(names(&[at("a/5_fox")]), ["5_fox/3.jpg"]);
        assert_eq!(names(&[at("b"), at("a/5_fox")]), ["b/1.png", "5_fox/3.jpg"]);
        assert_eq!(names(&[one, at("b/1.png")]), ["1.png", "1.txt", "1-2.png"]);
        assert!(files(&[at("gone")]).is_err());
    }
}
