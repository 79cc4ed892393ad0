//! `conceptd completions`: what a shell needs to complete commands.

use crate::{Arguments, Failure};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::io::Write;

#[derive(Args)]
pub struct Completions {
    /// The shell that will read them.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut Arguments::command(), "conceptd", &mut script);
        Ok(std::io::stdout().write_all(&script)?)
    }
}
