#!/usr/bin/env bash
# Everything that a real NVIDIA GPU must show, in one call: `tests/bench/gpu.sh OUT [PYTHON]`, from the root of the project.
#
# `cargo xtask cuda-build` must have filled target/cuda, here or on another machine: its files are all that is needed, no compiler and
# no Rust. PYTHON has torch and diffusers for the comparison, numpy and safetensors for the golden cases. OUT gets everything;
# what is printed is the summary. It goes on behind a failure, and ends with 1.
set -uo pipefail
out=$(realpath -m "${1:?where the results go}") python=${2:-python3} cuda=$PWD/target/cuda failed=0
mkdir -p "$out"
nvidia-smi >"$out/gpu.txt" 2>&1
"$cuda/conceptd" doctor >"$out/doctor.txt" 2>&1
grep -i "graphics card" "$out/doctor.txt" || failed=1

echo "== kernels and a whole step against the CPU"
for test in "$cuda"/device*; do
    name=$(basename "$test")
    "$test" --ignored --nocapture >"$out/$name.txt" 2>&1 || failed=1
    echo "$name: $(grep 'test result' "$out/$name.txt" || echo 'no result')"
done

echo "== golden cases"
passed=0 wrong=0
for case in tests/parity/cases/*.safetensors; do
    name=$(basename "$case" .safetensors)
    if "$cuda/xtask" parity "$case" "$out/case.safetensors" --cuda >"$out/case-$name.txt" 2>&1 &&
        "$python" tests/parity/compare.py "$case" "$out/case.safetensors" >>"$out/case-$name.txt" 2>&1; then
        passed=$((passed + 1))
    else
        wrong=$((wrong + 1)) failed=1
        echo "FAILED: $name"
    fi
    rm -f "$out/case.safetensors"
done
echo "$passed passed, $wrong failed"

echo "== SDXL at 1024 px, bf16, beside PyTorch"
step() {
    "$cuda/xtask" bench --config sdxl --res 1024 --dtype bf16 --device cuda --rank 16 --script tests/bench/bench_torch.py "$@" 2>&1 |
        tee -a "$out/bench.txt" || failed=1
}
for batch in 1 4; do
    step --batch $batch --steps 10 --warmup 3 --rounds 2 --beside "$python"
    step --batch $batch --steps 10 --warmup 3 --rounds 2 --beside "$python" --grad-checkpoint
done
step --batch 4 --steps 10 --warmup 3 --rounds 1 --beside "$python" --compile blocks --lora-compute base
echo "== where the time goes"
step --batch 1 --steps 3 --profile
exit $failed
