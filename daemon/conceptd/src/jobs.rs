//! `conceptd jobs`.

use crate::{
    Failure,
    client::{Followed, Reach, follow, page, print_json, segment},
    interrupt,
    progress::Progress,
    table::{age, or_dash, span, table, word},
    usage,
};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use concept::Observer;
use protocol::{JobState, JobView};
use serde_json::json;

#[derive(Args)]
pub struct Jobs {
    #[command(flatten)]
    reach: Reach,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Every training, newest first.
    List,
    /// Everything about a training.
    Show { id: String },
    /// End a training for good.
    Cancel { id: String },
    /// Stop at the next step and free the memory.
    Pause { id: String },
    /// Go on.
    Resume { id: String },
    /// Draw sample pictures at the next step.
    Sample { id: String },
    /// The end of its worker's log.
    Log { id: String },
    /// Watch a training until it is over; Ctrl-C leaves it alone.
    Follow { id: String },
}

impl Jobs {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let act = |id: &str, what: &str| -> Result<(), Failure> {
            self.show(&daemon.act(&format!("/v1/jobs/{}/{what}", segment(id)))?)
        };
        match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => self.list(&daemon.all("/v1/jobs")?),
            Action::Show { id } => self.show(&daemon.get(&format!("/v1/jobs/{}", segment(id)))?),
            Action::Cancel { id } => act(id, "cancel"),
            Action::Pause { id } => act(id, "pause"),
            Action::Resume { id } => act(id, "resume"),
            Action::Sample { id } => act(id, "sample"),
            Action::Log { id } => {
                let text = daemon.text(&format!("/v1/jobs/{}/log", segment(id)))?;
                match self.reach.json {
                    true => print_json(&json!({ "log": text }))?,
                    false => print!("{text}"),
                }
                Ok(())
            }
            Action::Follow { id } => {
                interrupt::listen()?;
                let mut progress = Progress::new(false);
                let json = self.reach.json;
                let followed = follow(&daemon, id, 0, |record| match (json, serde_json::to_string(record)) {
                    (true, Ok(line)) => println!("{line}"),
                    _ => progress.see(&record.event),
                })?;
                over(id, followed).map(drop)
            }
        }
    }

    fn list(&self, jobs: &[JobView]) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(&page(&jobs)?)?);
        }
        if jobs.is_empty() {
            println!("there are no jobs; `conceptd train` makes one");
            return Ok(());
        }
        let row = |job: &JobView| {
            vec![
                job.id.clone(),
                job.name.clone(),
                job.mode.name().into(),
                word(job.state),
                format!("{}/{}", job.step, job.steps),
                or_dash(job.loss.map(|loss| format!("{loss:.4}"))),
                or_dash(job.eta_seconds.map(span)),
                job.base.clone(),
                age(job.created_at_ms),
            ]
        };
        let rows: Vec<_> = jobs.iter().map(row).collect();
        print!("{}", table(&["ID", "NAME", "MODE", "STATE", "STEP", "LOSS", "LEFT", "BASE", "AGE"], &rows));
        Ok(())
    }

    fn show(&self, job: &JobView) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(job)?);
        }
        let stage = job.stage.map_or(String::new(), |stage| format!(" ({})", word(stage)));
        let mut lines = vec![
            ("job", job.id.clone()),
            ("name", format!("{} ({}), files {}", job.name, job.mode.name(), job.stem)),
            ("state", format!("{}{stage}", word(job.state))),
            ("steps", format!("{} of {}", job.step, job.steps)),
            ("base", job.base.clone()),
            ("data set", job.dataset.clone()),
        ];
        let mut add = |what, text: Option<String>| lines.extend(text.map(|text| (what, text)));
        add("loss", job.loss.map(|loss| format!("{loss:.4}")));
        add("held-out", job.held_out.map(|error| format!("{error:.4}")));
        add("left", job.eta_seconds.map(span));
        add("before it", job.ahead.map(|ahead| format!("{ahead} jobs")));
        add("concept", job.concept.clone());
        add("failure", job.failure.as_ref().map(|failure| failure.reason.clone()));
        for (what, text) in lines {
            println!("{what:10} {text}");
        }
        Ok(())
    }
}

/// The job, if it came to a good end; else how the command ends.
pub fn over(id: &str, followed: Followed) -> Result<Box<JobView>, Failure> {
    let job = match followed {
        Followed::Left => {
            return Err(Failure::Interrupted(anyhow!(
                "no longer watching; the training goes on in the daemon. `conceptd jobs follow {id}` watches it again, \
                 `conceptd jobs cancel {id}` ends it"
            )));
        }
        Followed::Over(job) => job,
    };
    match (job.state, &job.failure) {
        (JobState::Failed, Some(failure)) => Err(Failure::Failed(anyhow!("{}", failure.reason))),
        (JobState::Cancelled, _) => Err(Failure::Failed(anyhow!("the training was cancelled"))),
        (JobState::Done, _) => Ok(job),
        (state, _) => Err(usage(anyhow!("the training is {}", word(state)))),
    }
}
