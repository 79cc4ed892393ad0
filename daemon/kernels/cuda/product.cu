//! Sums of products on tensor cores: y = init + sum_i scale_i A_i op(W_i) + ..., linear maps, convolutions and their
//! input gradients alike.
//!
//! A block computes one tile of the output. It walks over the inner axes of all terms, slice by slice; slices pass
//! through a pipeline of stages in shared memory. Rows of an image under a window are gathered by the copies themselves.
//! Weights that are not stored in T are widened on the way into shared memory, their loads begun a slice earlier.

#include "product.cuh"

namespace product {

/// The sizes of a tile: of a block, of a slice of the inner axis, of a warp.
template <int Rows, int Columns, int Depth, int WarpRows, int WarpColumns> struct Tile {
    static constexpr int rows = Rows, columns = Columns, depth = Depth;
    static constexpr int warp_rows = WarpRows, warp_columns = WarpColumns;
    static constexpr int threads = Rows / WarpRows * (Columns / WarpColumns) * 32;
    static constexpr int stage = (Rows + Columns) * Depth * 2;
};

/// Brings slices to shared memory: the state of one lane.
template <class T, class Tile, bool Plain> struct Reader {
    static constexpr int chunks_a = Tile::depth / 8, jump_a = Tile::threads / chunks_a, count_a = Tile::rows / jump_a;
    static constexpr int chunks_b = Plain ? Tile::columns / 8 : Tile::depth / 8, jump_b = Tile::threads / chunks_b;
    static constexpr int count_b = (Plain ? Tile::depth : Tile::columns) / jump_b;
    /// Whether f32 weights are read a slice early too: there must be registers for them.
    static constexpr bool early = Tile::rows * Tile::columns / Tile::threads + 8 * count_b <= 64;

    const Args& a;
    const float* levels;
    int row, column;
    int term, slice, left;
    int pixels[count_a];
    int tap_a, channel_a, tap_b, channel_b;
    uint32_t raw[count_b][2];
    float factors[count_b];
    float single[early ? count_b : 1][8];

    __device__ Reader(const Args& a, const float* levels, int row, int column) : a(a), levels(levels), row(row), column(column) {}

    static __device__ int slices(const Term& t) { return (t.source.inner + Tile::depth - 1) / Tile::depth; }
    __device__ int row_a(int i) const { return row + int(threadIdx.x) / chunks_a + i * jump_a; }
    __device__ int inner_a() const { return slice * Tile::depth + int(threadIdx.x) % chunks_a * 8; }

    /// Goes to a slice of a term; `count` slices from there on are to be read.
    __device__ void begin(int at_term, int at_slice, int count) {
        term = at_term, slice = at_slice, left = count;
        if (left <= 0) return;
        const Source& s = a.terms[term].source;
        tap_a = inner_a() / s.channels, channel_a = inner_a() - tap_a * s.channels;
        locate(s);
        if (Plain) {
            const int inner = slice * Tile::depth + int(threadIdx.x) / chunks_b;
            tap_b = inner / s.channels, channel_b = inner - tap_b * s.channels;
        }
    }

    __device__ void locate(const Source& s) {
#pragma unroll
        for (int i = 0; i < count_a; i++) pixels[i] = row_a(i) < a.rows ? pixel(s, row_a(i), tap_a) : -1;
    }

    __device__ void advance() {
        if (--left <= 0) return;
        const Term& t = a.terms[term];
        if (slice + 1 == slices(t)) return begin(term + 1, 0, left);
        slice++;
        channel_a += Tile::depth, channel_b += Tile::depth;
        if (channel_a >= t.source.channels) {
            for (; channel_a >= t.source.channels; tap_a++) channel_a -= t.source.channels;
            locate(t.source);
        }
        if (Plain)
            for (; channel_b >= t.source.channels; tap_b++) channel_b -= t.source.channels;
    }

    /// Row and column of the weight where chunk i begins; whether that is inside.
    __device__ bool place(const Term& t, int i, int& at_row, int& at_column) const {
        const int line = int(threadIdx.x) / chunks_b + i * jump_b, offset = int(threadIdx.x) % chunks_b * 8;
        if (!Plain) {
            at_row = column + line, at_column = slice * Tile::depth + offset;
            return at_row < a.columns && at_column < t.columns;
        }
        int tap = tap_b;
        at_row = channel_b + i * jump_b;
        for (; at_row >= t.source.channels; tap++) at_row -= t.source.channels;
        at_column = tap * a.columns + column + offset;
        return column + offset < a.columns && tap < t.source.kernel * t.source.kernel;
    }

    /// Begins to read what must be widened of the slice that comes next.
    __device__ void fetch() {
        if (left <= 0) return;
        const Term& t = a.terms[term];
        if (!t.wide || t.kind == NATIVE) return;
        if (t.kind == SINGLE && !early) return;
#pragma unroll
        for (int i = 0; i < count_b; i++) {
            int at_row, at_column;
            const bool inside = place(t, i, at_row, at_column);
            const int64 at = int64(at_row) * t.columns + at_column;
            if (t.kind == SINGLE) {
                if constexpr (early) read_single(t, at, inside, single[i]);
                continue;
            }
            raw[i][0] = raw[i][1] = 0, factors[i] = 0.0f;
            if (!inside) continue;
            if (t.kind == INT8) {
                const uint32_t* from = reinterpret_cast<const uint32_t*>(static_cast<const int8_t*>(t.weight) + at);
                struct alignas(8) Pair { uint32_t x, y; } pair = *reinterpret_cast<const Pair*>(from);
                raw[i][0] = pair.x, raw[i][1] = pair.y, factors[i] = t.scales[at_row];
            } else {
                raw[i][0] = static_cast<const uint32_t*>(t.weight)[at >> 3], factors[i] = t.scales[at >> 6];
            }
        }
    }

    static __device__ void read_single(const Term& t, int64 at, bool inside, float (&to)[8]) {
        const Quad* from = reinterpret_cast<const Quad*>(static_cast<const float*>(t.weight) + at);
        const Quad low = inside ? from[0] : Quad{0, 0, 0, 0}, high = inside ? from[1] : Quad{0, 0, 0, 0};
        memcpy(to, &low, 16), memcpy(to + 4, &high, 16);
    }

    static __device__ void put(char* to, const float (&values)[8]) { store(reinterpret_cast<T*>(to), values); }

    /// Writes the slice to a stage, or begins to.
    __device__ void issue(char* stage) {
        if (left <= 0) return;
        const Term& t = a.terms[term];
        if (t.source.wide) {
            char* to[count_a];
            const void* from[count_a];
            bool inside[count_a];
#pragma unroll
            for (int i = 0; i < count_a; i++) {
                inside[i] = pixels[i] >= 0;
                to[i] = chunk_a(stage, i);
                from[i] = static_cast<const T*>(t.source.image) + (inside[i] ? int64(pixels[i]) * t.source.channels + channel_a : 0);
            }
            copy_chunks(to, from, inside);
        } else {
            issue_elements(t, stage);
        }
        char* const stage_b = stage + Tile::rows * Tile::depth * 2;
        if (!t.wide) return issue_weight_elements(t, stage_b);
        if (t.kind == NATIVE) {
            char* to[count_b];
            const void* from[count_b];
            bool inside[count_b];
#pragma unroll
            for (int i = 0; i < count_b; i++) {
                int at_row, at_column;
                inside[i] = place(t, i, at_row, at_column);
                to[i] = chunk_b(stage_b, i);
                from[i] = static_cast<const T*>(t.weight) + (inside[i] ? int64(at_row) * t.columns + at_column : 0);
            }
            copy_chunks(to, from, inside);
            return;
        }
#pragma unroll
        for (int i = 0; i < count_b; i++) {
            float values[8];
            if (t.kind == SINGLE) {
                if constexpr (early) {
                    put(chunk_b(stage_b, i), single[i]);
                } else {
                    int at_row, at_column;
                    const bool inside = place(t, i, at_row, at_column);
                    read_single(t, int64(at_row) * t.columns + at_column, inside, values);
                    put(chunk_b(stage_b, i), values);
                }
                continue;
            }
#pragma unroll
            for (int j = 0; j < 8; j++)
                values[j] = factors[i] * (t.kind == INT8 ? float(int8_t(raw[i][j / 4] >> j % 4 * 8)) : levels[raw[i][0] >> 4 * j & 15]);
            put(chunk_b(stage_b, i), values);
        }
    }

    __device__ char* chunk_a(char* stage, int i) const {
        return stage + swizzled<chunks_a>(int(threadIdx.x) / chunks_a + i * jump_a, int(threadIdx.x) % chunks_a);
    }
    __device__ char* chunk_b(char* stage, int i) const {
        return stage + swizzled<chunks_b>(int(threadIdx.x) / chunks_b + i * jump_b, int(threadIdx.x) % chunks_b);
    }

    /// Element by element, where channels or addresses allow no more.
    __device__ void issue_elements(const Term& t, char* stage) const {
#pragma unroll 1
        for (int i = 0; i < 8 * count_a; i++) {
            T* to = reinterpret_cast<T*>(chunk_a(stage, i / 8)) + i % 8;
            *to = row_a(i / 8) < a.rows ? input_at<T>(t.source, row_a(i / 8), inner_a() + i % 8) : narrow<T>(0.0f);
        }
    }
    __device__ void issue_weight_elements(const Term& t, char* stage) const {
#pragma unroll 1
        for (int i = 0; i < 8 * count_b; i++) {
            int at_row, at_column;
            const bool begins = place(t, i / 8, at_row, at_column);
            const int end = Plain ? a.columns - column - int(threadIdx.x) % chunks_b * 8 : t.columns - at_column;
            T* to = reinterpret_cast<T*>(chunk_b(stage, i / 8)) + i % 8;
            *to = narrow<T>(begins && i % 8 < end ? weight_at<T>(t, at_row, at_column + i % 8) : 0.0f);
        }
    }
};

/// Where a lane's rows of fragments begin in the parts of a stage. Further fragments lie a constant further on, or have
/// one bit of their chunk turned: swizzling keeps both.
template <class Tile, bool Plain> struct Fragments {
    static constexpr int chunks_a = Tile::depth / 8, chunks_b = Plain ? Tile::columns / 8 : Tile::depth / 8;
    int left, right;

    __device__ Fragments(int warp_row, int warp_column) {
        left = swizzled<chunks_a>(warp_row + (lane() & 15), lane() >> 4);
        right = Tile::rows * Tile::depth * 2 +
            (Plain ? swizzled<chunks_b>(lane() & 15, warp_column / 8 + (lane() >> 4))
                   : swizzled<chunks_b>(warp_column + (lane() & 7) + (lane() >> 4) * 8, lane() >> 3 & 1));
    }
};

/// Adds the product of one stage to a warp's accumulators.
template <class T, class Tile, bool Plain, int M, int N>
__device__ inline void multiply(const char* stage, const Fragments<Tile, Plain>& at, float (&sums)[M][N][4]) {
    constexpr int line_a = 16 * 16 * Tile::depth / 8, line_b = 16 * 16 * Fragments<Tile, Plain>::chunks_b;
#pragma unroll
    for (int k = 0; k < Tile::depth / 16; k++) {
        uint32_t left[M][4], right[N / 2][4];
#pragma unroll
        for (int n = 0; n < N / 2; n++) {
            if (Plain) load_matrices_transposed(right[n], stage + (at.right ^ 32 * n) + k * line_b);
            else load_matrices(right[n], stage + (at.right ^ 32 * k) + n * line_b);
        }
#pragma unroll
        for (int m = 0; m < M; m++) load_matrices(left[m], stage + (at.left ^ 32 * k) + m * line_a);
#pragma unroll
        for (int m = 0; m < M; m++)
#pragma unroll
            for (int n = 0; n < N; n++)
                mma<T>(sums[m][n], left[m], {right[n / 2][n % 2 * 2], right[n / 2][n % 2 * 2 + 1]});
    }
}

/// One tile of the output, or of one split of its sum. The grid is [tiles, splits].
template <class T, class Tile, bool Plain> __device__ void run(const Args& a) {
    constexpr int M = Tile::warp_rows / 16, N = Tile::warp_columns / 8, width = Tile::warp_columns;
    char* const memory = shared_memory();
    float* const levels = reinterpret_cast<float*>(memory);
    char* const ring = memory + a.table;
    if (a.table) {
        if (threadIdx.x < 16) levels[threadIdx.x] = NF4_LEVELS[threadIdx.x];
        __syncthreads();
    }

    int row, column;
    tile_of_block(a.row_tiles, a.column_tiles, row, column);
    row *= Tile::rows, column *= Tile::columns;
    const int warp_row = warp() / (Tile::columns / width) * Tile::warp_rows, warp_column = warp() % (Tile::columns / width) * width;

    using Lane = Reader<T, Tile, Plain>;
    Lane reader(a, levels, row, column);
    int term = 0, start = blockIdx.y * a.share, total = 0;
    for (int i = 0; i < a.count; i++) total += Lane::slices(a.terms[i]);
    const int count = min(a.share, total - start);
    while (count > 0 && start >= Lane::slices(a.terms[term])) start -= Lane::slices(a.terms[term++]);
    reader.begin(term, start, count);
    reader.fetch();

    const Fragments<Tile, Plain> fragments(warp_row, warp_column);
    float sums[M][N][4] = {};
    int ends = count > 0 ? Lane::slices(a.terms[term]) - start : 0;
    int reads = 0, writes = 0;
    // The first rounds only fill the pipeline.
    for (int i = 1 - a.stages; i < count; i++) {
        if (i >= 0) {
            stage_done(a.stages);
            __syncthreads();
        }
        reader.issue(ring + writes * Tile::stage);
        copies_issued();
        reader.advance();
        reader.fetch();
        if (++writes == a.stages) writes = 0;
        if (i < 0) continue;
        // What lanes did above differs by lane; fragments are read by the whole warp.
        __syncwarp();
        multiply<T>(ring + reads * Tile::stage, fragments, sums);
        if (++reads == a.stages) reads = 0;
        if (--ends == 0) {
            // The sums are kept in units of the term's scale, so that scales cost nothing on the way.
            const float scale = a.terms[term].scale, next = i + 1 < count ? a.terms[term + 1].scale : 1.0f;
            if (i + 1 < count) ends = Lane::slices(a.terms[++term]);
            if (scale != next) {
#pragma unroll
                for (int m = 0; m < M * N * 4; m++) sums[m / (4 * N)][m / 4 % N][m % 4] *= scale / next;
            }
        }
    }
    const float scale = ends > 0 ? a.terms[term].scale : 1.0f;
    copies_done<0>();
    __syncthreads();

    // Sixteen rows of the warp at a time: fragments are turned into rows in shared memory that is the warp's alone.
    constexpr int stride = width + 8, across = width / 8, down = 32 / across;
    float* const turned = reinterpret_cast<float*>(ring) + warp() * 16 * stride;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < N; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float* to = turned + (lane() / 4 + 8 * half) * stride + 8 * n + 2 * (lane() % 4);
                to[0] = sums[m][n][2 * half] * scale, to[1] = sums[m][n][2 * half + 1] * scale;
            }
        __syncwarp();
#pragma unroll
        for (int pass = 0; pass < 16 / down; pass++) {
            const int line = pass * down + lane() / across, offset = lane() % across * 8;
            const int at_row = row + warp_row + 16 * m + line, at_column = column + warp_column + offset;
            float values[8];
            load(turned + line * stride + offset, reinterpret_cast<float(&)[4]>(values[0]));
            load(turned + line * stride + offset + 4, reinterpret_cast<float(&)[4]>(values[4]));
            if (at_row >= a.rows || at_column >= a.columns) continue;
            if (!a.partial) {
                finish<T, 8>(a, at_row, at_column, values);
                continue;
            }
            float* to = a.partial + (int64(blockIdx.y) * a.rows + at_row) * a.columns + at_column;
            if (a.columns % 8 == 0) {
                store(to, reinterpret_cast<const float(&)[4]>(values[0]));
                store(to + 4, reinterpret_cast<const float(&)[4]>(values[4]));
            } else {
#pragma unroll
                for (int i = 0; i < 8; i++)
                    if (at_column + i < a.columns) to[i] = values[i];
            }
        }
        __syncwarp();
    }
}

/// Tiles by the shape of the output; the list stands in Rust too.
using Broad = Tile<128, 256, 32, 64, 64>;
using Square = Tile<128, 128, 32, 64, 32>;
using Tall = Tile<128, 64, 32, 64, 32>;
using Small = Tile<64, 64, 64, 32, 32>;
using Thin = Tile<64, 32, 64, 16, 32>;

}  // namespace product

#define PRODUCT(T, name, Shape, blocks) \
    KERNEL(product_##name##_##T, product::Args, product::Shape::threads, blocks, product::run<T, product::Shape, false>) \
    KERNEL(product_##name##_plain_##T, product::Args, product::Shape::threads, blocks, product::run<T, product::Shape, true>)
PRODUCT(bf16, broad, Broad, 1)
PRODUCT(bf16, square, Square, 2)
PRODUCT(bf16, tall, Tall, 3)
PRODUCT(bf16, small, Small, 3)
PRODUCT(bf16, thin, Thin, 4)
PRODUCT(f16, broad, Broad, 1)
PRODUCT(f16, square, Square, 2)
PRODUCT(f16, tall, Tall, 3)
PRODUCT(f16, small, Small, 3)
PRODUCT(f16, thin, Thin, 4)
#undef PRODUCT
