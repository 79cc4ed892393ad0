//! `cargo xtask`: everything that a developer runs.

mod account;
mod bench;
mod browser;
mod captioner;
mod checkpoint;
mod cuda;
mod demo;
mod page;
mod parity;
mod process;
mod soak;
mod sync;
mod test;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
    Parity(parity::Parity),
    /// Say what a training step has to do, by part: operations, bytes, and the floors that follow.
    Account(account::Account),
    /// Time training steps on random weights and print one line of JSON; beside PyTorch's, a table.
    Bench(bench::Bench),
    /// Compile the GPU's kernels for every chip, and put the program beside them; needs no GPU.
    CudaBuild(cuda::CudaBuild),
    /// Test the GPU's kernels, and a training step with them, on an emulated GPU.
    Emulate,
    /// Run every check of the project.
    Test,
    /// Write the schemas that follow from the Rust types.
    Sync,
    /// Build the page that the daemon carries, and the types of its client.
    Page,
    /// Kill the daemon again and again under queued jobs; thousands of random requests; many listeners. Takes half an hour.
    Soak(soak::Soak),
    /// Train two concepts on the toy base and draw them.
    Demo {
        /// Train one, of pictures without prompts, which a small tagger describes.
        #[arg(long)]
        uncaptioned: bool,
    },
    /// Let one model look at one picture, and write what it sees.
    Captioner(captioner::Captioner),
    /// Write a checkpoint of random numbers.
    RandomCheckpoint(checkpoint::RandomCheckpoint),
    /// Say what a checkpoint is, and optionally run its text encoders.
    Inspect(checkpoint::Inspect),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Parity(parity) => parity.run(),
        Command::Account(account) => account.run(),
        Command::Bench(bench) => bench.run(),
        Command::CudaBuild(build) => build.run(),
        Command::Emulate => cuda::test_kernels(&test::root()),
        Command::Test => test::run(),
        Command::Sync => sync::write(&test::root()),
        Command::Page => page::write(&test::root()),
        Command::Soak(soak) => soak.run(),
        Command::Demo { uncaptioned } => demo::run(uncaptioned),
        Command::Captioner(captioner) => captioner.run(),
        Command::RandomCheckpoint(random) => random.run(),
        Command::Inspect(inspect) => inspect.run(),
    }
}
