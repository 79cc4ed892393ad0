//! What the daemon writes down about itself.

use crate::{Config, Error, Home, Result, platform};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;

/// Days that are kept.
const KEPT: usize = 7;

/// Begins the log: lines of JSON in files that begin anew each day.
///
/// # Errors
/// If the folder cannot be made, or the setting `log` is no filter.
pub fn keep_log(home: &Home, config: &Config) -> Result<()> {
    let folder = home.path().join("logs");
    platform::make_private_folder(&folder).map_err(Error::disk(&folder))?;
    let daily = RollingFileAppender::builder().rotation(Rotation::DAILY).max_log_files(KEPT);
    let file = daily.filename_prefix("conceptd").filename_suffix("jsonl").build(&folder);
    let file = file.map_err(|error| Error::Config(format!("{}: {error}", folder.display())))?;
    let filter = EnvFilter::try_new(&config.log).map_err(|error| Error::Config(format!("log: {error}")))?;
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(file).init();
    Ok(())
}
