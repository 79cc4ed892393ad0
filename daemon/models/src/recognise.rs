//! Which model lies in a folder: told by its files' names, by `config.json`, and by the inputs and outputs of a graph.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{ModelsError, Result};
use crate::form::Form;
use crate::onnx::{self, Signature};

/// Entries of one folder that are looked at.
const MOST_ENTRIES: usize = 4096;
/// Bytes of a `config.json`.
const LARGEST_CONFIG: u64 = 1 << 20;

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its role: one of [`Form::parts`], or the name of a file with weights that lies beside a graph.
    pub part: String,
    /// Where it is. Never canonicalised: a graph finds its weights beside the link, not beside the blob.
    pub path: PathBuf,
}

/// A model that lies somewhere, not yet added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name that it would get.
    pub name: String,
    /// Its contract.
    pub form: Form,
    /// The folder it lies in.
    pub folder: PathBuf,
    /// Its files.
    pub pieces: Vec<Piece>,
    /// Bytes of all files.
    pub bytes: u64,
}

/// The one model that is the file `path`, or lies in the folder `path`.
///
/// # Errors
/// [`ModelsError::NotAModel`] when there is none, [`ModelsError::Several`] when there are more.
pub fn recognise(path: &Path) -> Result<Candidate> {
    let path = std::path::absolute(path).map_err(|error| ModelsError::io("find", path, error))?;
    let about = fs::metadata(&path).map_err(|error| ModelsError::io("open", &path, error))?;
    let (folder, only) = if about.is_dir() {
        (path.clone(), None)
    } else {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        (path.parent().unwrap_or(Path::new("")).to_owned(), Some(name))
    };
    let mut found = in_folder(&folder);
    if let Some(only) = only {
        found.retain(|candidate| candidate.pieces.iter().any(|piece| piece.path == folder.join(&only)));
    }
    one_of(found, &path.display().to_string(), |candidate| &candidate.name)
}

/// The only one of `found`, or the error that names `place`.
pub(crate) fn one_of<T>(mut found: Vec<T>, place: &str, name: impl Fn(&T) -> &str) -> Result<T> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(ModelsError::NotAModel { place: place.to_owned(), why: wanted() }),
        _ => {
            let which = found.iter().map(name).collect::<Vec<_>>().join(", ");
            Err(ModelsError::Several { place: place.to_owned(), which })
        }
    }
}

fn wanted() -> String {
    let forms = Form::ALL.map(|form| match form.parts() {
        ["model.onnx"] => format!("{form} (one .onnx file)"),
        parts => format!("{form} ({})", parts.join(" + ")),
    });
    format!("looked for {}", forms.join("; "))
}

/// Every model whose files lie in `folder`, `folder/onnx` included, deeper ones not.
pub(crate) fn in_folder(folder: &Path) -> Vec<Candidate> {
    let mut names = names_in(folder, "");
    names.extend(names_in(&folder.join("onnx"), "onnx/"));
    let read = |name: &str| onnx::signature(&folder.join(name));
    let listing = Listing { names: &names, model_type: model_type(folder), signature: &read };
    let title = folder.file_name().and_then(|name| name.to_str()).unwrap_or("model");
    choose(&listing)
        .into_iter()
        .map(|choice| {
            let pieces: Vec<_> = choice
                .files
                .into_iter()
                .map(|(part, name)| Piece {
                    part,
                    path: name.split('/').fold(folder.to_owned(), |at, step| at.join(step)),
                })
                .collect();
            let bytes = pieces.iter().filter_map(|piece| fs::metadata(&piece.path).ok()).map(|about| about.len()).sum();
            let name = choice.name.unwrap_or_else(|| title.to_owned());
            Candidate { name, form: choice.form, folder: folder.to_owned(), pieces, bytes }
        })
        .collect()
}

fn names_in(folder: &Path, before: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .take(MOST_ENTRIES)
        .flatten()
        // `metadata` follows links: files of the hub's cache are links.
        .filter(|entry| fs::metadata(entry.path()).is_ok_and(|about| about.is_file()))
        .filter_map(|entry| entry.file_name().to_str().map(|name| format!("{before}{name}")))
        .collect();
    names.sort();
    names
}

fn model_type(folder: &Path) -> Option<String> {
    let mut text = Vec::new();
    fs::File::open(folder.join("config.json")).ok()?.take(LARGEST_CONFIG).read_to_end(&mut text).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
    Some(config.get("model_type")?.as_str()?.to_owned())
}

/// The files of a folder or repository, and what is known of their contents.
pub(crate) struct Listing<'a> {
    pub(crate) names: &'a [String],
    /// `model_type` of its `config.json`.
    pub(crate) model_type: Option<String>,
    /// The inputs and outputs of a graph, when it can be read.
    pub(crate) signature: &'a dyn Fn(&str) -> Option<Signature>,
}

/// A model in a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) form: Form,
    /// Its own name, when it has one besides the folder's.
    pub(crate) name: Option<String>,
    /// Role and name of each file.
    pub(crate) files: Vec<(String, String)>,
}

/// The models in `listing`: one whose files fill the folder, or else each graph at its top.
pub(crate) fn choose(listing: &Listing<'_>) -> Vec<Choice> {
    let by_parts = |form: Form| {
        let all = form.parts().iter().all(|part| listing.has(part));
        all.then(|| listing.choice(form, None, form.parts().iter().map(|part| (*part, (*part).to_owned())).collect()))
    };
    let whole = match listing.model_type.as_deref() {
        Some("clip") => by_parts(Form::Clip),
        Some("blip") => by_parts(Form::Blip),
        Some("dinov2") => by_parts(Form::DinoV2),
        Some("clipseg") => by_parts(Form::ClipSeg),
        _ => None,
    };
    if let Some(choice) = whole.or_else(|| by_parts(Form::Florence2)) {
        return vec![choice];
    }
    if listing.has("onnx/model.onnx") && listing.form_of("onnx/model.onnx") == Some(Form::BiRefNet) {
        return vec![listing.choice(Form::BiRefNet, None, vec![("model.onnx", "onnx/model.onnx".to_owned())])];
    }
    listing.names.iter().filter(|name| !name.contains('/')).filter_map(|name| listing.graph(name)).collect()
}

impl Listing<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|other| other == name)
    }

    /// The model that the graph `name` is, with its tags when it is a tagger.
    fn graph(&self, name: &str) -> Option<Choice> {
        let stem = name.strip_suffix(".onnx")?;
        let own = (stem != "model").then(|| stem.to_owned());
        let tags = if stem == "model" { "selected_tags.csv".to_owned() } else { format!("{stem}.csv") };
        if self.has(&tags) {
            let files = vec![("model.onnx", name.to_owned()), ("selected_tags.csv", tags)];
            return Some(self.choice(Form::Wd14, own, files));
        }
        Some(self.choice(self.form_of(name)?, own, vec![("model.onnx", name.to_owned())]))
    }

    /// Files with these roles, and the weights that lie beside their graphs (`model.onnx_data`, `model.onnx.data`).
    fn choice(&self, form: Form, name: Option<String>, files: Vec<(&str, String)>) -> Choice {
        let mut all = BTreeMap::new();
        for (_, graph) in files.iter().filter(|(_, name)| name.ends_with(".onnx")) {
            let beside = [format!("{graph}_data"), format!("{graph}.data")];
            all.extend(beside.into_iter().filter(|name| self.has(name)).map(|name| (name.clone(), name)));
        }
        let roles = files.into_iter().map(|(part, name)| (part.to_owned(), name));
        Choice { form, name, files: roles.chain(all).collect() }
    }

    /// The form of a graph that stands alone: by what it takes and gives, else by its name.
    fn form_of(&self, name: &str) -> Option<Form> {
        (self.signature)(name).and_then(|signature| by_signature(&signature)).or_else(|| by_name(name))
    }
}

/// CenterFace and U²-Net kept the numbered names of their PyTorch exports, YuNet names its twelve outputs by stride.
fn by_signature(signature: &Signature) -> Option<Form> {
    let takes = |name: &str| signature.inputs.iter().any(|input| input == name);
    let gives = |name: &str| signature.outputs.iter().any(|output| output == name);
    if ["cls_8", "obj_16", "bbox_32", "kps_8"].into_iter().all(gives) {
        Some(Form::YuNet)
    } else if takes("input.1") && ["537", "538", "539", "540"].into_iter().all(gives) {
        Some(Form::CenterFace)
    } else if takes("input.1") && signature.outputs.len() == 7 {
        Some(Form::U2Net)
    } else if takes("input_image") && gives("output_image") {
        Some(Form::BiRefNet)
    } else {
        None
    }
}

/// By the names that publishers gave. Left out on purpose: `u2net_cloth_seg` and `isnet-anime`, whose contracts differ.
fn by_name(name: &str) -> Option<Form> {
    let name = name.to_ascii_lowercase();
    let has = |part: &str| name.contains(part);
    if has("anime") || has("cloth") {
        None
    } else if has("face_detection_yunet") {
        Some(Form::YuNet)
    } else if has("face_recognition_sface") {
        Some(Form::SFace)
    } else if has("centerface") {
        Some(Form::CenterFace)
    } else if has("birefnet") {
        Some(Form::BiRefNet)
    } else if has("isnet-general") {
        Some(Form::IsNet)
    } else if has("u2net") || has("silueta") {
        Some(Form::U2Net)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::fixture;

    fn names(listing: &[&str], model_type: Option<&str>) -> Vec<Choice> {
        let names: Vec<_> = listing.iter().map(|name| (*name).to_owned()).collect();
        choose(&Listing { names: &names, model_type: model_type.map(str::to_owned), signature: &|_| None })
    }

    #[test]
    fn a_form_of_several_files_needs_them_all() {
        let mut florence = Form::Florence2.parts().to_vec();
        florence.push("onnx/vision_encoder_q4.onnx");
        florence.push("onnx/decoder_model_merged.onnx_data");
        let [choice] = &names(&florence, Some("florence2"))[..] else { panic!("one model") };
        assert_eq!(choice.form, Form::Florence2);
        // Quantised twins stay out, weights beside a graph come along.
        assert_eq!(choice.files.len(), 6);
        assert_eq!(choice.files[5].0, "onnx/decoder_model_merged.onnx_data");
        assert!(names(&florence[1..], Some("florence2")).is_empty());

        let clip = ["model.safetensors", "config.json", "tokenizer.json"];
        assert_eq!(names(&clip, Some("clip"))[0].form, Form::Clip);
        assert_eq!(names(&clip, Some("blip"))[0].form, Form::Blip);
        assert_eq!(names(&clip[..2], Some("dinov2"))[0].form, Form::DinoV2);
        assert!(names(&clip[..2], Some("clip")).is_empty());
        assert!(names(&clip, Some("llama")).is_empty());
        assert_eq!(names(&["onnx/model.onnx", "tokenizer.json"], Some("clipseg"))[0].form, Form::ClipSeg);
        assert!(names(&["onnx/model.onnx", "tokenizer.json"], Some("bert")).is_empty());
    }

    #[test]
    fn graphs_that_stand_alone_are_told_by_name() {
        let rembg = [
            "BiRefNet-general.onnx",
            "isnet-anime.onnx",
            "isnet-general-use.onnx",
            "u2net_cloth_seg.onnx",
            "u2netp.onnx",
        ];
        let forms: Vec<_> = names(&rembg, None).iter().map(|choice| choice.form).collect();
        assert_eq!(forms, [Form::BiRefNet, Form::IsNet, Form::U2Net]);
        let tagger = names(&["wd-vit-tagger-v3.onnx", "wd-vit-tagger-v3.csv", "other.csv"], None);
        assert_eq!(tagger[0].name.as_deref(), Some("wd-vit-tagger-v3"));
        assert_eq!(tagger[0].files[1], ("selected_tags.csv".to_owned(), "wd-vit-tagger-v3.csv".to_owned()));
        assert_eq!(names(&["model.onnx", "selected_tags.csv"], None)[0].name, None);
        assert!(names(&["model.onnx", "README.md"], None).is_empty());
    }

    #[test]
    fn graphs_that_stand_alone_are_told_by_their_contract() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, inputs: &[&str], outputs: &[&str]| {
            fs::write(folder.path().join(name), fixture::model(inputs, outputs)).expect("writes");
        };
        write("a.onnx", &["input"], &["cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "bbox_32", "kps_8"]);
        write("b.onnx", &["input.1"], &["537", "538", "539", "540"]);
        write("c.onnx", &["input.1"], &["1", "2", "3", "4", "5", "6", "7"]);
        write("d.onnx", &["input_image"], &["output_image"]);
        write("e.onnx", &["x"], &["y"]);
        let forms: Vec<_> = in_folder(folder.path()).iter().map(|candidate| candidate.form).collect();
        assert_eq!(forms, [Form::YuNet, Form::CenterFace, Form::U2Net, Form::BiRefNet]);

        let file = recognise(&folder.path().join("c.onnx")).expect("one");
        assert_eq!((file.form, file.name.as_str(), file.pieces.len()), (Form::U2Net, "c", 1));
        let error = recognise(folder.path()).expect_err("several");
        assert!(error.to_string().contains("several models (a, b, c, d)"), "{error}");
        let error = recognise(&folder.path().join("e.onnx")).expect_err("unknown");
        assert!(error.to_string().contains("e.onnx holds no model that is known here"), "{error}");
        assert!(matches!(recognise(&folder.path().join("none")), Err(ModelsError::Io { .. })));
    }

    #[test]
    fn a_config_of_any_bytes_is_no_model() {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["model.safetensors", "tokenizer.json"] {
            fs::write(folder.path().join(name), "x").expect("writes");
        }
        for config in [&b"\xff\xfe"[..], b"[]", b"{\"model_type\": 3}", b"{", &[b'['; 100_000]] {
            fs::write(folder.path().join("config.json"), config).expect("writes");
            assert!(in_folder(folder.path()).is_empty());
        }
        fs::write(folder.path().join("config.json"), "{\"model_type\": \"clip\"}").expect("writes");
        assert_eq!(in_folder(folder.path())[0].form, Form::Clip);
    }
}
