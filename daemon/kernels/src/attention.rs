//! Scaled dot-product attention that keeps no score matrix: the backward pass makes the scores again from the log-sum
//! of each row (Dao et al., arXiv 2205.14135).

use crate::{
    Result, Tensor, cuda,
    element::{Real, dispatch, vectorized},
    matrix::{Matrix, Target, multiply},
    norm::lanes_sum,
    parallel::{Shared, for_each_costing},
    view::{Slice, build, read, same_shape},
};
use candle_core::Error;

/// Scores that a task holds at once, so that they stay in the second cache.
const SCORES: usize = 128 * 1024;

/// softmax(q k^T / sqrt(d)) v per head. `q [B, N, heads d]`, `k, v [B, M, heads d]` -> (`o [B, N, heads d]`,
/// `log_sums [B, heads, N]`, which [`attention_backward`] wants). With `causal`, position n sees positions 0..=n.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<(Tensor, Tensor)> {
    if let Some(gpu) = q.gpu() {
        return cuda::attention::attention(gpu, q, k, v, heads, causal);
    }
    let shape = Shape::new(q, k, v, heads, causal)?;
    dispatch!(q, "attention", T => {
        let (qs, ks, vs) = (read::<T>(q)?, read::<T>(k)?, read::<T>(v)?);
        let mut log_sums = vec![T::ZERO; shape.batch * heads * shape.queries];
        let output = build::<T, _>(q.shape(), q.device(), |out| {
            let (out, sums) = (Shared::new(out), Shared::new(&mut log_sums));
            let blocks = shape.queries.div_ceil(shape.block());
            for_each_costing(shape.batch * heads * blocks, shape.cost() / blocks, |task| {
                let (pair, block) = (task / blocks, task % blocks);
                let head = Head::new(&shape, pair);
                let (first, count) = shape.block_span(block);
                let keys = shape.keys_seen(first + count);
                let mut scores = vec![T::ZERO; count * keys];
                head.scores(&qs, &ks, first, count, keys, &mut scores);
                // SAFETY: each task has queries of its own.
                let sums = unsafe { sums.part(pair * shape.queries + first, count) };
                vectorized(#[inline(always)] || {
                    for (n, (row, sum)) in scores.chunks_exact_mut(keys).zip(sums).enumerate() {
                        let seen = shape.keys_seen(first + n + 1);
                        *sum = softmax(&mut row[..seen], shape.scale());
                        row[seen..].fill(T::ZERO);
                    }
                });
                let target = Target {
                    // SAFETY: as above.
                    start: unsafe { out.at(head.query_offset + first * shape.width) },
                    rows: count,
                    cols: shape.depth,
                    row_stride: shape.width,
                };
                // SAFETY: as above.
                unsafe { multiply(target, false, T::ONE, Matrix::dense(&scores, count, keys), head.keys(&vs, keys)) };
            });
            Ok(())
        })?;
        Ok((output, Tensor::from_vec(log_sums, (shape.batch, heads, shape.queries), q.device())?))
    })
}

/// What [`attention`] worked on and made, for its backward pass.
#[derive(Clone, Copy)]
pub struct Attended<'a> {
    /// `[B, N, heads d]`.
    pub q: &'a Tensor,
    /// `[B, M, heads d]`.
    pub k: &'a Tensor,
    /// `[B, M, heads d]`.
    pub v: &'a Tensor,
    /// The output, `[B, N, heads d]`.
    pub o: &'a Tensor,
    /// `[B, heads, N]`.
    pub log_sums: &'a Tensor,
}

/// The gradients (dq, dk, dv) of [`attention`].
///
/// With P = exp(scale q k^T - log_sum): dv = P^T do; dS = P (do v^T - rowsum(do o)); dq = scale dS k; dk = scale dS^T q.
///
/// # Errors
/// If shapes, types or devices disagree.
pub fn attention_backward(
    grad: &Tensor,
    attended: Attended,
    heads: usize,
    causal: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    if let Some(gpu) = grad.gpu() {
        return cuda::attention::attention_backward(gpu, grad, attended, heads, causal);
    }
    let Attended { q, k, v, o, log_sums } = attended;
    same_shape("attention backward", grad, q)?;
    same_shape("attention backward", o, q)?;
    let shape = Shape::new(q, k, v, heads, causal)?;
    dispatch!(q, "attention backward", T => {
        let (qs, ks, vs, os) = (read::<T>(q)?, read::<T>(k)?, read::<T>(v)?, read::<T>(o)?);
        let (grads, sums) = (read::<T>(grad)?, read::<T>(log_sums)?);
        let mut dq = vec![T::ZERO; qs.len()];
        let (mut dk, mut dv) = (vec![T::ZERO; ks.len()], vec![T::ZERO; vs.len()]);
        let (dq_shared, dk_shared, dv_shared) = (Shared::new(&mut dq), Shared::new(&mut dk), Shared::new(&mut dv));
        // One task a head: the sums over queries that make dk and dv stay in one order.
        for_each_costing(shape.batch * heads, 3 * shape.cost(), |pair| {
            let head = Head::new(&shape, pair);
            // SAFETY: a head's columns are this task's alone, in all three outputs.
            let (dq, dk, dv) = unsafe {
                (dq_shared.at(head.query_offset), dk_shared.at(head.key_offset), dv_shared.at(head.key_offset))
            };
            let target = |start, rows| Target { start, rows, cols: shape.depth, row_stride: shape.width };
            let mut p = vec![T::ZERO; shape.block() * shape.keys];
            let mut ds = p.clone();
            for block in 0..shape.queries.div_ceil(shape.block()) {
                let (first, count) = shape.block_span(block);
                let keys = shape.keys_seen(first + count);
                let (p, ds) = (&mut p[..count * keys], &mut ds[..count * keys]);
                head.scores(&qs, &ks, first, count, keys, p);
                let grad = head.queries(&grads, first, count);
                // SAFETY: `ds` is ours.
                unsafe { multiply(Target::dense(ds, count, keys), false, T::ONE, grad, head.keys(&vs, keys).transposed()) };
                vectorized(#[inline(always)] || {
                    let scale = shape.scale::<T>();
                    for n in 0..count {
                        let at = head.query_offset + (first + n) * shape.width;
                        let (g, o) = (&grads[at..at + shape.depth], &os[at..at + shape.depth]);
                        let delta = lanes_sum([g, o], |[g, o]| g * o);
                        let sum = sums[pair * shape.queries + first + n];
                        let (p, ds) = (&mut p[n * keys..(n + 1) * keys], &mut ds[n * keys..(n + 1) * keys]);
                        let seen = shape.keys_seen(first + n + 1);
                        let (seen_p, seen_ds) = (&mut p[..seen], &mut ds[..seen]);
                        for m in 0..seen {
                            seen_p[m] = Real::exp(seen_p[m] * scale - sum);
                            seen_ds[m] = seen_p[m] * (seen_ds[m] - delta);
                        }
                        p[seen..].fill(T::ZERO);
                        ds[seen..].fill(T::ZERO);
                    }
                });
                let (p, ds) = (Matrix::dense(p, count, keys), Matrix::dense(ds, count, keys));
                let scale = shape.scale();
                // SAFETY: this task's columns of the outputs.
                unsafe {
                    multiply(target(dv, keys), true, T::ONE, p.transposed(), grad);
                    multiply(target(dk, keys), true, scale, ds.transposed(), head.queries(&qs, first, count));
                    multiply(target(dq.add(first * shape.width), count), false, scale, ds, head.keys(&ks, keys));
                }
            }
        });
        let tensor = |values: Vec<T>, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((tensor(dq, q)?, tensor(dk, k)?, tensor(dv, v)?))
    })
}

/// Turns scores into probabilities of exp(scale x) and returns the log of their sum.
#[inline(always)]
fn softmax<T: Real>(row: &mut [T], scale: T) -> T {
    let mut largest = row[0];
    for &x in row.iter() {
        largest = Real::max(largest, x);
    }
    for x in row.iter_mut() {
        *x = Real::exp((*x - largest) * scale);
    }
    let sum = lanes_sum([&*row], |[x]| x);
    let reciprocal = T::ONE / sum;
    for x in row.iter_mut() {
        *x *= reciprocal;
    }
    largest * scale + T::from_f64(sum.to_f64().ln())
}

struct Shape {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    /// Columns of a head.
    depth: usize,
    /// Columns of all heads.
    width: usize,
    causal: bool,
}

impl Shape {
    fn new(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, causal: bool) -> Result<Self> {
        let ((batch, queries, width), (key_batch, keys, key_width)) = (q.dims3()?, k.dims3()?);
        same_shape("attention", k, v)?;
        if batch != key_batch || width != key_width || width % heads != 0 || keys == 0 || (causal && keys != queries) {
            return Err(Error::Msg(format!("attention: {:?} and {:?} do not fit {heads} heads", q.shape(), k.shape())));
        }
        Ok(Self { batch, heads, queries, keys, depth: width / heads, width, causal })
    }

    fn scale<T: Real>(&self) -> T {
        T::from_f64(1.0 / (self.depth as f64).sqrt())
    }

    /// Multiplications of a head's forward pass.
    fn cost(&self) -> usize {
        2 * self.queries * self.keys * self.depth
    }

    /// Queries of one task.
    fn block(&self) -> usize {
        (SCORES / self.keys).clamp(32, 256)
    }

    fn block_span(&self, block: usize) -> (usize, usize) {
        let first = block * self.block();
        (first, self.block().min(self.queries - first))
    }

    /// How many keys the first `queries` queries see together.
    fn keys_seen(&self, queries: usize) -> usize {
        if self.causal { queries.min(self.keys) } else { self.keys }
    }
}

/// One head of one sample.
struct Head<'a> {
    shape: &'a Shape,
    query_offset: usize,
    key_offset: usize,
}

impl<'a> Head<'a> {
    fn new(shape: &'a Shape, pair: usize) -> Self {
        let (sample, head) = (pair / shape.heads, pair % shape.heads);
        let offset = |rows: usize| sample * rows * shape.width + head * shape.depth;
        Self { shape, query_offset: offset(shape.queries), key_offset: offset(shape.keys) }
    }

    fn queries<'b, T>(&self, values: &'b [T], first: usize, count: usize) -> Matrix<'b, T> {
        let start = self.query_offset + first * self.shape.width;
        Matrix::strided(&values[start..], count, self.shape.depth, self.shape.width)
    }

    fn keys<'b, T>(&self, values: &'b [T], count: usize) -> Matrix<'b, T> {
        Matrix::strided(&values[self.key_offset..], count, self.shape.depth, self.shape.width)
    }

    fn scores<T: Real>(&self, q: &Slice<T>, k: &Slice<T>, first: usize, count: usize, keys: usize, scores: &mut [T]) {
        let target = Target::dense(scores, count, keys);
        // SAFETY: `scores` is the caller's own.
        unsafe { multiply(target, false, T::ONE, self.queries(q, first, count), self.keys(k, keys).transposed()) };
    }
}
