//! What the operating system knows about this process: peak memory and processor time.

/// Peak resident memory in bytes and processor time in seconds, user and system together.
pub struct Usage {
    pub peak_bytes: u64,
    pub cpu_seconds: f64,
}

#[cfg(unix)]
pub fn usage() -> std::io::Result<Usage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: getrusage fills the structure that it is given.
    let usage = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    // Linux counts kilobytes, macOS bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    Ok(Usage {
        peak_bytes: usage.ru_maxrss as u64 * unit,
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
    })
}

#[cfg(windows)]
pub fn usage() -> std::io::Result<Usage> {
    use windows_sys::Win32::{
        Foundation::FILETIME,
        System::{
            ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS},
            Threading::{GetCurrentProcess, GetProcessTimes},
        },
    };
    let mut memory = PROCESS_MEMORY_COUNTERS::default();
    memory.cb = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut created, mut exited, mut kernel, mut user) = (zero, zero, zero, zero);
    // SAFETY: both calls fill structures of the sizes that they are told.
    let good = unsafe {
        let process = GetCurrentProcess();
        K32GetProcessMemoryInfo(process, &mut memory, memory.cb) != 0
            && GetProcessTimes(process, &mut created, &mut exited, &mut kernel, &mut user) != 0
    };
    if !good {
        return Err(std::io::Error::last_os_error());
    }
    let seconds = |t: FILETIME| ((u64::from(t.dwHighDateTime) << 32) | u64::from(t.dwLowDateTime)) as f64 * 1e-7;
    Ok(Usage { peak_bytes: memory.PeakWorkingSetSize as u64, cpu_seconds: seconds(kernel) + seconds(user) })
}
