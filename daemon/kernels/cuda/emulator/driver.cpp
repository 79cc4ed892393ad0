//! The part of CUDA's driver interface that the daemon calls, on the emulated GPU. Built as `libcuda.so.1`.
//!
//! Device memory is the host's, guarded by a total size so that running out of memory can be tested.

#include "machine.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

const unsigned* kernel_argument_size(const char* name);

namespace {
constexpr int OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500;
std::mutex lock;
std::map<uint64_t, size_t> allocations;
size_t used;

size_t total() {
    const char* megabytes = std::getenv("EMULATED_MEMORY_MIB");
    return size_t(megabytes ? std::atoll(megabytes) : 6144) << 20;
}
int chip(const char* variable, int otherwise) {
    const char* value = std::getenv(variable);
    return value ? std::atoi(value) : otherwise;
}
}  // namespace

extern "C" {
int cuInit(unsigned) { return OK; }
int cuDriverGetVersion(int* version) { *version = 13000; return OK; }
int cuDeviceGetCount(int* count) { *count = 1; return OK; }
int cuDeviceGet(int* device, int ordinal) { *device = 0; return ordinal == 0 ? OK : 101; }
int cuDeviceGetName(char* name, int length, int) { std::snprintf(name, size_t(length), "emulated GPU"); return OK; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = total(); return OK; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
    const int capability = chip("EMULATED_CAPABILITY", 86);
    switch (attribute) {
        case 16: *value = 4; return OK;                                      // multiprocessors
        case 75: *value = capability / 10; return OK;                        // compute capability, major
        case 76: *value = capability % 10; return OK;                        // minor
        case 97: *value = capability >= 80 ? 99 << 10 : 64 << 10; return OK;  // opt-in shared memory of a block
        default: *value = 0; return OK;
    }
}
int cuDevicePrimaryCtxRetain(void** context, int) { static int one; *context = &one; return OK; }
int cuDevicePrimaryCtxRelease_v2(int) { return OK; }
int cuCtxSetCurrent(void*) { return OK; }
int cuMemGetInfo_v2(size_t* free, size_t* all) {
    std::lock_guard<std::mutex> guard(lock);
    *all = total();
    *free = *all - used;
    return OK;
}
int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    std::lock_guard<std::mutex> guard(lock);
    if (bytes == 0) return INVALID_VALUE;
    if (used + bytes > total()) return OUT_OF_MEMORY;
    void* memory = std::aligned_alloc(512, (bytes + 511) & ~size_t(511));
    if (!memory) return OUT_OF_MEMORY;
    std::memset(memory, 0xff, bytes);
    *address = reinterpret_cast<uint64_t>(memory);
    allocations[*address] = bytes;
    used += bytes;
    return OK;
}
int cuMemFree_v2(uint64_t address) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = allocations.find(address);
    if (found == allocations.end()) return INVALID_VALUE;
    used -= found->second;
    allocations.erase(found);
    std::free(reinterpret_cast<void*>(address));
    return OK;
}
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) { std::memcpy(reinterpret_cast<void*>(to), from, bytes); return OK; }
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) { std::memcpy(to, reinterpret_cast<void*>(from), bytes); return OK; }
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void*) { std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes); return OK; }
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void*) { std::memset(reinterpret_cast<void*>(to), value, bytes); return OK; }
int cuStreamCreate(void** stream, unsigned) { static int one; *stream = &one; return OK; }
int cuStreamDestroy_v2(void*) { return OK; }
int cuStreamSynchronize(void*) { return OK; }
int cuModuleLoadData(void** module, const void*) { static int one; *module = &one; return OK; }
int cuModuleUnload(void*) { return OK; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    static std::map<std::string, std::string> names;
    std::lock_guard<std::mutex> guard(lock);
    if (!kernel_argument_size(name)) return NOT_FOUND;
    *function = &names.emplace(name, name).first->second;
    return OK;
}
int cuFuncSetAttribute(void*, int, int) { return OK; }
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned shared,
                   void*, void** parameters, void**) {
    const auto& name = *static_cast<std::string*>(function);
    if (!run_kernel(name.c_str(), {x, y, z}, threads, shared, parameters[0])) {
        std::fprintf(stderr, "emulator: %s cannot run with %u lanes\n", name.c_str(), threads);
        return INVALID_VALUE;
    }
    return OK;
}
int cuGetErrorName(int code, const char** name) {
    *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : code == NOT_FOUND ? "CUDA_ERROR_NOT_FOUND" : "CUDA_ERROR_INVALID_VALUE";
    return OK;
}
int cuGetErrorString(int code, const char** text) { return cuGetErrorName(code, text); }
}
