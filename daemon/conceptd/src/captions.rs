//! `conceptd captions`: the prompts of a data set.

use crate::{
    Failure,
    client::{Reach, page, print_json, segment},
    table::{age, or_dash, size, table},
};
use clap::{Args, Subcommand};
use protocol::{Captions as Prompts, DatasetSummary};
use std::collections::BTreeMap;

#[derive(Args)]
pub struct Captions {
    #[command(flatten)]
    reach: Reach,
    /// The data set; left out, all are listed.
    dataset: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Give a picture another prompt.
    Set {
        dataset: String,
        /// As it is listed.
        picture: String,
        /// Write <concept>, or the name, where the concept is meant. An empty text takes the prompt away.
        text: String,
    },
}

impl Captions {
    pub fn run(self) -> Result<(), Failure> {
        let daemon = self.reach.daemon()?;
        let route = |dataset: &str| format!("/v1/datasets/{}/captions", segment(dataset));
        let prompts: Prompts = match (&self.action, &self.dataset) {
            (Some(Action::Set { dataset, picture, text }), _) => {
                let text = Some(text.clone()).filter(|text| !text.trim().is_empty());
                let change = Prompts { captions: BTreeMap::from([(picture.clone(), text)]) };
                daemon.write("PUT", &route(dataset), &change)?
            }
            (None, Some(dataset)) => daemon.get(&route(dataset))?,
            (None, None) => return self.list(&daemon.all("/v1/datasets")?),
        };
        if self.reach.json {
            return Ok(print_json(&prompts)?);
        }
        let rows: Vec<_> = prompts.captions.into_iter().map(|(picture, text)| vec![picture, or_dash(text)]).collect();
        print!("{}", table(&["PICTURE", "PROMPT"], &rows));
        Ok(())
    }

    fn list(&self, sets: &[DatasetSummary]) -> Result<(), Failure> {
        if self.reach.json {
            return Ok(print_json(&page(&sets)?)?);
        }
        let row = |set: &DatasetSummary| {
            vec![set.id.clone(), set.pictures.to_string(), size(set.bytes), age(set.created_at_ms)]
        };
        let rows: Vec<_> = sets.iter().map(row).collect();
        print!("{}", table(&["DATA SET", "PICTURES", "SIZE", "AGE"], &rows));
        Ok(())
    }
}
