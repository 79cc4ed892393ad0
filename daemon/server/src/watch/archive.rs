//! A look into a zip or tar file of a watched folder: whether it is whole, and what it says about itself.

use super::listing::SETTINGS;
use flate2::read::GzDecoder;
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Bytes of a `concept.toml`, at most.
pub const SETTINGS_BYTES: u64 = 64 << 10;

/// The `concept.toml` of an archive that is whole, if it has one: at its top, or in its only folder.
///
/// # Errors
/// Why it is not whole, for people.
pub fn settings(path: &Path) -> Result<Option<String>, String> {
    let lower = path.to_string_lossy().to_lowercase();
    let looked = if lower.ends_with(".zip") {
        zip_settings(path)
    } else if lower.ends_with(".tar") {
        tar_settings(path)
    } else {
        packed_settings(path)
    };
    looked.map_err(|error| {
        format!(
            "the archive is not whole ({error}). If it is still being copied, there is nothing to do: it is looked at \
             again when it changes. Else pack it again"
        )
    })
}

fn zip_settings(path: &Path) -> io::Result<Option<String>> {
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
    // A file whose room was reserved first may end with an empty directory.
    if archive.is_empty() {
        return Err(io::Error::other("it holds no files"));
    }
    let named =
        |&index: &usize| archive.name_for_index(index).is_some_and(|name| name.is_ok_and(|name| is_settings(&name)));
    let named = (0..archive.len()).find(named);
    match named {
        None => Ok(None),
        Some(index) => read_settings(archive.by_index(index).map_err(io::Error::other)?).map(Some),
    }
}

fn packed_settings(path: &Path) -> io::Result<Option<String>> {
    let mut unpacked = GzDecoder::new(BufReader::new(File::open(path)?));
    let (settings, _) = members(tar::Archive::new(&mut unpacked).entries()?)?;
    // The digest at the end is that of everything.
    io::copy(&mut unpacked, &mut io::sink())?;
    Ok(settings)
}

/// A tar is written from front to back: only its end says that nothing is missing.
fn tar_settings(path: &Path) -> io::Result<Option<String>> {
    const END: usize = 512;
    let mut file = BufReader::new(File::open(path)?);
    let (settings, end) = members(tar::Archive::new(&mut file).entries_with_seek()?)?;
    let mut mark = [1; END];
    file.seek(SeekFrom::Start(end))?;
    match file.read_exact(&mut mark) {
        Ok(()) if mark == [0; END] => Ok(settings),
        _ => Err(io::Error::other("its end is missing")),
    }
}

/// The settings among the members, and where the last member ends.
fn members<R: Read>(entries: tar::Entries<'_, R>) -> io::Result<(Option<String>, u64)> {
    let (mut settings, mut end) = (None, 0);
    for entry in entries {
        let mut entry = entry?;
        end = entry.raw_file_position() + entry.size().next_multiple_of(512);
        if is_settings(&entry.path()?.to_string_lossy()) {
            settings = Some(read_settings(&mut entry)?);
        }
    }
    Ok((settings, end))
}

fn is_settings(name: &str) -> bool {
    let name = name.replace('\\', "/");
    let name = name.trim_start_matches("./");
    name == SETTINGS || name.strip_suffix(SETTINGS).is_some_and(|folder| folder.find('/') == Some(folder.len() - 1))
}

/// The text of a `concept.toml`.
///
/// # Errors
/// If it cannot be read, or is longer than anybody can mean.
pub fn read_settings(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(SETTINGS_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SETTINGS_BYTES {
        return Err(io::Error::other(format!("{SETTINGS} is longer than {SETTINGS_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    const TOML: &str = "name = \"Fox\"\n";

    fn zip(path: &Path, names: &[&str]) {
        let mut archive = zip::ZipWriter::new(File::create(path).expect("a file"));
        for name in names {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("begun");
            archive.write_all(TOML.as_bytes()).expect("written");
        }
        archive.finish().expect("finished");
    }

    fn tar(to: impl Write, names: &[&str]) {
        let mut archive = tar::Builder::new(to);
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(TOML.len() as u64);
            header.set_cksum();
            archive.append_data(&mut header, name, TOML.as_bytes()).expect("added");
        }
        archive.into_inner().expect("finished");
    }

    #[test]
    fn settings_are_found_at_the_top_or_in_the_only_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (names, found) in [
            (&["a.png", "concept.toml"][..], true),
            (&["fox/concept.toml"][..], true),
            (&["fox/deep/concept.toml", "my-concept.toml"][..], false),
        ] {
            zip(&path("a.zip"), names);
            tar(File::create(path("a.tar")).expect("a file"), names);
            let packed = flate2::write::GzEncoder::new(
                File::create(path("a.tgz")).expect("a file"),
                flate2::Compression::fast(),
            );
            tar(packed, names);
            for name in ["a.zip", "a.tar", "a.tgz"] {
                let settings = settings(&path(name)).expect(name);
                assert_eq!(settings.as_deref(), found.then_some(TOML), "{name} {names:?}");
            }
        }
    }

    #[test]
    fn an_archive_that_ends_anywhere_too_early_is_not_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        zip(&path("a.zip"), &["a.png", "b.png"]);
        tar(File::create(path("a.tar")).expect("a file"), &["a.png", "b.png"]);
        let file = File::create(path("a.tar.gz")).expect("a file");
        tar(flate2::write::GzEncoder::new(file, flate2::Compression::fast()), &["a.png", "b.png"]);
        // A tar ends with two empty blocks, of which the first is enough.
        for (name, enough) in [("a.zip", 0), ("a.tar", 512), ("a.tar.gz", 0)] {
            let whole = fs::read(path(name)).expect("read");
            settings(&path(name)).expect(name);
            for end in 0..whole.len() - enough {
                fs::write(path(name), &whole[..end]).expect("written");
                assert!(settings(&path(name)).is_err(), "{name} of {end} of {} bytes", whole.len());
                // Some copiers reserve the room first.
                let mut reserved = whole[..end].to_vec();
                reserved.resize(whole.len(), 0);
                fs::write(path(name), &reserved).expect("written");
                let nothing_is_missing = match name {
                    // Behind the directory comes only what says where it begins.
                    "a.zip" => zip::ZipArchive::new(File::open(path(name)).expect("there")).is_ok_and(|a| a.len() == 2),
                    // Its end is nothing but empty.
                    "a.tar" => true,
                    _ => whole[end..].iter().all(|&byte| byte == 0),
                };
                assert!(nothing_is_missing || settings(&path(name)).is_err(), "{name} filled from {end}");
            }
        }
    }
}
