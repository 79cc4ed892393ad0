//! A GPU in plain C++: blocks, warps and lanes on the CPU, for tests of kernels on machines that have no GPU.
//!
//! Lanes of a block are fibers of one thread; they change hands only at barriers and warp operations. EMULATED_ORDER=backward
//! runs warps and lanes from the last to the first: a kernel that forgets a barrier gives another result in one of both orders.
//! Asynchronous copies happen when they are waited for, not before; fresh memory holds NaNs. It proves results, not speed.

#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __restrict__
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __shared__ static __thread
#define __constant__ static const

struct Dim { unsigned x, y, z; };
/// What a running lane sees; the machine sets them before it lets a lane go on.
extern __thread Dim threadIdx, blockIdx, blockDim, gridDim;

/// The block's dynamic shared memory.
char* shared_memory();
/// Waits for all lanes of the block that have not ended.
void __syncthreads();
/// Waits for all lanes of the warp that have not ended.
void __syncwarp(unsigned = 0xffffffffu);
/// Gives `mine` (up to 64 bytes) to the warp and returns the table of all 32 lanes' values, 64 bytes apart. It stays
/// valid until the call after the next: two tables take turns, so that no second barrier is needed.
const char* warp_exchange(const void* mine, unsigned size);

template <class T> inline T warp_read(T value, int from) {
    T all;
    const char* table = warp_exchange(&value, sizeof(T));
    std::memcpy(&all, table + 64 * (from & 31), sizeof(T));
    return all;
}
template <class T> inline T __shfl_xor_sync(unsigned, T value, int mask) { return warp_read(value, (threadIdx.x & 31) ^ mask); }
template <class T> inline T __shfl_sync(unsigned, T value, int from) { return warp_read(value, from); }
template <class T> inline T __shfl_down_sync(unsigned, T value, int by) {
    int from = int(threadIdx.x & 31) + by;
    return warp_read(value, from < 32 ? from : int(threadIdx.x & 31));
}

inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
using std::erf;
template <class T> inline T min(T a, T b) { return a < b ? a : b; }
template <class T> inline T max(T a, T b) { return a > b ? a : b; }

float half_bits_to_float(uint16_t bits);
uint16_t float_to_half_bits(float x);

template <class Widen> void emulate_mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Widen widen) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const char* table = warp_exchange(mine, sizeof mine);
    auto half = [&](int lane, int word, int k) {
        uint32_t pair;
        std::memcpy(&pair, table + 64 * lane + 4 * word, 4);
        return widen(uint16_t(k & 1 ? pair >> 16 : pair));
    };
    const int g = int(threadIdx.x & 31) / 4, t = threadIdx.x & 3;
    for (int i = 0; i < 4; i++) {
        const int row = g + (i / 2) * 8, col = 2 * t + (i & 1);
        float sum = 0;
        for (int k = 0; k < 16; k++)
            sum += half(row % 8 * 4 + k % 8 / 2, row / 8 + 2 * (k / 8), k) * half(col * 4 + k % 8 / 2, 4 + k / 8, k);
        d[i] += sum;
    }
}
void emulate_ldmatrix(uint32_t (&r)[4], const void* row, bool transposed);
/// Sixteen bytes, or zeros, that arrive when their group is waited for.
void emulate_copy(void* to, const void* from, bool valid);
/// Ends a group of copies.
void emulate_commit();
/// Lets all groups of this lane arrive but the last `pending`.
void emulate_wait(int pending);

/// Puts a kernel into the driver's table: one struct of `size` bytes is what it takes.
struct Registered {
    Registered(const char* name, unsigned threads, unsigned size, std::function<void(const void*)> run);
};
/// Runs a kernel of the table over a grid; false if there is none of that name or it takes fewer lanes.
bool run_kernel(const char* name, Dim grid, unsigned threads, unsigned shared, const void* arguments);
#define KERNEL(name, Args, threads, blocks, ...) \
    static Registered registered_##name(#name, threads, sizeof(Args), [](const void* p) { __VA_ARGS__(*static_cast<const Args*>(p)); });
