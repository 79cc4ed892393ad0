//! The compiled kernels: a fat binary beside the program, whose name says which sources it was made of.

use crate::Result;
use candle_core::Error;
use flate2::read::MultiGzDecoder;
use std::{io::Read, path::PathBuf};

/// Names a file of kernels other than the one beside the program.
pub const VARIABLE: &str = "CONCEPTD_KERNELS";

macro_rules! sources {
    ($($name:literal)*) => { [$(($name, include_bytes!(concat!("../../cuda/", $name)).as_slice())),*] };
}

/// Everything that the kernels are made of.
const SOURCES: &[(&str, &[u8])] = &sources! {
    "activation.cu"
    "arrange.cu"
    "attention.cu"
    "attention.cuh"
    "attention_backward.cuh"
    "attention_forward.cuh"
    "attention_plain.cuh"
    "attention_wide.cuh"
    "conceptd.cu"
    "device.cuh"
    "dora.cu"
    "elements.cuh"
    "embedding.cu"
    "loss.cu"
    "norm.cu"
    "optimizer.cu"
    "product.cu"
    "product.cuh"
    "product_exact.cu"
    "product_outer.cu"
};

/// The name of the file that fits this program: kernels and their callers change together.
pub fn name() -> String {
    // FNV-1a; it tells versions apart, nothing more. A checkout on Windows may end lines otherwise.
    let digest = SOURCES
        .iter()
        .flat_map(|(_, text)| text.iter())
        .filter(|&&byte| byte != b'\r')
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("conceptd-kernels-{digest:016x}.fatbin.gz")
}

/// Where the kernels are, whether they are there or not.
pub fn path() -> PathBuf {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return path.into();
    }
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(name())));
    beside.unwrap_or_else(|| name().into())
}

/// Reads the kernels.
///
/// # Errors
/// If they are not there.
pub fn load() -> Result<Vec<u8>> {
    let path = path();
    let mut image = Vec::new();
    let read = std::fs::File::open(&path).and_then(|file| MultiGzDecoder::new(file).read_to_end(&mut image));
    read.map(|_| image).map_err(|error| {
        Error::Msg(format!(
            "the GPU kernels cannot be read ({}: {error}); they belong beside the program. `cargo xtask cuda-build` makes them",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_part_of_the_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cuda");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the sources")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.contains(".cu"))
            .collect();
        there.sort();
        assert_eq!(there, SOURCES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
