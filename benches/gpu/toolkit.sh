#!/usr/bin/env bash
# A CUDA toolkit that is enough to build with, from PyPI wheels: no GPU, no driver, no root.
#
#   eval "$(benches/gpu/toolkit.sh DIR)"     makes DIR/cu13 unless it is there; prints exports
#
# Input: pip and gcc. Output: nvcc with its headers, libcudart as a static library, and empty
# stand-ins for the libraries that cudarc's build script names to the linker. The program opens
# the real ones at run time, so the stand-ins are never loaded: the linker drops them.
# Knows nothing of the GPU that will run it, but CUDA_COMPUTE_CAP (90: H100 and H200, those only).
set -euo pipefail
python=${PYTHON:-python3}

# The 13.0 series loads under driver 580. One call of pip: a second would replace nvidia/.
wheels=(nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85)
stamp="layout 1: ${wheels[*]}"

[ "$(uname -sm)" = 'Linux x86_64' ] || { echo 'toolkit.sh: only for Linux on x86-64' >&2; exit 1; }
[ $# = 1 ] || { echo 'toolkit.sh: name the folder to make it in' >&2; exit 1; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
home=$prefix/cu13

# stand_in NAME SONAME: a shared library of the functions whose names come in, one a line.
stand_in() {
    sort -u | sed 's/.*/void &(void){}/' |
        gcc -shared -fPIC -w -fno-builtin -nostdlib "-Wl,-soname,$2" \
            -o "$new/lib/stubs/lib$1.so" -x c -
}

make_toolkit() {
    rm -rf "$prefix/new" "$home"
    $python -m pip install -q --disable-pip-version-check --no-deps --no-compile \
        --only-binary=:all: --target "$prefix/new" "${wheels[@]}" >&2
    new=$prefix/new/nvidia/cu13
    [ -x "$new/bin/nvcc" ] || { echo 'toolkit.sh: the wheels hold no nvcc' >&2; exit 1; }

    ln -sfn lib "$new/lib64" # nvcc.profile and cudaforge look there.
    # Alone in its folder and first on the link line, so that `-lcudart` means the static one.
    mkdir -p "$new/link-static" "$new/lib/stubs"
    ln -sfn ../lib/libcudart_static.a "$new/link-static/libcudart.a"

    # The driver's functions, after cuda.h's own renamings (cuMemAlloc becomes cuMemAlloc_v2).
    echo '#include <cuda.h>' | gcc -E -P "-I$new/include" -x c - | tr '\n' ' ' |
        grep -oE '\bcu[A-Z][A-Za-z0-9_]* *\(' | tr -d ' (' | stand_in cuda libcuda.so.1
    for library in cublas:13 cublasLt:13 curand:10 nvrtc:13; do
        stand_in "${library%:*}" "lib${library%:*}.so.${library#*:}" </dev/null
    done
    mv "$new" "$home"
    rm -rf "$prefix/new"
    printf %s "$stamp" >"$prefix/stamp"
}

[ "$(cat "$prefix/stamp" 2>/dev/null || true)" = "$stamp" ] || make_toolkit
cat <<END
export CUDA_HOME='$home' CUDA_PATH='$home' NVCC='$home/bin/nvcc'
export PATH='$home/bin':"\$PATH"
export CUDA_COMPUTE_CAP=\${CUDA_COMPUTE_CAP:-90} CUDARC_CUDA_VERSION=13000
END
