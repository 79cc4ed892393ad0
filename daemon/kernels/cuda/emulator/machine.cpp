//! The emulated GPU's machinery: lanes as fibers, barriers, warp operations, and the loop over blocks.

#include "machine.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

__thread Dim threadIdx, blockIdx, blockDim, gridDim;

namespace {

/// Saves the callee's registers on the running stack, leaves its pointer in `*from` and goes on where `to` stopped.
extern "C" void switch_stack(void** from, void* to);
asm(R"(
.text
.type switch_stack, @function
switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

constexpr size_t STACK = 128 * 1024;
enum class State { Ready, Warp, Block, Done };

struct Copy {
    void* to;
    const void* from;
    bool valid;
};

struct Lane {
    void* stack = nullptr;
    State state = State::Done;
    unsigned parity = 0;
    /// Copies under way, and where each finished group of them ends.
    std::deque<Copy> copies;
    std::deque<size_t> groups;
};

/// Whether warps and lanes run from the last to the first.
const bool backward = [] {
    const char* order = std::getenv("EMULATED_ORDER");
    return order && std::strcmp(order, "backward") == 0;
}();

/// One block at a time, with its lanes, on one thread of the host.
struct Block {
    std::vector<Lane> lanes;
    std::unique_ptr<char[]> stacks;
    size_t stacks_for = 0;
    std::vector<char> shared, tables;
    void* scheduler = nullptr;
    unsigned current = 0;
    const std::function<void(const void*)>* body = nullptr;
    const void* arguments = nullptr;

    void run(unsigned threads, unsigned shared_bytes);
    void pause(State state) {
        lanes[current].state = state;
        switch_stack(&lanes[current].stack, scheduler);
    }
    void resume(unsigned i) {
        current = i;
        threadIdx = {i, 0, 0};
        switch_stack(&scheduler, lanes[i].stack);
    }
};

__thread Block* block;

extern "C" void lane_main() {
    (*block->body)(block->arguments);
    block->pause(State::Done);
    std::abort();  // a lane that ended is never resumed
}

void Block::run(unsigned threads, unsigned shared_bytes) {
    if (stacks_for < threads) {
        stacks.reset(new char[STACK * threads]);
        stacks_for = threads;
    }
    lanes.assign(threads, Lane{});
    // Shared memory starts as garbage on a GPU: numbers that no test takes for right.
    shared.assign(shared_bytes + 128, char(0xff));
    tables.resize(2 * 64 * 32 * ((threads + 31) / 32));
    for (unsigned i = 0; i < threads; i++) {
        auto top = reinterpret_cast<uintptr_t>(stacks.get() + STACK * (i + 1)) & ~uintptr_t(63);
        void** frame = reinterpret_cast<void**>(top - 64);
        frame[0] = reinterpret_cast<void*>(lane_main);
        frame[1] = nullptr;
        lanes[i].stack = frame - 6;  // six registers, whatever they hold
        lanes[i].state = State::Ready;
    }
    for (;;) {
        bool any = false;
        const unsigned warps = (threads + 31) / 32;
        for (unsigned warp = 0; warp < warps; warp++) {
            const unsigned first = 32 * (backward ? warps - 1 - warp : warp);
            const unsigned end = first + 32 < threads ? first + 32 : threads;
            for (;;) {
                for (unsigned n = first; n < end; n++) {
                    const unsigned i = backward ? end - 1 - (n - first) : n;
                    if (lanes[i].state == State::Ready) resume(i);
                }
                unsigned at_warp = 0, at_block = 0;
                for (unsigned i = first; i < end; i++) {
                    at_warp += lanes[i].state == State::Warp;
                    at_block += lanes[i].state == State::Block;
                }
                if (at_warp && at_block) {
                    std::fprintf(stderr, "emulator: lanes of one warp wait at different barriers\n");
                    std::abort();
                }
                any |= at_block > 0;
                if (!at_warp) break;
                for (unsigned i = first; i < end; i++)
                    if (lanes[i].state == State::Warp) lanes[i].state = State::Ready;
            }
        }
        if (!any) return;
        for (Lane& lane : lanes)
            if (lane.state == State::Block) lane.state = State::Ready;
    }
}

struct Kernel {
    unsigned threads, size;
    std::function<void(const void*)> run;
};
std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> table;
    return table;
}

}  // namespace

Registered::Registered(const char* name, unsigned threads, unsigned size, std::function<void(const void*)> run) {
    kernels()[name] = Kernel{threads, size, std::move(run)};
}

/// For the driver: whether the kernel exists, and the size of its arguments.
const unsigned* kernel_argument_size(const char* name) {
    auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second.size;
}

bool run_kernel(const char* name, Dim grid, unsigned threads, unsigned shared, const void* arguments) {
    auto found = kernels().find(name);
    if (found == kernels().end() || threads > found->second.threads || threads == 0) return false;
    const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
    std::atomic<uint64_t> next{0};
    auto work = [&] {
        static thread_local Block mine;
        block = &mine;
        mine.body = &found->second.run;
        mine.arguments = arguments;
        blockDim = {threads, 1, 1};
        gridDim = grid;
        for (uint64_t i; (i = next++) < blocks;) {
            blockIdx = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / grid.x / grid.y)};
            mine.run(threads, shared);
        }
    };
    const unsigned cores = std::thread::hardware_concurrency();
    std::vector<std::thread> helpers;
    for (unsigned i = 1; i < cores && i < blocks; i++) helpers.emplace_back(work);
    work();
    for (auto& helper : helpers) helper.join();
    return true;
}

char* shared_memory() {
    auto address = reinterpret_cast<uintptr_t>(block->shared.data());
    return reinterpret_cast<char*>((address + 127) & ~uintptr_t(127));
}

void __syncthreads() { block->pause(State::Block); }
void __syncwarp(unsigned) { block->pause(State::Warp); }

const char* warp_exchange(const void* mine, unsigned size) {
    Lane& lane = block->lanes[block->current];
    lane.parity ^= 1;
    char* table = block->tables.data() + 64 * 32 * (2 * (block->current / 32) + lane.parity);
    std::memcpy(table + 64 * (block->current & 31), mine, size);
    block->pause(State::Warp);
    return table;
}

void emulate_ldmatrix(uint32_t (&r)[4], const void* row, bool transposed) {
    if (reinterpret_cast<uintptr_t>(row) % 16) {
        std::fprintf(stderr, "emulator: a matrix row is not aligned to 16 bytes\n");
        std::abort();
    }
    const char* table = warp_exchange(&row, sizeof row);
    const unsigned lane = threadIdx.x & 31;
    for (unsigned m = 0; m < 4; m++) {
        auto element = [&](unsigned i, unsigned j) {
            const uint16_t* address;
            std::memcpy(&address, table + 64 * (8 * m + i), sizeof address);
            return uint32_t(address[j]);
        };
        const unsigned a = lane / 4, b = 2 * (lane % 4);
        r[m] = transposed ? element(b, a) | element(b + 1, a) << 16 : element(a, b) | element(a, b + 1) << 16;
    }
}

void emulate_copy(void* to, const void* from, bool valid) {
    if (reinterpret_cast<uintptr_t>(to) % 16 || (valid && reinterpret_cast<uintptr_t>(from) % 16)) {
        std::fprintf(stderr, "emulator: a copy is not aligned to 16 bytes\n");
        std::abort();
    }
    block->lanes[block->current].copies.push_back({to, from, valid});
}

void emulate_commit() {
    Lane& lane = block->lanes[block->current];
    size_t grouped = 0;
    for (size_t group : lane.groups) grouped += group;
    lane.groups.push_back(lane.copies.size() - grouped);
}

void emulate_wait(int pending) {
    Lane& lane = block->lanes[block->current];
    while (lane.groups.size() > size_t(pending)) {
        for (size_t i = 0; i < lane.groups.front(); i++) {
            const Copy copy = lane.copies.front();
            lane.copies.pop_front();
            if (copy.valid) std::memcpy(copy.to, copy.from, 16);
            else std::memset(copy.to, 0, 16);
        }
        lane.groups.pop_front();
    }
}

float half_bits_to_float(uint16_t bits) {
    const uint32_t sign = uint32_t(bits & 0x8000) << 16;
    const int exponent = bits >> 10 & 31;
    const uint32_t mantissa = bits & 0x3ff;
    float x;
    if (exponent == 31) {
        uint32_t all = sign | 0x7f800000u | mantissa << 13;
        std::memcpy(&x, &all, 4);
        return x;
    }
    x = exponent ? std::ldexp(float(mantissa + 1024), exponent - 25) : std::ldexp(float(mantissa), -24);
    return sign ? -x : x;
}

uint16_t float_to_half_bits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    const uint16_t sign = uint16_t(bits >> 16 & 0x8000);
    if (x != x) return uint16_t(sign | 0x7e00);
    const float size = std::fabs(x);
    if (size >= 65520.0f) return uint16_t(sign | 0x7c00);
    if (size < 6.103515625e-05f) return uint16_t(sign | uint16_t(std::nearbyint(std::ldexp(size, 24))));
    int exponent;
    const float mantissa = std::frexp(size, &exponent);  // 0.5 <= mantissa < 1
    const auto rounded = uint32_t(std::nearbyint(std::ldexp(mantissa, 11)));  // 1024..2048
    return uint16_t(sign | ((uint32_t(exponent + 14) << 10) + (rounded - 1024)));
}
