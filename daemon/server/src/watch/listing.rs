//! What lies in a watched folder, by names, sizes and times alone: which data sets there are, which files count.

use protocol::Mode;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// What a data set may say about itself.
pub const SETTINGS: &str = "concept.toml";
/// What our own files begin with while they are written.
pub const OURS: &str = ".conceptd-";
/// Endings of files that browsers, copiers and clouds have not finished.
const UNFINISHED: [&str; 13] = [
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".opdownload",
    ".download",
    ".aria2",
    ".!ut",
    ".!qb",
    ".tmp",
    ".temp",
    ".drivedownload",
    "~",
];

/// Folders that systems and network drives keep for themselves; Synology's hold small copies of every picture.
const FOREIGN: [&str; 6] =
    ["__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"];

/// A data set of a watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its path inside the watched folder, with `/` on every system.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it is one file.
    pub archive: bool,
}

/// A file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its path inside the data set.
    pub inside: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was changed, in nanoseconds since 1970.
    changed: u128,
}

/// The files of a data set at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The files that count, in order.
    pub files: Vec<Seen>,
    /// A file that somebody has not finished.
    pub unfinished: Option<String>,
}

/// Whether a name is that of a file which is still being written.
pub fn is_unfinished(name: &str) -> bool {
    let lower = name.to_lowercase();
    if lower.starts_with(OURS) {
        return false;
    }
    // rsync, Nextcloud and editors: `.a.png.Xq3Zp1`.
    let hidden = lower.strip_prefix('.').and_then(|rest| rest.rsplit_once('.'));
    UNFINISHED.iter().any(|ending| lower.ends_with(ending))
        || lower.starts_with("~syncthing~")
        || lower.starts_with(".syncthing.")
        || hidden.is_some_and(|(name, _)| concept::may_belong(name))
}

/// Whether a name is none of the user's own.
fn is_foreign(name: &str) -> bool {
    name.starts_with('.') || FOREIGN.contains(&name.to_lowercase().as_str())
}

/// The mode that a folder called so gives to the data sets in it.
pub fn mode_folder(name: &str) -> Option<Mode> {
    [Mode::Face, Mode::Object, Mode::Style].into_iter().find(|mode| mode.name().eq_ignore_ascii_case(name))
}

/// The data sets in a watched folder, and pictures that lie where none counts.
///
/// # Errors
/// If the folder cannot be read.
pub fn sets(root: &Path) -> io::Result<(Vec<Set>, Vec<String>)> {
    let (mut sets, mut loose) = (Vec::new(), Vec::new());
    sets_in(root, "", &mut sets, &mut loose)?;
    sets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((sets, loose))
}

fn sets_in(folder: &Path, prefix: &str, sets: &mut Vec<Set>, loose: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let short = entry.file_name().to_string_lossy().into_owned();
        if is_foreign(&short) || is_unfinished(&short) {
            continue;
        }
        let (name, path) = (format!("{prefix}{short}"), entry.path());
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && prefix.is_empty() && mode_folder(&short).is_some() {
            sets_in(&path, &format!("{short}/"), sets, loose)?;
        } else if kind.is_dir() {
            sets.push(Set { name, path, archive: false });
        } else if kind.is_file() && crate::intake::is_archive(&short) {
            sets.push(Set { name, path, archive: true });
        } else if kind.is_file() && is_picture(&short) {
            loose.push(name);
        }
    }
    Ok(())
}

fn is_picture(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default().to_lowercase();
    concept::may_belong(name) && !matches!(ending.as_str(), "txt" | "caption")
}

impl Set {
    /// Its files as they are now. Links that lead out of `root`, the watched folder with links followed, are passed over.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list(&self, root: &Path) -> io::Result<Listing> {
        let mut listing = Listing::default();
        if self.archive {
            let metadata = fs::metadata(&self.path)?;
            let inside = PathBuf::from(self.path.file_name().unwrap_or_default());
            let name = inside.to_string_lossy().into_owned();
            listing.files.push(Seen::new(inside, &metadata));
            // Firefox keeps an empty file of the final name beside the one that it fills.
            for entry in fs::read_dir(self.path.parent().unwrap_or(root))?.filter_map(Result::ok) {
                let beside = entry.file_name().to_string_lossy().into_owned();
                if beside != name && beside.trim_start_matches('.').starts_with(&name) && is_unfinished(&beside) {
                    listing.unfinished = Some(beside);
                }
            }
        } else {
            walk(&self.path, Path::new(""), root, &mut listing)?;
            listing.files.sort_by(|a, b| a.inside.cmp(&b.inside));
        }
        Ok(listing)
    }
}

fn walk(folder: &Path, prefix: &Path, root: &Path, listing: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_unfinished(&name) {
            listing.unfinished = Some(prefix.join(&name).to_string_lossy().into_owned());
            continue;
        }
        let (path, inside) = (entry.path(), prefix.join(entry.file_name()));
        let kind = entry.file_type()?;
        let counts = concept::may_belong(&name) || (prefix.as_os_str().is_empty() && name == SETTINGS);
        if is_foreign(&name) || (kind.is_file() && !counts) {
            continue;
        }
        if kind.is_dir() {
            walk(&path, &inside, root, listing)?;
        } else if kind.is_symlink() && !(counts && fs::canonicalize(&path).is_ok_and(|real| real.starts_with(root))) {
            continue;
        } else {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => listing.files.push(Seen::new(inside, &metadata)),
                // Links to folders may lead in circles.
                Ok(_) => {}
                // It went away just now; the next look sees that.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

impl Seen {
    fn new(inside: PathBuf, metadata: &fs::Metadata) -> Self {
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self { inside, bytes: metadata.len(), changed: changed.map_or(0, |since| since.as_nanos()) }
    }

    /// Its path inside the data set, with `/` on every system.
    pub fn name(&self) -> String {
        let parts = self.inside.components().map(|part| part.as_os_str().to_string_lossy());
        parts.collect::<Vec<_>>().join("/")
    }
}

impl Listing {
    /// Changes when a file comes, goes, or changes its size or time.
    pub fn stamp(&self) -> String {
        let mut hasher = Sha256::new();
        for file in &self.files {
            hasher.update(format!("{}\0{}\0{}\n", file.name(), file.bytes, file.changed));
        }
        concept::hex(&hasher.finalize())
    }

    /// Whether there is anything to learn from.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.name() == SETTINGS)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sets: &[Set]) -> Vec<(&str, bool)> {
        sets.iter().map(|set| (set.name.as_str(), set.archive)).collect()
    }

    fn put(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "x").expect("written");
        }
    }

    #[test]
    fn names_of_unfinished_files_are_known() {
        for name in [
            "a.png.part",
            "A.ZIP.CRDOWNLOAD",
            "a.txt~",
            "x.tmp",
            ".syncthing.a.png.tmp",
            "~syncthing~a.png",
            ".a.png.Xq3Zp1",
        ] {
            assert!(is_unfinished(name), "{name}");
        }
        for name in ["a.png", ".DS_Store", "._a.png", ".conceptd-RESULT.md.part", "partial.png", "RESULT.md", ".hidden"]
        {
            assert!(!is_unfinished(name), "{name}");
        }
    }

    #[test]
    fn data_sets_are_folders_and_archives_also_in_folders_of_a_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        put(root, &["xander/1.png", "Style/ink/1.png", "face/ann.zip", "fox.tar.gz", ".stfolder/a.png", "b.zip.part"]);
        put(
            root,
            &[
                "@eaDir/a.png",
                "loose.jpg",
                "notes.txt",
                "fox-RESULT.md",
                "fox-RESULT.preview.png",
                "deep/style/x/1.png",
            ],
        );
        let (sets, loose) = sets(root).expect("read");
        let expected =
            [("Style/ink", false), ("deep", false), ("face/ann.zip", true), ("fox.tar.gz", true), ("xander", false)];
        assert_eq!((names(&sets), loose), (expected.to_vec(), vec!["loose.jpg".to_owned()]));
    }

    #[test]
    fn a_listing_holds_what_counts_and_changes_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("real");
        let set = Set { name: "fox".into(), path: root.join("fox"), archive: false };
        put(&set.path, &["b.png", "10_x/a.png", "a.txt", "concept.toml", "10_x/concept.toml"]);
        let before = set.list(&root).expect("listed");
        let names: Vec<String> = before.files.iter().map(Seen::name).collect();
        assert_eq!(names, ["10_x/a.png", "a.txt", "b.png", "concept.toml"]);
        assert!(!before.is_empty() && before.unfinished.is_none());
        // Ours, hidden and foreign files change nothing.
        put(
            &set.path,
            &[
                "@eaDir/b.png/SYNOPHOTO_THUMB_M.jpg",
                "RESULT.md",
                "ERROR.md",
                "RESULT.preview.png",
                ".conceptd-x",
                ".DS_Store",
                "notes.docx",
            ],
        );
        assert_eq!(set.list(&root).expect("listed").stamp(), before.stamp());
        fs::write(set.path.join("b.png"), "longer").expect("written");
        assert_ne!(set.list(&root).expect("listed").stamp(), before.stamp());
        put(&set.path, &["c.png.part"]);
        assert_eq!(set.list(&root).expect("listed").unfinished.as_deref(), Some("c.png.part"));
        fs::remove_dir_all(&set.path).expect("removed");
        put(&set.path, &["concept.toml"]);
        assert!(set.list(&root).expect("listed").is_empty());
    }

    #[test]
    fn an_archive_waits_for_what_is_downloaded_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        put(root, &["a.zip", "a.zip.part", "b.zip"]);
        let list = |name: &str| {
            let set = Set { name: name.into(), path: root.join(name), archive: true };
            set.list(root).expect("listed").unfinished
        };
        assert_eq!((list("a.zip").as_deref(), list("b.zip")), (Some("a.zip.part"), None));
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_out_are_passed_over() {
        use std::os::unix::fs::symlink;
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another"));
        let root = fs::canonicalize(folder.path()).expect("real");
        put(&root, &["fox/a.png"]);
        put(other.path(), &["b.png"]);
        symlink(other.path().join("b.png"), root.join("fox/b.png")).expect("linked");
        symlink(root.join("fox/a.png"), root.join("fox/c.png")).expect("linked");
        symlink(&root, root.join("fox/circle")).expect("linked");
        let set = Set { name: "fox".into(), path: root.join("fox"), archive: false };
        let names: Vec<String> = set.list(&root).expect("listed").files.iter().map(Seen::name).collect();
        assert_eq!(names, ["a.png", "c.png"]);
    }
}
