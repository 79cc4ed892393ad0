//! `conceptd`: pictures in, a concept out.

mod captions;
mod card;
mod client;
mod completions;
mod concepts;
mod create;
mod doctor;
mod grid;
mod hosts;
mod install;
mod interrupt;
mod jobs;
mod models;
mod plans;
mod progress;
mod promote;
mod prompt;
mod scores;
mod serve;
mod service;
mod spill;
mod status;
mod table;
mod timings;
mod train;
mod verify;
mod watches;
mod worker;

use clap::{Parser, Subcommand};
use client::ClientError;
use protocol::ErrorCode;
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
    /// Open the daemon's page in the browser, logged in.
    Open(serve::Open),
    /// Say whether a daemon runs, what it is at and what waits.
    Status(status::Status),
    /// The daemon's trainings: list, watch, change.
    Jobs(jobs::Jobs),
    /// The daemon's library: list, import, rename, delete, save.
    Concepts(concepts::Concepts),
    /// The programs that concepts are installed into: find, add, check.
    Hosts(hosts::Hosts),
    /// Put a concept into hosts.
    Install(install::Install),
    /// Take a concept out of hosts.
    Uninstall(install::Uninstall),
    /// Folders whose data sets train by themselves: add, list, remove.
    Watches(watches::Watches),
    /// Checkpoints, and models that look at pictures: list, add, verify, remove.
    Models(models::Models),
    /// What is said of pictures and what is wrong with them: describe, examine, edit.
    Captions(captions::Captions),
    /// What a training would take of memory, level by level, on cards of several sizes.
    Plans(Box<plans::Plans>),
    /// Print a prompt as ComfyUI or A1111 wants it.
    Prompt(prompt::Prompt),
    /// Check this machine and the settings, and say how to mend what is wrong.
    Doctor(doctor::Doctor),
    /// Let the daemon start at every logon.
    Service(service::Service),
    /// Print what a shell needs to complete commands.
    Completions(completions::Completions),
    /// Print the settings in effect and where each comes from.
    Config(serve::ShowConfig),
    /// Print the token that requests must show.
    Token(serve::Token),
    /// Print what a training may take on the graphics card, in bytes; null if there is none that can be used.
    #[command(hide = true)]
    Card,
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
    /// What there is to say has been printed: exit code 1.
    Said,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.downcast_ref::<ClientError>() {
            Some(ClientError::Stopped) => return Self::Interrupted(error),
            Some(ClientError::Refused(problem)) if problem.code == ErrorCode::Invalid => return Self::Usage(error),
            _ => {}
        }
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
        Command::Open(open) => open.run(),
        Command::Status(status) => status.run(),
        Command::Jobs(jobs) => jobs.run(),
        Command::Concepts(concepts) => concepts.run(),
        Command::Hosts(hosts) => hosts.run(),
        Command::Install(install) => install.run(),
        Command::Uninstall(uninstall) => uninstall.run(),
        Command::Watches(watches) => watches.run(),
        Command::Models(models) => models.run(),
        Command::Captions(captions) => captions.run(),
        Command::Plans(plans) => plans.run(),
        Command::Prompt(prompt) => prompt.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Service(service) => service.run(),
        Command::Completions(completions) => completions.run(),
        Command::Config(config) => config.run(),
        Command::Token(token) => token.run(),
        Command::Card => card::run(),
        Command::Worker(worker) => worker.run(),
        Command::Verify(verify) => verify.run(),
    };
    let (error, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Said) => return ExitCode::FAILURE,
        Err(Failure::Failed(error)) => (error, 1),
        Err(Failure::Usage(error)) => (error, 2),
        Err(Failure::Interrupted(error)) => (error, 130),
    };
    eprintln!("error: {error:#}");
    ExitCode::from(code)
}
