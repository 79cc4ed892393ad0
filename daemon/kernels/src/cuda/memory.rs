//! The GPU's memory: taken from the driver in large pieces and given out from there.
//!
//! All work runs on one stream, so that memory which is given back can be given out again at once: whatever writes it
//! next comes behind whatever read it last. Asking the driver for each tensor would wait for the GPU each time.

use crate::Result;
use candle_core::Error;
use cudarc::driver::result;
use std::collections::{BTreeMap, BTreeSet};

/// How the error begins that says there is too little.
pub const OUT_OF_MEMORY: &str = "out of memory on the GPU";
/// What a piece is a multiple of; addresses too.
const GRAIN: usize = 512;
/// The driver is asked for at least so much.
const PIECE: usize = 256 << 20;
/// Left to the driver, the desktop and whatever else shares the card.
const MARGIN: usize = 384 << 20;

/// Bytes of the GPU's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In living tensors.
    pub used: usize,
    /// The most at one time.
    pub peak: usize,
    /// Taken from the driver, used or not.
    pub reserved: usize,
    /// The most that may be taken.
    pub limit: usize,
}

/// Free pieces by address and by size.
pub(super) struct Pool {
    /// Where the driver's pieces begin, and their sizes.
    pieces: BTreeMap<u64, usize>,
    by_address: BTreeMap<u64, usize>,
    by_size: BTreeSet<(usize, u64)>,
    usage: Usage,
}

impl Pool {
    pub fn new(free: usize) -> Self {
        let usage = Usage { limit: free.saturating_sub(MARGIN), ..Usage::default() };
        Self { pieces: BTreeMap::new(), by_address: BTreeMap::new(), by_size: BTreeSet::new(), usage }
    }

    pub fn usage(&self) -> Usage {
        self.usage
    }

    pub fn forget_peak(&mut self) {
        self.usage.peak = self.usage.used;
    }

    /// Memory for `bytes`: the smallest free part that holds them. `idle` waits for the GPU.
    pub fn take(&mut self, bytes: usize, idle: impl FnOnce() -> Result<()>) -> Result<u64> {
        let bytes = bytes.max(1).next_multiple_of(GRAIN);
        if self.by_size.range((bytes, 0)..).next().is_none() && !self.grow(bytes) {
            idle()?;
            self.return_unused();
            if !self.grow(bytes) {
                let Usage { used, limit, reserved, .. } = self.usage;
                return Err(Error::Msg(format!(
                    "{OUT_OF_MEMORY}: {} MiB more are needed, {} MiB of {} MiB are in use ({} MiB reserved)",
                    bytes >> 20,
                    used >> 20,
                    limit >> 20,
                    reserved >> 20
                )));
            }
        }
        let Some(&(size, address)) = self.by_size.range((bytes, 0)..).next() else {
            return Err(Error::Msg("bug: the GPU's memory was miscounted".into()));
        };
        self.remove(address, size);
        if size > bytes {
            self.insert(address + bytes as u64, size - bytes);
        }
        self.usage.used += bytes;
        self.usage.peak = self.usage.peak.max(self.usage.used);
        Ok(address)
    }

    /// Takes back what [`Self::take`] gave, joined with its free neighbours of the same piece.
    pub fn give(&mut self, mut address: u64, bytes: usize) {
        let mut size = bytes.max(1).next_multiple_of(GRAIN);
        self.usage.used -= size;
        let before = self.by_address.range(..address).next_back().map(|(&at, &size)| (at, size));
        if let Some((at, length)) = before
            && at + length as u64 == address
            && !self.pieces.contains_key(&address)
        {
            self.remove(at, length);
            (address, size) = (at, size + length);
        }
        let end = address + size as u64;
        if let Some(&length) = self.by_address.get(&end)
            && !self.pieces.contains_key(&end)
        {
            self.remove(end, length);
            size += length;
        }
        self.insert(address, size);
    }

    fn insert(&mut self, address: u64, size: usize) {
        self.by_address.insert(address, size);
        self.by_size.insert((size, address));
    }

    fn remove(&mut self, address: u64, size: usize) {
        self.by_address.remove(&address);
        self.by_size.remove(&(size, address));
    }

    /// Asks the driver for a further piece, a large one if it has one.
    fn grow(&mut self, bytes: usize) -> bool {
        let room = self.usage.limit.saturating_sub(self.usage.reserved) / GRAIN * GRAIN;
        for size in [bytes.max(PIECE).min(room), bytes] {
            if size < bytes || size > room {
                continue;
            }
            // SAFETY: asks for memory of our own; the context is current.
            if let Ok(address) = unsafe { result::malloc_sync(size) } {
                self.pieces.insert(address, size);
                self.usage.reserved += size;
                self.insert(address, size);
                return true;
            }
        }
        false
    }

    /// Gives wholly free pieces back to the driver.
    fn return_unused(&mut self) {
        let unused = self.pieces.iter().filter(|(at, size)| self.by_address.get(at) == Some(size));
        for (address, size) in unused.map(|(&at, &size)| (at, size)).collect::<Vec<_>>() {
            self.remove(address, size);
            self.pieces.remove(&address);
            self.usage.reserved -= size;
            // SAFETY: the piece came from the driver, nothing uses it, and the GPU is idle.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    /// Gives everything back; nothing may be used any more.
    pub fn release(&mut self) {
        for address in std::mem::take(&mut self.pieces).into_keys() {
            // SAFETY: as above.
            let _ = unsafe { result::free_sync(address) };
        }
    }
}
