#!/usr/bin/env bash
# Runs the extension in a real VS Code: the workbench in a browser, its extension host, our .vsix.
#   usage: vscode.sh [GLIZNET]
#   env:   GLIZNET_E2E     where the editor is kept between runs (default: ~/.cache/gliznet-e2e)
#          GLIZNET_SHOTS   a folder for screenshots (default: none are kept but of failures)
#          GLIZNET_ONLY    runs only the tests whose name holds this text
# Needs npm, and root for Chromium unless it is there. The last line is `N passed, N failed`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
gliznet=$(realpath "${1:-$root/target/debug/gliznet}")
[ -x "$gliznet" ] || { echo "no program at $gliznet; build it with \`cargo build\`" >&2; exit 2; }

prefix=${GLIZNET_E2E:-${XDG_CACHE_HOME:-$HOME/.cache}/gliznet-e2e}/vscode
bash "$here/vscode-install.sh" "$prefix"
export PATH="$prefix/bin:$PATH"

npm_ci() { (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error); }
npm_ci "$root/editors/vscode"
npm_ci "$here/vscode"

# The extension as people get it, with the program inside.
vsix=$(mktemp -d)
trap 'rm -rf "$vsix"' EXIT
(cd "$root/editors/vscode" && npm run --silent check -- >"$vsix/check.log" 2>&1) ||
  { cat "$vsix/check.log"; exit 1; }
case $(uname -m) in x86_64) target=linux-x64 ;; aarch64) target=linux-arm64 ;; *) echo "no target for $(uname -m)" >&2; exit 2 ;; esac
(cd "$root/editors/vscode" &&
  npm run --silent package -- --target "$target" --binary "$gliznet" --out "$vsix/gliznet.vsix") | tail -n 1

GLIZNET=$gliznet VSIX=$vsix/gliznet.vsix CODE_SERVER=$prefix/bin/code-server \
  node "$here/vscode/run.mjs"
