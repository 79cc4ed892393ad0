//! `conceptd`: pictures in, a concept out.

mod create;
mod grid;
mod interrupt;
mod progress;
mod promote;
mod serve;
mod spill;
mod train;
mod verify;
mod worker;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(version, about = "Learns a face, an object or a style from a few pictures, as a LoRA with token embeddings")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train a concept from pictures.
    Train(Box<train::Train>),
    /// Draw pictures with a base and concepts.
    Create(create::Create),
    /// Deliver another snapshot of a run.
    Promote(promote::Promote),
    /// Draw every snapshot of a run at several strengths.
    Grid(grid::Grid),
    /// Run the daemon: HTTP API, queue, workers, library.
    Serve(serve::Serve),
    /// Print the settings in effect and where each comes from.
    Config(serve::ShowConfig),
    /// Print the token that requests must show.
    Token(serve::Token),
    /// Do one task for a daemon.
    #[command(hide = true)]
    Worker(worker::Worker),
    /// Say what of a concept's base, pictures and recipe still matches.
    Verify(verify::Verify),
}

/// Why a command ends early, which decides its exit code.
pub enum Failure {
    /// The command cannot mean this: exit code 2.
    Usage(anyhow::Error),
    /// It was tried and failed: exit code 1.
    Failed(anyhow::Error),
    /// The user stopped it: exit code 130.
    Interrupted(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast_ref::<concept::Error>() {
            Some(concept::Error::Interrupted { .. } | concept::Error::StoppedDrawing) => Self::Interrupted(error),
            Some(concept::Error::Parameter { name, value, choices }) => {
                Self::Usage(anyhow::anyhow!("--{} {value}: choose {choices}", name.replace('_', "-")))
            }
            _ => Self::Failed(error),
        }
    }
}

/// A mistake in the command line.
pub fn usage(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Usage(error.into())
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(train) => train.run(),
        Command::Create(create) => create.run(),
        Command::Promote(promote) => promote.run(),
        Command::Grid(grid) => grid.run(),
        Command::Serve(serve) => serve.run(),
        Command::Config(config) => config.run(),
        Command::Token(token) => token.run(),
        Command::Worker(worker) => worker.run(),
        Command::Verify(verify) => verify.run(),
    };
    let (error, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => (error, 1),
        Err(Failure::Usage(error)) => (error, 2),
        Err(Failure::Interrupted(error)) => (error, 130),
    };
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}
