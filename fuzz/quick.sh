#!/usr/bin/env bash
# Runs the fuzzers of the pure layers for a while, on a stable compiler: those are built by
# themselves, without the model, in a minute instead of half an hour. The journal's fuzzer needs the
# whole program: `RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none journal`.
#   usage: fuzz/quick.sh [seconds a target [target ...]]
#   env:   GLIZNET_FUZZ   where it builds and keeps what it found (default: ~/.cache/gliznet-fuzz)
# Needs `cargo install cargo-fuzz` and a C++ compiler. What breaks a target is printed, and left
# in GLIZNET_FUZZ/fuzz/artifacts.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${GLIZNET_FUZZ:-${XDG_CACHE_HOME:-$HOME/.cache}/gliznet-fuzz}
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(codec edits front_matter label_set)

mkdir -p "$work/fuzz"
# The same versions and features as the program's own.
dependency() { grep -E "^($1) = " "$root/Cargo.toml"; }
{
    printf '[package]\nname = "gliznet"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
    for name in chardetng encoding_rs html5gum pulldown-cmark saphyr-parser serde_json sha2 \
        similar strsim thiserror toml toml_edit tower-lsp tracing \
        unicode-normalization-alignments unicode-segmentation; do
        dependency "$name"
    done
} >"$work/Cargo.toml"
# Links, so that modules below modules are found where they are.
rm -rf "$work/src"
mkdir -p "$work/src/lsp"
layers=(document frontmatter label score tag correction)
for module in "${layers[@]}" lsp/codec lsp/documents lsp/position; do
    ln -s "$root/src/$module.rs" "$work/src/$module.rs"
    [ ! -d "$root/src/$module" ] || ln -s "$root/src/$module" "$work/src/$module"
done
{
    echo '#![allow(dead_code, unused_imports)]'
    for layer in "${layers[@]}"; do echo "pub mod $layer;"; done
    echo 'pub mod lsp {'
    for part in codec documents position; do echo "    pub mod $part;"; done
    echo '    pub use documents::{Documents, Open};'
    echo '    pub use position::{Encoding, LineIndex};'
    echo '}'
} >"$work/src/lib.rs"
sed 's#^gliznet = .*#gliznet = { path = ".." }#' "$root/fuzz/Cargo.toml" >"$work/fuzz/Cargo.toml"
rm -rf "$work/fuzz/fuzz_targets"
cp -r "$root/fuzz/fuzz_targets" "$work/fuzz/"
cp "$root/Cargo.lock" "$work/fuzz/Cargo.lock"

cd "$work"
export RUSTC_BOOTSTRAP=1
broken=0
for target in "${targets[@]}"; do
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -print_final_stats=1 \
        >"$work/$target.log" 2>&1 || broken=$((broken + 1))
    printf '%s: ' "$target"
    grep -E 'stat::number_of_executed_units|^#[0-9]+.*DONE|panicked|SUMMARY' "$work/$target.log" | tr '\n' ' ' ||
        tail -n 20 "$work/$target.log"
    echo
done
echo "$((${#targets[@]} - broken)) passed, $broken failed"
[ "$broken" -eq 0 ]
