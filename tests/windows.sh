#!/usr/bin/env bash
# Compiles the program for Windows and runs its unit tests under Wine, on Debian bookworm, with
# nothing but Debian's packages and crates.io. There is no standard library for Windows to be had
# there, so it is built from Debian's sources of it.
#   usage: tests/windows.sh check             compiles the library and the program
#          tests/windows.sh pipe              runs the unit tests of the daemon's pipe, built by itself
#          tests/windows.sh test [NAME ...]   runs the library's unit tests, or those with such names
#   env:   GLIZNET_WINDOWS   where compiler, Wine's folders and builds are kept
#                            (default: ~/.cache/gliznet-windows; 6 GB)
# `pipe` and `test` need root, or wine64 (Wine for 64 bits) installed. The last line is `N passed, N failed`.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${GLIZNET_WINDOWS:-${XDG_CACHE_HOME:-$HOME/.cache}/gliznet-windows}
what=${1:-check}
shift || true
mkdir -p "$work"/{deb/partial,bin}

# 1. A compiler of a version that the crate takes, beside the machine's own.
compiler=$work/root/usr
if [ ! -x "$compiler/bin/rustc" ]; then
    apt-get -qq -o "Dir::Cache::archives=$work/deb" -o Debug::NoLocking=1 --download-only --reinstall -y \
        --no-install-recommends install rustc-web cargo-web rust-web-src gcc-mingw-w64-x86-64-win32
    for package in "$work"/deb/*.deb; do dpkg-deb -x "$package" "$work/root"; done
fi
ln -sfn "$compiler/bin/x86_64-w64-mingw32-gcc-win32" "$work/bin/x86_64-w64-mingw32-gcc"
for tool in ar as dlltool ld nm objcopy ranlib strip windres; do
    ln -sfn "$compiler/bin/x86_64-w64-mingw32-$tool" "$work/bin/x86_64-w64-mingw32-$tool"
done
build() {
    # Only for these commands: the shell's own programs want the machine's libraries.
    LD_LIBRARY_PATH=$compiler/lib/x86_64-linux-gnu PATH=$work/bin:$compiler/bin:$PATH \
        RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind,test \
        CARGO_BUILD_TARGET=x86_64-pc-windows-gnu \
        CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc \
        CARGO_TARGET_DIR=$work/target "$@"
}
# Nothing of it is measured, so nothing is optimised.
quick=(--config 'profile.dev.package."*".opt-level=0' --config profile.dev.opt-level=0 --config profile.dev.debug=false)
cd "$root"
if [ "$what" = check ]; then
    build cargo check --locked --lib --bins "${quick[@]}"
    echo '1 passed, 0 failed'
    exit 0
fi
case $what in pipe | test) ;; *) echo "usage: $0 check | pipe | test [NAME ...]" >&2; exit 2 ;; esac

# 2. Wine. Rust's standard library wants one function that Wine 8 lacks; it is three lines of C.
wine=/usr/lib/wine/wine64
[ -x "$wine" ] || {
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends wine64 >/dev/null
}
export WINEPREFIX=$work/wine WINEDEBUG=-all
[ -d "$WINEPREFIX/drive_c" ] || "$wine" wineboot >"$work/wineboot.log" 2>&1
dll=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
[ -e "$dll" ] || {
    cat >"$work/random.c" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T n) { return SystemFunction036(bytes, (ULONG)n); }
C
    build x86_64-w64-mingw32-gcc -shared -o "$dll" "$work/random.c" -ladvapi32
}

# 3. The tests. The pipe and its name need little of the program, and so a minute instead of ten.
if [ "$what" = pipe ]; then
    rm -rf "$work/pipe/src"
    mkdir -p "$work/pipe/src/daemon"
    for file in place socket; do ln -s "$root/src/daemon/$file.rs" "$work/pipe/src/daemon/$file.rs"; done
    {
        printf '[package]\nname = "pipe"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
        grep -E '^(sha2|tempfile|tokio|tracing) = ' "$root/Cargo.toml"
    } >"$work/pipe/Cargo.toml"
    cat >"$work/pipe/src/lib.rs" <<'RUST'
#![allow(dead_code)]
mod config {
    pub fn runtime_folder() -> std::path::PathBuf { std::env::temp_dir().join("gliznet") }
    pub use runtime_folder as temporary_folder;
}
mod daemon {
    mod place;
    mod socket;
    #[derive(Debug)]
    pub enum DaemonError {
        Folder { path: std::path::PathBuf, cause: std::io::Error },
        TooLong { path: std::path::PathBuf },
    }
    pub use place::Place;
    fn program() -> std::io::Result<std::path::PathBuf> { std::env::current_exe() }
}
RUST
    manifest=(--manifest-path "$work/pipe/Cargo.toml")
    cp "$root/Cargo.lock" "$work/pipe/Cargo.lock"
else
    manifest=(--locked)
fi
build cargo test "${manifest[@]}" --lib --no-run "${quick[@]}" --message-format=json >"$work/build.json"
program=$(grep -o '"executable":"[^"]*\.exe"' "$work/build.json" | tail -n 1 | cut -d'"' -f4)
# Wine 8 takes no notice of FILE_FLAG_FIRST_PIPE_INSTANCE: that test is left to a real Windows.
"$wine" "$program" --test-threads=1 --skip a_name_that_is_taken_is_refused_until_it_is_free "$@" | tee "$work/test.log"
read -r passed failed < <(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$work/test.log")
echo "$passed passed, $failed failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
