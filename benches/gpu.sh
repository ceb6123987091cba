#!/usr/bin/env bash
# Runs GliZNet on a GPU machine that has no Rust, no network and little time.
#
#   benches/gpu.sh build        here, no GPU needed: the programs into .gpu-bin/ (ignored by git)
#   bash benches/gpu.sh run     there, with .gpu-bin carried: parity, memory, speed; one table last
#
# `build` takes half an hour the first time: most of it are candle's CUDA kernels. It makes its own
# CUDA toolkit below the target folder (GPU_TOOLKIT names another place) and builds for the H100 and
# H200; CUDA_COMPUTE_CAP names another GPU.
# `run` wants python3 with PyTorch, whose CUDA libraries it uses, and takes about a minute and a half.
# It writes all it saw into $OUT/gpu.txt. Where there is no GPU it runs on the processor and says so.
set -euo pipefail
parts=$(cd "$(dirname "$0")/gpu" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
packed=.gpu-bin/gpu.tar.xz
checkpoint=train/checkpoints/gliznet-minilm-l6

build() {
    local target=${CARGO_TARGET_DIR:-target} triple=x86_64-unknown-linux-gnu
    local exports
    exports=$("$parts/toolkit.sh" "${GPU_TOOLKIT:-$target/cuda-toolkit}")
    eval "$exports"
    # candle asks cudarc for linked libraries, and then no program starts without a driver. cudarc's
    # code, unlike its build script, looks at this cfg alone; --target keeps it from build scripts.
    export RUSTFLAGS="--cfg feature=\"dynamic-loading\" -L native=$CUDA_HOME/link-static \
-L native=$CUDA_HOME/lib64 -L native=$CUDA_HOME/lib64/stubs"
    export CARGO_PROFILE_RELEASE_LTO=off # The time is the GPU's; this halves the build's.
    export CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-$(nproc)}
    cargo build --release --no-default-features --features cuda --target "$triple" \
        --bin gliznet --bench gpu

    local built=$target/$triple/release new=.gpu-bin/new
    local ignored
    ignored=$(git rev-parse --git-path info/exclude)
    mkdir -p "$(dirname "$ignored")" "$new"
    grep -qx '/.gpu-bin/' "$ignored" 2>/dev/null || echo '/.gpu-bin/' >>"$ignored"
    cp "$built/gliznet" "$new/gliznet"
    cp "$(find "$built/deps" -name 'gpu-*' -type f -perm -u+x -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)" "$new/speed"
    strip "$new"/*
    # A window so wide that the second program's kernels are found to be the first's.
    tar -c -C "$new" gliznet speed | xz -T1 --lzma2=preset=6,dict=192MiB >"$packed"
    rm -rf "$new"
    du -sk "$packed"
}

run() {
    local work=${GPU_WORK:-/tmp/gliznet-gpu} out=${OUT:-/tmp}
    mkdir -p "$work"
    $python -m tarfile -e "$packed" "$work"
    chmod +x "$work/gliznet" "$work/speed"
    local wheels
    wheels=$($python -c 'import nvidia, os; print(os.path.join(list(nvidia.__path__)[0], "cu13", "lib"))' || true)
    export LD_LIBRARY_PATH=$wheels:/usr/local/nvidia/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export CUDA_CACHE_PATH=$work/jit CUDA_CACHE_MAXSIZE=1073741824
    export XDG_CONFIG_HOME=$work/config XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache
    {
        nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
        $python "$parts/checkpoint.py" "$checkpoint" "$work/minilm"
        step 'the device' device "$work"
        step parity parity "$work"
        step speed speed "$work"
        step 'PyTorch, the same shapes' twin "$work"
        step 'a full GPU' $python "$parts/crowded.py" "$work"
        step 'all of it' $python "$parts/report.py" table "$work"
    } 2>&1 | tee "$out/gpu.txt"
}

# One part after the other, whatever becomes of the one before.
step() {
    printf '\n== %s (second %s)\n' "$1" "$SECONDS"
    shift
    "$@" || echo "FAILED: $* ended with $?"
}

# What auto and cuda say; the first run also compiles the kernels for this GPU.
device() {
    local first=tests/fixtures/parity/bert-cosine-proj
    for wish in auto cuda; do
        echo "--device $wish"
        time "$1/gliznet" model verify "$first" --device "$wish" 2>&1 | grep -v '^ok' || true
    done
}

# Every golden checkpoint in both precisions, a few at a time.
parity() {
    local work=$1
    rm -rf "$work/parity" && mkdir "$work/parity"
    for folder in tests/fixtures/parity/*/; do
        for precision in f32 bf16; do
            echo "$folder $precision $work/parity/$(basename "$folder").$precision.json"
        done
    done | xargs -P 6 -L 1 sh -c "timeout 60 '$work/gliznet' model verify \"\$1\" --device auto --precision \"\$2\" --json >\"\$3\" 2>\"\$3.err\" || true" _
    $python "$parts/report.py" parity "$work/parity"
}

speed() {
    timeout 150 "$1/speed" "$1/minilm" "$1/shapes.json" | tee "$1/speed.txt"
}

twin() {
    timeout 100 $python "$parts/twin.py" "$1" | tee "$1/twin.txt"
}

case ${1:-} in
build) build ;;
run) run ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0"
    [ "${1:-}" = help ] || exit 2
    ;;
esac
