//! `cargo xtask soak`: what takes too long for every change: kills, floods, crowds.

use crate::test::{conceptd, python, root, status};
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::process::Command;

#[derive(Args)]
pub struct Soak {
    /// One of them; all by default.
    #[arg(value_enum)]
    which: Option<Which>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Which {
    /// The daemon is killed 20 times during 5 jobs; every bundle must equal an undisturbed one.
    Kill,
    /// 10,000 files are copied slowly into 20 watched folders while the daemon is killed 5 times: 20 trainings.
    Watch,
    /// 200 pollers and 50 listeners beside a training.
    Crowd,
    /// 5000 random requests that follow the OpenAPI document.
    Flood,
}

impl Soak {
    pub fn run(&self) -> Result<()> {
        let root = root();
        let (program, python) = (conceptd(&root)?, python(&root)?);
        let wanted = |which| self.which.is_none_or(|only| only == which);
        for (which, script) in [(Which::Kill, "kill.py"), (Which::Watch, "watch.py"), (Which::Crowd, "crowd.py")] {
            if wanted(which) {
                let mut command = Command::new(&python);
                command.arg(root.join("tests/soak").join(script)).current_dir(&root);
                status(command.env("CONCEPTD_BINARY", &program))?;
            }
        }
        if wanted(Which::Flood) {
            let mut pytest = Command::new(&python);
            pytest.args(["-m", "pytest", "-q", "-s", "tests/e2e/test_schema.py"]).current_dir(&root);
            status(pytest.env("CONCEPTD_BINARY", &program).env("CONCEPTD_FUZZ_REQUESTS", "5000"))?;
        }
        Ok(())
    }
}
