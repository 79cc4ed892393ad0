//! What differs between systems: private files, folders for data, free room, processes.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use sysinfo::{Disks, Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The user's own folder.
pub fn user_folder() -> PathBuf {
    variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).unwrap_or_else(|| PathBuf::from("."))
}

/// Where programs of this user keep data.
pub fn data_folder() -> PathBuf {
    if cfg!(windows) {
        variable("LOCALAPPDATA").unwrap_or_else(|| user_folder().join("AppData/Local"))
    } else if cfg!(target_os = "macos") {
        user_folder().join("Library/Application Support")
    } else {
        variable("XDG_DATA_HOME").unwrap_or_else(|| user_folder().join(".local/share"))
    }
}

/// Where programs of this user keep settings.
pub fn settings_folder() -> PathBuf {
    if cfg!(windows) {
        variable("APPDATA").unwrap_or_else(|| user_folder().join("AppData/Roaming"))
    } else if cfg!(target_os = "macos") {
        user_folder().join("Library/Application Support")
    } else {
        variable("XDG_CONFIG_HOME").unwrap_or_else(|| user_folder().join(".config"))
    }
}

/// Folders in which people unpack programs that have no installer.
pub fn places_of_programs() -> Vec<PathBuf> {
    let home = user_folder();
    let mut places = vec![home.clone()];
    let usual = ["Desktop", "Documents", "Downloads", "AI", "ai", "apps", "git", "src", "pinokio/api"];
    places.extend(usual.map(|name| home.join(name)));
    places.push(settings_folder().join("StabilityMatrix/Packages"));
    places.push(home.join("StabilityMatrix/Packages"));
    if cfg!(windows) {
        let disks = Disks::new_with_refreshed_list();
        for disk in disks.iter().map(|disk| disk.mount_point().to_owned()) {
            places.extend(["AI", "StabilityMatrix/Data/Packages", "pinokio/api"].map(|name| disk.join(name)));
            places.push(disk);
        }
    } else {
        places.push("/opt".into());
    }
    places
}

/// The arguments of every process that this user may see, and the folder that it works in.
pub fn processes() -> Vec<(Vec<String>, Option<PathBuf>)> {
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).with_cwd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, kind);
    let process = |process: &sysinfo::Process| {
        let arguments = process.cmd().iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
        (arguments, process.cwd().map(Path::to_owned))
    };
    system.processes().values().filter(|process| process.thread_kind().is_none()).map(process).collect()
}

/// Makes a folder that only this user can enter. (On Windows a folder in the user's profile is so by inheritance.)
///
/// # Errors
/// If the disk refuses.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that only this user can read; never readable by others in between.
///
/// # Errors
/// If the disk refuses.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("part");
    let _ = fs::remove_file(&temporary);
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    #[cfg(windows)]
    restrict(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)
}

/// Leaves only this user in the file's access list.
#[cfg(windows)]
fn restrict(path: &Path) -> io::Result<()> {
    let user = std::env::var("USERNAME").map_err(io::Error::other)?;
    let grant = format!("{user}:F");
    let output =
        std::process::Command::new("icacls").arg(path).args(["/inheritance:r", "/grant:r", &grant]).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("icacls: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(())
}

/// Bytes that are free on the disk of `path`.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let path = fs::canonicalize(path).ok()?;
    let disks = Disks::new_with_refreshed_list();
    let holding = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
    holding.max_by_key(|disk| disk.mount_point().as_os_str().len()).map(sysinfo::Disk::available_space)
}

/// Bytes of memory in this machine.
pub fn memory_bytes() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    system.total_memory()
}

/// Bytes of memory that this process holds.
pub fn own_memory_bytes() -> u64 {
    // Pages of a mapped checkpoint can be had again from the disk: they do not count.
    #[cfg(target_os = "linux")]
    if let Ok(status) = fs::read_to_string("/proc/self/status")
        && let Some(line) = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))
        && let Ok(kib) = line.trim().trim_end_matches(" kB").parse::<u64>()
    {
        return kib << 10;
    }
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new();
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        false,
        ProcessRefreshKind::nothing().with_memory(),
    );
    system.process(pid).map_or(0, sysinfo::Process::memory)
}

/// Ends the process `pid` if it is the one that was started with `identity` among its arguments; a number alone may
/// belong to another process by now. Returns whether it was there.
pub fn end_process(pid: u32, identity: &str) -> bool {
    let pid = Pid::from_u32(pid);
    let mut system = System::new();
    let mut find = || {
        let kind = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
        let wanted = OsString::from(identity);
        system.process(pid).is_some_and(|process| process.cmd().contains(&wanted) && process.kill())
    };
    let there = find();
    while there && find() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_disk_are_known() {
        assert!(memory_bytes() > 1 << 28 && own_memory_bytes() > 1 << 18);
        assert!(free_bytes(Path::new(".")).is_some_and(|free| free > 0));
        assert!(!end_process(std::process::id(), "no such argument"), "another process is left alone");
    }
}
