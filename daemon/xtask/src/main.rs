//! `cargo xtask`: everything that a developer runs.

mod parity;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Everything that a developer runs")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compute the outputs of a golden case and write them to a file.
    Parity {
        /// The case.
        case: PathBuf,
        /// Where the outputs go.
        out: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Parity { case, out } => parity::run(&case, &out),
    }
}
