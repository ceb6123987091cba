#!/usr/bin/env bash
# Runs the unit tests of the inner loops, which is where the library's `unsafe` code is, under
# AddressSanitizer: once with all that the processor has, and once for each lower limit.
# Wants a nightly toolchain of rustup's; builds nothing of the library but these loops.
#   env:   GLIZNET_KERNELS   where the build is kept (default: ~/.cache/gliznet-kernels)
# The last line is `N passed, N failed`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${GLIZNET_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/gliznet-kernels}
target=$(rustc -vV | sed -n 's/^host: //p')
rm -rf "$work/src"
mkdir -p "$work/src/model/encoder"
ln -s "$root/src/model/random.rs" "$work/src/model/random.rs"
ln -s "$root/src/model/encoder/kernel.rs" "$work/src/model/encoder/kernel.rs"
ln -s "$root/src/model/encoder/kernel" "$work/src/model/encoder/kernel"
{
    printf '[package]\nname = "kernels"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
    grep -E '^(candle-core|pulp|rayon) = ' "$root/Cargo.toml"
    printf '\n[profile.dev]\nopt-level = 1\n'
} >"$work/Cargo.toml"
cp "$root/Cargo.lock" "$work/Cargo.lock"
cat >"$work/src/lib.rs" <<'RUST'
#![allow(dead_code, unused_imports, unreachable_pub)]
mod config {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Instructions { Plain, Avx2, All }
    pub fn instruction_limit() -> Instructions {
        match std::env::var("GLIZNET_SIMD").as_deref() {
            Ok("plain") => Instructions::Plain,
            Ok("avx2") => Instructions::Avx2,
            _ => Instructions::All,
        }
    }
}
mod model {
    pub mod random;
    pub mod encoder { mod kernel; }
}
RUST
cd "$work"
for limit in all avx2 plain; do
    GLIZNET_SIMD=$limit RUSTFLAGS=-Zsanitizer=address \
        cargo +nightly test --quiet --lib --target "$target" 2>&1 | tee "test-$limit.log"
done
cat test-*.log | sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' |
    awk '{ p += $1; f += $2 } END { print p " passed, " f " failed"; exit !(NR == 3 && f == 0) }'
