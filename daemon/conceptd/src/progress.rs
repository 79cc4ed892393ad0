//! What a run looks like in a terminal: a bar for people, lines of JSON for programs.

use crate::{interrupt, timings};
use concept::Observer;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::{Event, JobState, ScoreView, Scores, Stage};

/// Shows a run.
pub struct Progress {
    json: bool,
    bar: Option<ProgressBar>,
    seconds: f64,
    loss: f64,
}

impl Progress {
    /// For people, or for programs.
    pub fn new(json: bool) -> Self {
        Self { json, bar: None, seconds: 0.0, loss: 0.0 }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Observer for Progress {
    fn see(&mut self, event: &Event) {
        if self.json {
            if let Ok(line) = serde_json::to_string(event) {
                println!("{line}");
            }
            return;
        }
        match event {
            Event::Stage { stage } => self.say(match stage {
                Stage::Pictures => "reading pictures",
                Stage::Looking => "looking at the pictures",
                Stage::Latents => "encoding pictures",
                Stage::Model => "loading the model",
                Stage::Training => "training",
                Stage::Drawing => "drawing previews",
                Stage::Waiting => "waiting for the card",
            }),
            Event::Note { text } => self.say(&format!("note: {text}")),
            Event::Planned { steps, batch_size, pictures, .. } => {
                self.say(&format!("{pictures} pictures, {steps} steps of {batch_size}"));
                let bar = ProgressBar::new(*steps);
                if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}  {eta} left") {
                    bar.set_style(style);
                }
                self.bar = Some(bar);
            }
            Event::Step { step, loss, seconds, .. } => {
                // What people watch is the trend.
                let weight = if *step == 1 { 1.0 } else { 0.1 };
                self.loss += weight * (loss - self.loss);
                self.seconds += weight * (seconds - self.seconds);
                if let Some(bar) = &self.bar {
                    bar.set_position(*step);
                    bar.set_message(format!("loss {:.4}  {:.2} s/step", self.loss, self.seconds));
                }
            }
            Event::Snapshot { step, held_out } => self.say(&format!("step {step}: held-out error {held_out:.4}")),
            Event::Sample { step, file } => self.say(&format!("step {step}: sample pictures in {file}")),
            Event::Scored { scores } => {
                if let Some(text) = best(scores) {
                    self.say(&text);
                }
            }
            Event::Done { step, bundle } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish();
                }
                self.say(&format!("step {step} delivered as {bundle}"));
            }
            Event::Timings { timings } => self.say(timings::table_of(timings).trim_end()),
            Event::State { state: JobState::Paused } => self.say("paused; `conceptd jobs resume` goes on"),
            Event::State { .. } | Event::Saved { .. } | Event::Failed { .. } => {}
        }
    }

    fn stop(&self) -> bool {
        interrupt::asked()
    }
}

/// The best of a table, in words.
fn best(scores: &Scores) -> Option<String> {
    let ScoreView { step, strength, likeness, obedience, .. } = scores.best.as_ref()?;
    let measure = |what: &str, value: &Option<f64>| value.map(|value| format!("{what} {value:.2}"));
    let measures = [measure("likeness", likeness), measure("prompt", obedience)];
    let measures = measures.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Some(format!(
        "the best is step {step} at strength {strength} ({measures}); `conceptd promote --step {step}` delivers it"
    ))
}
