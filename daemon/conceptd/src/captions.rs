//! `conceptd captions`: what is said of pictures, and what is wrong with them: of a folder, or of a daemon's data set.

mod craft;
mod folder;

use crate::{
    Failure,
    client::{Daemon, Reach, page, print_json, segment},
    table::{age, or_dash, size, table},
    usage,
};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use protocol::{
    CaptionRequest, CaptionViews, Captions as Prompts, Crop, DatasetReport, DatasetSummary, ExamineRequest, MaskName,
    Mode,
};
use std::{collections::BTreeMap, path::PathBuf};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Captions {
    #[command(flatten)]
    reach: Reach,
    /// A folder or an archive of pictures, or one of the daemon's data sets; left out, those are listed.
    pictures: Option<String>,
    #[command(flatten)]
    look: Look,
    #[command(subcommand)]
    action: Option<Action>,
}

/// How pictures are looked at.
#[derive(Args)]
pub struct Look {
    /// What the pictures have in common.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// What the concept is called.
    #[arg(long, default_value = "")]
    name: String,
    /// Let the pictures that have no caption be described: by the best installed captioner (`auto`), or by this one.
    #[arg(long, num_args = 0..=1, default_missing_value = "auto", value_name = "ID")]
    captioner: Option<String>,
    /// What the object is, in a word; captions that name it mean the concept.
    #[arg(long, value_name = "WORD")]
    class_word: Option<String>,
    /// Rather tags than sentences: drawn bases such as Pony and Illustrious were trained on tags.
    #[arg(long)]
    tags: bool,
    /// Words that captions leave out, so that what they name becomes part of the concept.
    #[arg(long, value_name = "WORDS")]
    leave_out: Vec<String>,
    /// Write the captions beside the pictures of a folder, where you can edit them. Files that you wrote or edited stay.
    #[arg(long, requires = "captioner")]
    write: bool,
    /// Also describe anew what a captioner described before.
    #[arg(long, requires = "captioner")]
    again: bool,
    /// Let the configured server make what was described smoother.
    #[arg(long, requires = "captioner")]
    rewrite: bool,
    /// Say what is wrong with the pictures.
    #[arg(long)]
    report: bool,
    /// Draw the pictures with their crops and masks into this PNG.
    #[arg(long, value_name = "PNG", requires = "report")]
    sheet: Option<PathBuf>,
    /// Side of the training pictures.
    #[arg(long, default_value_t = 1024)]
    resolution: usize,
    /// How pictures would be cropped.
    #[arg(long, value_enum, default_value = "center")]
    crop: Crop,
    /// Which part would be learnt most.
    #[arg(long, value_enum, default_value = "auto")]
    mask: MaskName,
    /// Put the concept into this text, as into a captioner's, and print it.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["captioner", "report"])]
    craft: Option<String>,
}

impl Look {
    fn mode(&self) -> Result<Mode, Failure> {
        self.mode.ok_or_else(|| usage(anyhow!("say what the pictures have in common: --mode face, object or style")))
    }
}

#[derive(Subcommand)]
enum Action {
    /// Give a picture of a data set another prompt.
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
        if let Some(text) = &self.look.craft {
            return craft::print(text, &self.look, self.reach.json);
        }
        if let Some(pictures) = self.pictures.as_ref().map(PathBuf::from).filter(|path| path.exists()) {
            return folder::run(&pictures, &self.look, &self.reach);
        }
        let daemon = self.reach.daemon()?;
        match (&self.action, &self.pictures) {
            (Some(Action::Set { dataset, picture, text }), _) => {
                let text = Some(text.clone()).filter(|text| !text.trim().is_empty());
                let change = Prompts { captions: BTreeMap::from([(picture.clone(), text)]) };
                self.print(daemon.write("PUT", &format!("/v1/datasets/{}/captions", segment(dataset)), &change)?)
            }
            (None, Some(dataset)) => self.look_at(&daemon, dataset),
            (None, None) => self.list(&daemon.all("/v1/datasets")?),
        }
    }

    fn look_at(&self, daemon: &Daemon, dataset: &str) -> Result<(), Failure> {
        let route = |of: &str| format!("/v1/datasets/{}/{of}", segment(dataset));
        let look = &self.look;
        if look.captioner.is_some() {
            let request = CaptionRequest {
                mode: look.mode()?,
                name: look.name.clone(),
                captioner: look.captioner.clone(),
                class_word: look.class_word.clone(),
                again: look.again,
                rewrite: look.rewrite,
                leave_out: look.leave_out.clone(),
                tags: look.tags,
                pictures: Vec::new(),
            };
            let views: CaptionViews = daemon.write_patiently("POST", &route("describe"), &request)?;
            views.notes.iter().for_each(|note| eprintln!("note: {note}"));
            views.shared.iter().for_each(|shared| eprintln!("note: {}", shared.meaning));
        }
        if look.report {
            let request = ExamineRequest {
                mode: look.mode()?,
                name: look.name.clone(),
                resolution: Some(look.resolution),
                mask: look.mask,
                crop: look.crop,
            };
            let report: DatasetReport = daemon.write_patiently("POST", &route("examine"), &request)?;
            if let Some(sheet) = &look.sheet {
                daemon.download(&route("sheet"), sheet)?;
            }
            return folder::print_report(&report, self.reach.json);
        }
        self.print(daemon.get(&route("captions"))?)
    }

    fn print(&self, prompts: Prompts) -> Result<(), Failure> {
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
