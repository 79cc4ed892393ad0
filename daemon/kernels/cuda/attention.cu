//! Attention's kernels by name: attention_forward; attention_queries (backward: dq and delta); attention_keys (backward
//! too: dk and dv); attention_sum (dk and dv of split queries). Each for the depths of heads that models have.

#include "attention_backward.cuh"
#include "attention_forward.cuh"
#include "attention_plain.cuh"
#include "attention_wide.cuh"

// `depth` is that of the tiles, a head's columns rounded up; a block of the forward kernel has 64 queries, or 128 where
// they are many. `blocks`, `q_blocks` and `k_blocks` are how many blocks share a multiprocessor.
#define ATTENTION_FORWARD(depth, groups, rows, blocks, dtype) \
    KERNEL(attention_forward_d##depth##_q##rows##_##dtype, attention::Forward, 128, blocks, \
        attention::forward<dtype, depth, groups>)
#define ATTENTION_BACKWARD(depth, q_blocks, k_blocks, dtype) \
    KERNEL(attention_queries_d##depth##_##dtype, attention::Backward, 128, q_blocks, \
        attention::backward_queries<dtype, depth>) \
    KERNEL(attention_keys_d##depth##_##dtype, attention::Backward, 128, k_blocks, \
        attention::backward_keys<dtype, depth>)
#define ATTENTION(dtype) \
    ATTENTION_FORWARD(16, 1, 64, 3, dtype) \
    ATTENTION_FORWARD(32, 1, 64, 3, dtype) \
    ATTENTION_FORWARD(48, 1, 64, 3, dtype) \
    ATTENTION_FORWARD(48, 2, 128, 2, dtype) \
    ATTENTION_FORWARD(64, 1, 64, 3, dtype) \
    ATTENTION_FORWARD(64, 2, 128, 2, dtype) \
    ATTENTION_FORWARD(80, 1, 64, 2, dtype) \
    ATTENTION_FORWARD(160, 1, 64, 2, dtype) \
    ATTENTION_BACKWARD(16, 3, 3, dtype) \
    ATTENTION_BACKWARD(32, 3, 3, dtype) \
    ATTENTION_BACKWARD(48, 3, 3, dtype) \
    ATTENTION_BACKWARD(64, 3, 2, dtype) \
    ATTENTION_BACKWARD(80, 2, 2, dtype) \
    ATTENTION_BACKWARD(160, 2, 2, dtype) \
    KERNEL(attention_forward_d512_q32_##dtype, attention::Forward, 256, 1, attention::wide_forward<dtype>) \
    KERNEL(attention_queries_d512_##dtype, attention::Backward, 256, 1, attention::wide_backward<dtype, false>) \
    KERNEL(attention_keys_d512_##dtype, attention::Backward, 256, 1, attention::wide_backward<dtype, true>) \
    KERNEL(attention_sum_##dtype, attention::Sum, 256, 4, attention::sum_partials<dtype>)

ATTENTION(bf16)
ATTENTION(f16)

#define ATTENTION_PLAIN(depth) \
    KERNEL(attention_forward_d##depth##_q32_f32, attention::Forward, 256, 1, attention::plain_forward<depth / 32>) \
    KERNEL(attention_queries_d##depth##_f32, attention::Backward, 256, 1, \
        attention::plain_backward<depth / 32, false>) \
    KERNEL(attention_keys_d##depth##_f32, attention::Backward, 256, 1, attention::plain_backward<depth / 32, true>)
ATTENTION_PLAIN(64)
ATTENTION_PLAIN(160)
ATTENTION_PLAIN(512)
