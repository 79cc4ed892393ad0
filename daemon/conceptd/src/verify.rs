//! `conceptd verify`.

use crate::{Failure, promote::run_of};
use anyhow::anyhow;
use clap::Args;
use concept::{Base, Bundle, hex, picture_options};
use dataset::Options;
use diffusion::checkpoint::Overrides;
use protocol::{Crop, Limits};
use std::path::PathBuf;

#[derive(Args)]
pub struct Verify {
    /// The concept.
    concept: PathBuf,
    /// The pictures that it may have been made of.
    pictures: Vec<PathBuf>,
    /// A picture that was left out of them; may be given several times.
    #[arg(long, value_name = "NAME")]
    left_out: Vec<String>,
    /// The base that it may have been made on.
    #[arg(long)]
    base: Option<PathBuf>,
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        let bundle = Bundle::read(&self.concept)?;
        let said = |key: &str| bundle.metadata.get(key).map_or("unknown", String::as_str);
        println!(
            "{}: a concept of {} mode, step {}, {} tokens",
            bundle.name(),
            said("conceptd.mode"),
            said("conceptd.step"),
            bundle.tokens()
        );
        let mut different = Vec::new();
        let mut compare = |what: &str, now: &str, then: &str| {
            let same = now == then;
            println!("{what}: {}", if same { "the same" } else { "different" });
            if !same {
                different.push(what.to_owned());
            }
        };
        compare("version", env!("CARGO_PKG_VERSION"), &made_with(&bundle, "version"));
        if let Some(base) = &self.base {
            compare("base", Base::open(base, Overrides::default())?.digest()?, said("conceptd.base_sha256"));
        }
        if !self.pictures.is_empty() {
            let resolution =
                said("modelspec.resolution").split('x').next().and_then(|n| n.parse().ok()).unwrap_or(1024);
            // What models said of the pictures was learnt too.
            let run = run_of(&self.concept).map(|(folder, _, _)| preparation::given(folder.path()));
            let (captions, masks) = run.unwrap_or_default();
            let left_out = self.left_out.iter().cloned().collect();
            let options = Options { masks, left_out, ..picture_options(resolution, Crop::Center, &Limits::default()) };
            let found = dataset::scan(&self.pictures, &options, &captions, &mut |_| Ok::<_, dataset::Error>(()))?;
            compare("pictures", &hex(&found.digest()), said("conceptd.data_sha256"));
        }
        if different.is_empty() {
            return Ok(());
        }
        Err(Failure::Failed(anyhow!(
            "{} changed since: training again would give another concept",
            different.join(" and ")
        )))
    }
}

fn made_with(bundle: &Bundle, key: &str) -> String {
    let made: Option<serde_json::Value> =
        bundle.metadata.get("conceptd.made_with").and_then(|text| serde_json::from_str(text).ok());
    made.and_then(|made| made[key].as_str().map(str::to_owned)).unwrap_or_default()
}
