//! The daemon itself as clients see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the daemon is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// Which daemon this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Of the program.
    pub version: String,
    /// Of this API.
    pub api: u32,
    /// What jobs are trained on: `cpu` or `cuda`.
    pub device: String,
}

/// What is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Pictures of a data set.
    #[schemars(range(min = 1))]
    pub pictures: u64,
    /// Bytes of one file.
    #[schemars(range(min = 1), extend("x-unit" = "bytes"))]
    pub file_bytes: u64,
    /// Bytes of a data set, unpacked.
    #[schemars(range(min = 1), extend("x-unit" = "bytes"))]
    pub dataset_bytes: u64,
    /// Pixels of one picture.
    #[schemars(range(min = 1), extend("x-unit" = "pixels"))]
    pub picture_pixels: u64,
    /// Bytes of a JSON body.
    #[schemars(range(min = 1024), extend("x-unit" = "bytes"))]
    pub json_bytes: u64,
    /// Jobs that wait.
    #[schemars(range(min = 1))]
    pub queued_jobs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pictures: 5000,
            file_bytes: 100_000_000,
            dataset_bytes: 4_000_000_000,
            picture_pixels: 100_000_000,
            json_bytes: 32_000_000,
            queued_jobs: 1000,
        }
    }
}
