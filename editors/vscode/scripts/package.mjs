// Packs the extension, and the program if one is named, into a .vsix.
//   usage: npm run package -- [--target linux-x64] [--binary PATH] [--out FILE]
// Without a binary the extension looks for `gliznet` on the PATH.
// The same input gives the same bytes: entries carry the time of the last commit, or SOURCE_DATE_EPOCH.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';

const TARGETS = ['linux-x64', 'linux-arm64', 'linux-armhf', 'alpine-x64', 'alpine-arm64', 'darwin-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: { target: { type: 'string' }, binary: { type: 'string' }, out: { type: 'string' } },
});
const { target, binary } = values;
if (target !== undefined && !TARGETS.includes(target)) {
  fail(`no target \`${target}\`; there are ${TARGETS.join(', ')}`);
}
if ((target === undefined) !== (binary === undefined)) {
  fail('a binary runs on one target only; give both --target and --binary, or neither');
}

if (process.env.SOURCE_DATE_EPOCH === undefined) {
  const args = ['-C', root, 'log', '-1', '--format=%ct'];
  process.env.SOURCE_DATE_EPOCH = execFileSync('git', args, { encoding: 'utf8' }).trim();
}
await import('./bundle.mjs');

const server = path.join(root, 'server');
fs.rmSync(server, { recursive: true, force: true });
if (binary !== undefined) {
  fs.mkdirSync(server);
  const name = target.startsWith('win32') ? 'gliznet.exe' : 'gliznet';
  fs.copyFileSync(binary, path.join(server, name));
  fs.chmodSync(path.join(server, name), 0o755);
}

const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
const suffix = target === undefined ? '' : `-${target}`;
const packagePath = path.resolve(values.out ?? path.join(root, `gliznet-${version}${suffix}.vsix`));
process.chdir(root);
try {
  await createVSIX({ cwd: root, packagePath, dependencies: false, ...(target && { target }) });
} finally {
  fs.rmSync(server, { recursive: true, force: true });
}
console.log(`${packagePath}: ${Math.ceil(fs.statSync(packagePath).size / 1024)} KiB`);

function fail(message) {
  console.error(message);
  process.exit(2);
}
