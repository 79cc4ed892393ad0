//! Whether port, disk, memory, processor and graphics card are up to the work.

use crate::table::size;
use kernels::cuda::{self, Description};
use protocol::{Check, Device};
use server::{Beacon, Config, Home, platform};
use std::{net::TcpListener, path::PathBuf, sync::mpsc::channel, thread, time::Duration};

/// What a graphics driver may take to say its name; a broken one never does.
const DRIVER: Duration = Duration::from_secs(10);
/// Below this a run cannot keep its snapshots.
const LEAST_DISK: u64 = 1_000_000_000;
/// Below this a checkpoint more does not fit.
const LITTLE_DISK: u64 = 10_000_000_000;
/// What training on XL takes with frozen weights of half the size.
const MEMORY_OF_XL: u64 = 9_000_000_000;
/// What training on 1.5 takes.
const MEMORY_OF_15: u64 = 4_500_000_000;

/// The port: free, or held by the daemon of this home.
pub fn port(config: &Config, running: Option<&Beacon>) -> Check {
    const NAME: &str = "port";
    if let Some(Beacon { url, version, pid, .. }) = running {
        if version != env!("CARGO_PKG_VERSION") {
            let found = format!("conceptd {version} runs on {url}, this is {}", env!("CARGO_PKG_VERSION"));
            return Check::warn(NAME, found, "start the daemon again");
        }
        return Check::ok(NAME, format!("the daemon of this home runs on {url} (process {pid})"));
    }
    match TcpListener::bind((config.address, config.port)) {
        Ok(_) if config.port == 0 => Check::ok(NAME, "any that is free"),
        Ok(_) => Check::ok(NAME, format!("{} is free; no daemon runs", config.port)),
        Err(error) => Check::fail(
            NAME,
            format!("{}:{} cannot be listened on: {error}", config.address, config.port),
            format!(
                "end the program that holds it, or set another `port` (0 for any that is free) by CONCEPTD_PORT or in \
                 config.toml; usual is {}",
                Config::default().port
            ),
        ),
    }
}

/// Whether others can reach the daemon.
pub fn address(config: &Config) -> Option<Check> {
    let open = !config.address.is_loopback();
    let found = format!("{} can be reached from the network, without encryption", config.address);
    open.then(|| Check::warn("address", found, "take `address` out of the settings unless you mean it"))
}

/// Room on the disk of the home, or of where it will be made.
pub fn disk(home: &Home) -> Check {
    const NAME: &str = "disk";
    let there = home.path().ancestors().find(|path| path.exists());
    let Some(free) = there.and_then(platform::free_bytes) else {
        return Check::warn(NAME, "the system does not say how much is free", "look yourself: a run wants about 1 GB");
    };
    let found = format!("{} are free", size(free));
    let fix = "make room, or move the home (--home, CONCEPTD_HOME) to another disk";
    match free {
        0..LEAST_DISK => Check::fail(NAME, found, fix),
        LEAST_DISK..LITTLE_DISK => Check::warn(NAME, found, fix),
        _ => Check::ok(NAME, found),
    }
}

/// Memory of the machine, or as much of it as may be used.
pub fn memory(config: &Config) -> Check {
    const NAME: &str = "memory";
    let all = platform::memory_bytes();
    let usable = if config.memory_budget == 0 { all } else { config.memory_budget.min(all) };
    let mut found = format!("{} in this machine", size(all));
    if usable < all {
        found += &format!(", {} may be used", size(usable));
    }
    match usable {
        0..MEMORY_OF_15 => Check::warn(NAME, found, "published bases want more; only small ones will train"),
        MEMORY_OF_15..MEMORY_OF_XL => {
            Check::warn(NAME, found, "enough for Stable Diffusion 1.5 at small sizes; XL wants about 9 GB and more")
        }
        _ => Check::ok(NAME, found),
    }
}

/// Vector instructions.
pub fn processor() -> Check {
    const NAME: &str = "processor";
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let vectors = vectors();
    let found =
        format!("{cores} threads, {}", if vectors.is_empty() { "no fast vectors".into() } else { vectors.join(", ") });
    match vectors.is_empty() {
        true => {
            Check::warn(NAME, found, "training will be several times slower than on a processor of the last ten years")
        }
        false => Check::ok(NAME, found),
    }
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<&'static str> {
    let known = [
        ("AVX2 and FMA", is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> Vec<&'static str> {
    // Every 64-bit ARM has these.
    if cfg!(target_arch = "aarch64") { vec!["NEON"] } else { Vec::new() }
}

/// The graphics card, and whether it is used.
pub fn graphics(wanted: Device) -> Check {
    const NAME: &str = "graphics card";
    let (tell, heard) = channel();
    // A broken driver may never answer.
    thread::spawn(move || tell.send(cuda::describe()));
    match heard.recv_timeout(DRIVER) {
        Err(_) => Check::warn(NAME, "the NVIDIA driver does not answer", "restart the machine, or mend the driver"),
        Ok(Err(why)) if wanted == Device::Cuda => {
            Check::fail(NAME, why.to_string(), "install NVIDIA's driver, or set device = \"auto\" in config.toml")
        }
        Ok(Err(why)) => Check::ok(NAME, format!("{why}; concepts are learnt on the processor")),
        Ok(Ok(_)) if wanted == Device::Cpu => Check::ok(NAME, "left alone: device = \"cpu\" is set"),
        Ok(Ok(gpus)) => gpus
            .get(cuda::first_fit())
            .map_or_else(|| Check::ok(NAME, "none"), |gpu| fitness(NAME, gpu, cuda::image::path())),
    }
}

fn fitness(name: &'static str, gpu: &Description, kernels: PathBuf) -> Check {
    let (chip, driver) = (gpu.capability, gpu.driver);
    let found = format!(
        "{} with {}, compute capability {}.{}, driver for CUDA {}.{}",
        gpu.name,
        size(gpu.memory as u64),
        chip / 10,
        chip % 10,
        driver / 1000,
        driver % 1000 / 10
    );
    if chip < cuda::LEAST_CAPABILITY {
        return Check::warn(name, found, "the least is 7.5 (RTX 20, GTX 16); concepts are learnt on the processor");
    }
    if driver < cuda::LEAST_DRIVER {
        return Check::warn(name, found, "update NVIDIA's driver to 580 or newer; until then the processor is used");
    }
    if !kernels.exists() {
        let what = format!("put {} there; until then the processor is used", kernels.display());
        return Check::warn(name, format!("{found}; its kernels are missing"), what);
    }
    Check::ok(name, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Verdict;

    #[test]
    fn a_port_is_free_taken_or_our_own() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let number = taken.local_addr().expect("an address").port();
        let config = Config { port: number, ..Config::default() };
        assert_eq!(port(&config, None).verdict, Verdict::Fail);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let beacon = Beacon { pid: 1, port: number, url: String::new(), version };
        assert_eq!(port(&config, Some(&beacon)).verdict, Verdict::Ok);
        let old = Beacon { version: "0.0.1".into(), ..beacon };
        assert_eq!(port(&config, Some(&old)).verdict, Verdict::Warn);
        drop(taken);
        assert_eq!(port(&Config { port: 0, ..config }, None).verdict, Verdict::Ok);
    }

    #[test]
    fn an_address_of_the_network_is_pointed_out() {
        assert!(address(&Config::default()).is_none());
        let open = Config { address: [0, 0, 0, 0].into(), ..Config::default() };
        assert!(address(&open).is_some_and(|check| check.verdict == Verdict::Warn));
    }

    #[test]
    fn a_card_is_judged_by_chip_driver_and_kernels() {
        let folder = tempfile::tempdir().expect("a folder");
        let kernels = folder.path().join("kernels");
        let gpu = Description {
            name: "card".into(),
            capability: 86,
            memory: 8 << 30,
            driver: 13_000,
            ..Description::default()
        };
        let verdict = |gpu: &Description| fitness("card", gpu, kernels.clone()).verdict;
        assert_eq!(verdict(&gpu), Verdict::Warn, "without kernels");
        std::fs::write(&kernels, "x").expect("written");
        assert_eq!(verdict(&gpu), Verdict::Ok);
        assert_eq!(verdict(&Description { capability: 61, ..gpu.clone() }), Verdict::Warn);
        let old = fitness("card", &Description { driver: 12_060, ..gpu }, kernels.clone());
        assert!(old.found.contains("CUDA 12.6") && old.verdict == Verdict::Warn, "{}", old.found);
    }

    #[test]
    fn a_small_budget_is_pointed_out() {
        let small = Config { memory_budget: 1 << 30, ..Config::default() };
        assert_eq!(memory(&small).verdict, Verdict::Warn);
    }
}
