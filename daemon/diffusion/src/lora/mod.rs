//! Where adapters sit: the names of layers in both conventions, the choice of targets, and binding trainables to them.

mod file;
mod host;

pub use file::{Naming, apply, embeddings, export, initial_values};
pub use host::to_host;

use crate::{
    Error, Model, Result,
    layer::{Adapter, Parameters, Projection},
};

/// The names of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPath {
    /// `unet`, `te`, `te1` or `te2`, as LoRA files abbreviate them.
    pub model: String,
    /// In the checkpoint's own layout, such as `input_blocks.4.1.proj_in`.
    pub original: String,
    /// In diffusers' layout, such as `down_blocks.1.attentions.0.proj_in`.
    pub diffusers: String,
}

impl LayerPath {
    /// A layer of the UNet.
    pub fn unet(original: &str, diffusers: &str) -> Self {
        Self { model: "unet".into(), original: original.into(), diffusers: diffusers.into() }
    }

    /// A layer of a text encoder, which has one name.
    pub fn text(model: &str, path: &str) -> Self {
        Self { model: model.into(), original: path.into(), diffusers: path.into() }
    }

    /// A layer below this one that both conventions name alike.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        self.both(name, name)
    }

    /// A layer below this one.
    #[must_use]
    pub fn both(&self, original: &str, diffusers: &str) -> Self {
        Self {
            model: self.model.clone(),
            original: format!("{}.{original}", self.original),
            diffusers: format!("{}.{diffusers}", self.diffusers),
        }
    }

    /// A name that no other layer has.
    pub fn id(&self) -> String {
        format!("{}.{}", self.model, self.diffusers)
    }
}

/// Which layers get an adapter: suffixes of their paths in diffusers' layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// In the UNet.
    pub unet: Vec<String>,
    /// In the text encoders.
    pub text: Vec<String>,
}

const ATTENTION: [&str; 4] = ["to_q", "to_k", "to_v", "to_out.0"];
const TRANSFORMER: [&str; 4] = ["ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"];
const CONVOLUTIONS: [&str; 6] =
    ["conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv"];
const TEXT_ATTENTION: [&str; 4] = ["q_proj", "k_proj", "v_proj", "out_proj"];
const TEXT_MLP: [&str; 2] = ["mlp.fc1", "mlp.fc2"];

impl Targets {
    /// A named choice: `attn` (q, k, v, out), `eden` (attention and the second convolution of each residual block),
    /// `transformer` (attention, feed-forward, projections) or `all`. With `text`, the matching layers of the text
    /// encoders too.
    ///
    /// # Errors
    /// If there is no such choice.
    pub fn named(name: &str, text: bool) -> Result<Self> {
        let unet: Vec<&str> = match name {
            "attn" => ATTENTION.to_vec(),
            "eden" => [&ATTENTION[..], &["conv2"]].concat(),
            "transformer" => [ATTENTION, TRANSFORMER].concat(),
            "all" => [&ATTENTION[..], &TRANSFORMER, &CONVOLUTIONS].concat(),
            _ => return Err(Error::Invalid(format!("LoRA targets `{name}`: choose attn, eden, transformer or all"))),
        };
        let wide = matches!(name, "transformer" | "all");
        let text: Vec<&str> = match (text, wide) {
            (false, _) => Vec::new(),
            (true, false) => TEXT_ATTENTION.to_vec(),
            (true, true) => [&TEXT_ATTENTION[..], &TEXT_MLP].concat(),
        };
        let owned = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        Ok(Self { unet: owned(unet), text: owned(text) })
    }

    /// Layers of the UNet whose path ends in one of `suffixes`.
    pub fn suffixes(suffixes: Vec<String>) -> Self {
        Self { unet: suffixes, text: Vec::new() }
    }

    pub(crate) fn includes(&self, path: &LayerPath) -> bool {
        let suffixes = if path.model == "unet" { &self.unet } else { &self.text };
        let ends =
            |suffix: &String| path.diffusers.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'));
        suffixes.iter().any(ends)
    }
}

/// A layer that gets an adapter, and the shapes of that adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The layer.
    pub path: LayerPath,
    /// Outputs of the layer.
    pub out_channels: usize,
    /// Inputs of the layer, every tap counted.
    pub fan_in: usize,
    /// Side of the kernel if files store the layer as a convolution.
    pub conv_kernel: Option<usize>,
    /// Rank of the adapter.
    pub rank: usize,
}

impl Site {
    fn new(path: &LayerPath, layer: &Projection, rank: usize) -> Self {
        Self {
            path: path.clone(),
            out_channels: layer.out_channels(),
            fan_in: layer.fan_in(),
            conv_kernel: layer.conv_kernel(),
            rank,
        }
    }

    /// `[rank, fan_in]`.
    pub fn down_shape(&self) -> Vec<usize> {
        vec![self.rank, self.fan_in]
    }

    /// `[out, rank]`.
    pub fn up_shape(&self) -> Vec<usize> {
        vec![self.out_channels, self.rank]
    }

    /// Names of the parameters of this site: down, up and, for DoRA, magnitude.
    pub fn names(&self, dora: bool) -> Vec<String> {
        let parts = if dora { &["down", "up", "magnitude"][..] } else { &["down", "up"] };
        parts.iter().map(|part| format!("{}.{part}", self.path.id())).collect()
    }
}

fn visit(model: &mut Model, see: &mut dyn FnMut(&LayerPath, &mut Projection)) {
    model.text.visit(see);
    model.unet.visit(see);
}

/// The layers of `model` that `targets` chooses, text encoders first.
pub fn sites(model: &mut Model, targets: &Targets, rank: usize) -> Vec<Site> {
    let mut sites = Vec::new();
    visit(model, &mut |path, layer| {
        if targets.includes(path) {
            sites.push(Site::new(path, layer, rank));
        }
    });
    sites
}

/// Puts an adapter at every site whose parameters are in `parameters` under [`Site::names`], in place of what was there.
/// `scale` is alpha / rank times the strength.
///
/// # Errors
/// If a site's layer or parameter does not exist.
pub fn attach(model: &mut Model, sites: &[Site], parameters: &Parameters, scale: impl Fn(&Site) -> f64) -> Result<()> {
    let index: std::collections::HashMap<&str, usize> =
        parameters.entries().iter().enumerate().map(|(i, entry)| (entry.name.as_str(), i)).collect();
    let by_id: std::collections::HashMap<String, &Site> = sites.iter().map(|site| (site.path.id(), site)).collect();
    let find = |name: &str| index.get(name).map(|&i| parameters.parameter(i)).transpose();
    let (mut attached, mut failure) = (0, None);
    visit(model, &mut |path, layer| {
        let Some(site) = by_id.get(&path.id()) else { return };
        let names = site.names(true);
        match (find(&names[0]), find(&names[1]), find(&names[2])) {
            (Ok(Some(down)), Ok(Some(up)), Ok(magnitude)) => {
                layer.adapter = Some(Adapter { down, up, magnitude, scale: scale(site) });
                attached += 1;
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => failure = Some(error),
            _ => {}
        }
    });
    match failure {
        Some(error) => Err(error),
        None if attached != sites.len() => {
            Err(Error::Invalid(format!("bug: {attached} of {} adapters found their layer", sites.len())))
        }
        None => Ok(()),
    }
}

/// Takes every adapter away.
pub fn detach(model: &mut Model) {
    visit(model, &mut |_, layer| layer.adapter = None);
}

/// Multiplies the strength of every adapter.
pub fn scale_strength(model: &mut Model, factor: f64) {
    visit(model, &mut |_, layer| {
        if let Some(adapter) = &mut layer.adapter {
            adapter.scale *= factor;
        }
    });
}
