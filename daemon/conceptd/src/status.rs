//! `conceptd status`.

use crate::{
    Failure,
    client::{Daemon, Reach, print_json},
    table::span,
};
use clap::Args;
use protocol::{CreationView, JobState, JobView};
use serde_json::json;

#[derive(Args)]
pub struct Status {
    #[command(flatten)]
    reach: Reach,
}

impl Status {
    /// Says whether a daemon runs, what it is at and what waits.
    pub fn run(self) -> Result<(), Failure> {
        let home = self.reach.home.home();
        let Some(daemon) = Daemon::find(&home) else {
            match self.reach.json {
                true => print_json(&json!({ "running": false, "home": home.path() }))?,
                false => println!("no daemon runs on {}", home.path().display()),
            }
            return Err(Failure::Said);
        };
        let jobs = daemon.all::<JobView>("/v1/jobs")?;
        let creations = daemon.all::<CreationView>("/v1/creations")?;
        let jobs_in =
            |states: &[JobState]| jobs.iter().filter(|job| states.contains(&job.state)).collect::<Vec<&JobView>>();
        let running = jobs_in(&[JobState::Running, JobState::Cancelling]);
        let waiting = jobs_in(&[JobState::Queued, JobState::Interrupted]);
        let paused = jobs_in(&[JobState::Paused]);
        let creations: Vec<&CreationView> = creations.iter().filter(|creation| !creation.state.is_final()).collect();
        if self.reach.json {
            return Ok(print_json(&json!({
                "running": true, "home": home.path(), "daemon": daemon.beacon,
                "jobs": { "running": running, "waiting": waiting, "paused": paused }, "creations": creations,
            }))?);
        }
        let server::Beacon { version, url, pid, .. } = &daemon.beacon;
        println!("conceptd {version} runs on {url} (process {pid}), home {}", home.path().display());
        for job in &running {
            let left = job.eta_seconds.map_or(String::new(), |seconds| format!(", {} left", span(seconds)));
            println!("running  {}  {}  step {}/{}{left}", job.id, job.name, job.step, job.steps);
        }
        let drawing = creations.iter().filter(|creation| creation.state == JobState::Running).count();
        let waiting = waiting.len() + creations.len() - drawing;
        println!("{drawing} drawing, {waiting} waiting, {} paused", paused.len());
        Ok(())
    }
}
