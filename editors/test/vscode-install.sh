#!/bin/bash
# A real VS Code (code-server: VS Code server + web workbench) and Debian's Chromium,
# from the npm registry and the machine's own Debian mirror only. Nothing is compiled.
#   usage: vscode-install.sh PREFIX
#   env:   NATIVE=1  also compile @vscode/spdlog + native-watchdog (g++, make, python3; ~40 s):
#                    the originals instead of the JavaScript stand-ins below
#          PRUNE=0   keep what a test run never uses (Copilot, other platforms' binaries)
# Needs: any node + npm; root for Chromium unless it is already there. Idempotent.
set -euo pipefail
PREFIX=${1:?usage: vscode-install.sh PREFIX}
CODE_SERVER=4.139.1        # VS Code 1.139.1; refuses every node major but 24
NODE=24.21.0
case $(uname -m) in x86_64) A=x64;; aarch64) A=arm64;; *) echo "no node package for $(uname -m)" >&2; exit 1;; esac
STAMP="code-server $CODE_SERVER node $NODE $A native=${NATIVE:-0} prune=${PRUNE:-1}"

# 1. Chromium (web workbench) and one font, so that screenshots have text
if ! command -v chromium >/dev/null || ! dpkg -s fonts-dejavu-core >/dev/null 2>&1; then
  SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
  $SUDO apt-get -qq update
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi

if [ "$(cat "$PREFIX/stamp" 2>/dev/null)" = "$STAMP" ] && "$PREFIX/bin/code-server" --version >/dev/null 2>&1; then
  echo "kept: $STAMP in $PREFIX"; exit 0
fi
rm -rf "$PREFIX"; mkdir -p "$PREFIX/bin" "$PREFIX/node" "$PREFIX/cs"
npm_() { npm --no-audit --no-fund --no-update-notifier --loglevel=error "$@"; }

# 2. node 24: the npm package node-linux-<arch> carries bin/node and its headers (include/node)
echo '{"private":true}' >"$PREFIX/node/package.json"
(cd "$PREFIX/node" && npm_ install --ignore-scripts "node-linux-$A@$NODE")
N=$PREFIX/node/node_modules/node-linux-$A
ln -sfn "$N/bin/node" "$PREFIX/bin/node"
export PATH="$N/bin:$PATH"

# 3. code-server without its postinstall, which would compile ten native modules (one, kerberos,
#    needs libkrb5-dev and fails the whole install without it). Its dependencies are then
#    installed by hand, also without scripts: node-pty, @parcel/watcher, argon2 and ripgrep
#    ship their binaries inside npm packages.
echo '{"private":true}' >"$PREFIX/cs/package.json"
(cd "$PREFIX/cs" && npm_ install --ignore-scripts "code-server@$CODE_SERVER")
CS=$PREFIX/cs/node_modules/code-server; V=$CS/lib/vscode
(cd "$V" && npm_ install --omit=dev --ignore-scripts)
if [ "${NATIVE:-0}" = 1 ]; then
  (cd "$V" && npm_config_nodedir=$N npm_ rebuild --foreground-scripts @vscode/spdlog @vscode/native-watchdog >"$PREFIX/native.log" 2>&1) ||
    { tail -20 "$PREFIX/native.log" >&2; exit 1; }
else
  # The two natives VS Code asks for at start are loggers and a parent watchdog; without them it
  # runs, but prints 10-line errors. Stand-ins in JavaScript keep the logs (and the log files).
  cat >"$V/node_modules/@vscode/spdlog/index.js" <<'J'
const fs = require('fs'), path = require('path');
const names = ['trace', 'debug', 'info', 'warn', 'error', 'critical'];
class Logger {
  constructor(_t, _n, file) { this.file = file; this.level = 2; }
  getLevel() { return this.level; } setLevel(l) { this.level = l; }
  write(i, m) { if (i >= this.level) try { fs.appendFileSync(this.file, `${new Date().toISOString()} [${names[i]}] ${m}\n`); } catch {} }
  setPattern() {} clearFormatters() {} flush() {} drop() {}
}
names.forEach((n, i) => { Logger.prototype[n] = function (m) { this.write(i, m); }; });
const make = async (n, f) => { fs.mkdirSync(path.dirname(f), { recursive: true }); return new Logger('', n, f); };
// one `exports.x =` each: imported from ESM, names are found by their text
exports.version = 0; exports.setLevel = () => {}; exports.setFlushOn = () => {}; exports.Logger = Logger;
exports.createRotatingLogger = make; exports.createAsyncRotatingLogger = make;
J
  cat >"$V/node_modules/@vscode/native-watchdog/index.js" <<'J'
exports.start = pid => setInterval(() => { try { process.kill(pid, 0); } catch { process.exit(87); } }, 1000).unref();
exports.exit = code => process.exit(code || 0);
J
fi
# what the postinstall would have linked
ln -sfn code-linux.sh "$V/bin/remote-cli/code-server"
ln -sfn browser-linux.sh "$V/bin/helpers/browser.sh"

# 4. what a test never uses: half of the disk and of the cache
if [ "${PRUNE:-1}" = 1 ]; then
  rm -rf "$V"/extensions/copilot "$V"/node_modules/@github "$V"/node_modules/@microsoft/mxc-sdk \
     "$V"/node_modules/@vscode/windows-* "$V"/node_modules/@devcontainers "$V"/node_modules/@vscode/sqlite3 "$N/share"
  find "$V/node_modules" -path '*/prebuilds/*' -type d \( -name 'darwin*' -o -name 'win32*' \) -prune -exec rm -rf {} +
  find "$V/node_modules/@vscode/ripgrep-universal" -type d \( -name '*darwin*' -o -name '*win32*' \) -prune -exec rm -rf {} +
  [ "${NATIVE:-0}" = 1 ] || rm -rf "$N/include"
fi

# 5. the command. No marketplace: extensions come from .vsix files only.
cat >"$PREFIX/bin/code-server" <<E
#!/bin/sh
export EXTENSIONS_GALLERY='{}'
exec "$N/bin/node" "$CS/out/node/entry.js" "\$@"
E
chmod +x "$PREFIX/bin/code-server"
"$PREFIX/bin/code-server" --version
echo "$STAMP" >"$PREFIX/stamp"
du -sh "$PREFIX" | cut -f1
