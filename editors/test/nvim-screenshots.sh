#!/usr/bin/env bash
# Draws what Neovim shows, for the documentation: docs/images/nvim-*.png.
#   usage: editors/test/nvim-screenshots.sh [path-to-gliznet]
#   NVIM=path   the Neovim to show; default: nvim
# Needs tmux, python3 and Chromium. Look at the images before you keep them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(realpath "$here/../..")
gliznet=$(realpath "${1:-$project/target/debug/gliznet}")
nvim=$(command -v "${NVIM:-nvim}")
columns=92 rows=20
work=$(mktemp -d /tmp/gs.XXXXXX)
mkdir "$work"/{config,data,cache,run,bin}
export GLIZNET_CONFIG_DIR=$work/config GLIZNET_DATA_DIR=$work/data
export GLIZNET_CACHE_DIR=$work/cache GLIZNET_RUNTIME_DIR=$work/run
terminal() { tmux -S "$work/tmux" -f /dev/null "$@"; }
end() {
    # The editor leaves first, or its server would start another daemon.
    terminal send-keys C-c Escape ':qa!' Enter || true
    for _ in $(seq 50); do terminal has-session 2>"$work/gone" || break; sleep 0.1; done
    terminal kill-server 2>"$work/gone" || true
    "$gliznet" stop >"$work/stop" || true
    rm -rf "$work"
}
trap end EXIT
ln -s "$gliznet" "$work/bin/gliznet"
mkdir "$work/notes"
printf 'labelset = "personal-notes"\n' >"$work/notes/gliznet.toml"
{
    printf -- '---\ntitle: Vet, Tuesday\ntags: [miso]\n---\n\n'
    tail -n +3 "$project/examples/notes/home/vet-visit.md"
} >"$work/notes/vet-visit.md"
cat >"$work/init.lua" <<LUA
vim.opt.runtimepath:prepend('$project/editors/nvim')
vim.lsp.enable('gliznet')
vim.diagnostic.config({ signs = false, underline = false })
vim.o.linebreak = true
vim.o.laststatus = 2
vim.o.statusline = " %f%=%{v:lua.require'gliznet'.statusline()} "
LUA

# sees TEXT: waits until the terminal shows it.
sees() {
    for _ in $(seq 300); do
        terminal capture-pane -p | grep -qF -- "$1" && return
        sleep 0.1
    done
    terminal capture-pane -p >&2
    echo "'$1' did not come" >&2
    exit 1
}
# draws NAME
draws() {
    mkdir -p "$project/docs/images"
    terminal capture-pane -ep |
        "$here/terminal-png.py" "$project/docs/images/nvim-$1.png" "$columns" "$rows"
    echo "docs/images/nvim-$1.png"
}

cd "$work/notes"
PATH=$work/bin:$PATH LANG=C.UTF-8 COLORTERM=truecolor \
    terminal new-session -d -x $columns -y $rows "'$nvim' --clean -u '$work/init.lua' vet-visit.md"
terminal set-option -g status off
terminal set-option -ga terminal-overrides ',*:Tc'
sees '+ pets'
draws lens
terminal send-keys '3Gf]i, '
terminal send-keys C-x C-o
sees 'children'
draws completion
terminal send-keys C-e
terminal send-keys Escape
terminal send-keys ':edit!' Enter ':Gliznet pick' Enter
sees 'Type number'
draws pick
