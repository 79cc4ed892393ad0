//! The kernels of the GPU give what those of the CPU give: every size of tile, row and group, whole and ragged, in every type.

mod attention;
mod elements;
mod norm;
mod pair;
mod product;
