//! The training primitives: a dozen operations, each with an explicit forward and backward, on the processor and on a GPU.
//!
//! Conventions that every function here keeps:
//!
//! - Activations are channels-last: `[batch, tokens, channels]` or `[batch, height, width, channels]`, contiguous, in the
//!   compute type (`f32`; `f64` in gradient checks). Frozen weights may also be stored as `bf16` or `f16`,
//!   frozen matrices in eight or four bits ([`Quantized`]).
//! - A backward function returns the gradient of the *input*. Weights are frozen, so they have no gradient; the few
//!   trainable matrices receive theirs through [`outer_add`], which adds in place.
//! - Work is split by the shapes alone, never by the number of threads: the same inputs give the same bytes on one
//!   thread and on sixteen. Threads come from the rayon pool that the caller has installed.
//! - Each function is the one place where a GPU's kernel ([`cuda`]) stands beside the CPU's; what one device lacks is an
//!   error that names the operation.

mod activation;
mod arrange;
mod attention;
mod counted;
pub mod cuda;
mod device;
mod dora;
mod element;
mod embedding;
mod frozen;
mod loss;
mod matrix;
mod norm;
mod optimizer;
mod parallel;
mod patches;
mod product;
mod quantized;
mod stored;
mod tensor;
mod view;

pub use activation::{Activation, activate, activate_backward, geglu, geglu_backward};
pub use arrange::{
    add, add_all, concat_channels, gather_rows, scale, scatter_rows, split_channels, sum_space, to_channels_first,
    to_channels_last, upsample_nearest, upsample_nearest_backward,
};
pub use attention::{Attended, attention, attention_backward};
pub use counted::multiplications;
pub use device::{Device, first_gpu};
pub use dora::{add_init, channel_product, row_norms, scale_channels};
pub use element::Real;
pub use embedding::{embed, embed_backward};
pub use loss::{WeightedError, add_noise, weighted_squared_error};
pub use norm::{Affine, GROUPS, group_norm, group_norm_backward, layer_norm, layer_norm_backward};
pub use optimizer::{
    AdamW, Prodigy, ProdigyMoments, absolute_sum, adamw, add_sign, prodigy_moments, prodigy_update, row_std,
    squared_sum, std_penalty,
};
pub use patches::Window;
pub use product::{Init, Term, convolve, convolve_backward, linear, linear_backward, outer_add, outer_add_patches};
pub use quantized::{NF4_BLOCK, Quantization, Quantized, Weight};
pub use stored::stored;
pub use tensor::Tensor;
pub use view::{accumulate, clear, read, scale_in_place, write};

/// Errors are candle's own: a wrong shape, type or device, named by the operation that met it.
pub type Result<T> = candle_core::Result<T>;
