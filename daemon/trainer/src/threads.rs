//! The threads that kernels run on.

use crate::{Error, Result};

/// Runs `work` on a pool of `count` threads (0: one for each core). Results do not depend on the number.
///
/// # Errors
/// If the system gives no threads.
pub fn with_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|i| format!("compute {i}")).build();
    Ok(pool.map_err(|error| Error::Invalid(format!("cannot start {count} threads: {error}")))?.install(work))
}
