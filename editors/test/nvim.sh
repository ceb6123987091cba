#!/usr/bin/env bash
# End-to-end tests of the Neovim plugin, in real terminals.
#   usage: editors/test/nvim.sh [path-to-gliznet [name of a test ...]]
#   NVIM=path   the Neovim to test with; default: nvim
# `editors/test/nvim-install.sh` gets a Neovim where there is none.
# Each test has folders and a daemon of its own; the last line counts them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
gliznet=$(realpath "${1:-$here/../../target/debug/gliznet}")
shift || true
nvim=$(command -v "${NVIM:-nvim}") || {
    echo "no Neovim; run $here/nvim-install.sh, or name one: NVIM=path $0" >&2
    exit 2
}
[ -x "$gliznet" ] || {
    echo "$gliznet is no program; build it, or name one: $0 path-to-gliznet" >&2
    exit 2
}
# The socket's path is in it, and must be short.
work=$(mktemp -d /tmp/gn.XXXXXX)
end() {
    # Each test ends its own daemon; this is for tests that were broken off.
    for run in "$work"/*/run; do
        [ ! -d "$run" ] || GLIZNET_RUNTIME_DIR=$run "$gliznet" stop >"$work/stop" 2>&1 || true
    done
    rm -rf "$work"
}
trap end EXIT
"$nvim" --version | head -1
env -i PATH="$PATH" HOME="$work" LANG=C.UTF-8 TERM=dumb \
    XDG_CONFIG_HOME="$work/c" XDG_DATA_HOME="$work/d" XDG_STATE_HOME="$work/s" XDG_CACHE_HOME="$work/k" \
    GLIZNET="$gliznet" GLIZNET_TEST_DIR="$work" \
    timeout --kill-after=10 300 "$nvim" --clean --headless \
    -l "$here/../nvim/test/run.lua" "$@" </dev/null
