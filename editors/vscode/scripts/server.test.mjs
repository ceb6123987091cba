// The server's start and end, with programs that serve, are silent, or fail; what it says; the choice
// of labels.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const built = fs.mkdtempSync(path.join(os.tmpdir(), 'gliznet-test-'));
process.on('exit', () => fs.rmSync(built, { recursive: true, force: true }));
const outfile = path.join(built, 'server.cjs');
await esbuild.build({
  stdin: {
    contents: `
      export { Server } from './src/server';
      export { tell } from './src/messages';
      export { choose } from './src/labelset';
      export { ask } from './src/review';
      export { MessageType, ResponseError } from 'vscode-languageclient/node';
      export * as vscode from 'vscode';`,
    resolveDir: root,
  },
  outfile,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  alias: { vscode: path.join(root, 'scripts', 'stand-in.cjs') },
  logLevel: 'error',
});
const loaded = createRequire(import.meta.url)(outfile);
const { vscode } = loaded;
const options = { skip: process.platform === 'win32', timeout: 60_000 };

/** A program whose lines are a script of the shell. */
function program(name, ...lines) {
  const file = path.join(built, name);
  fs.writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  return file;
}

const SERVER = `
const say = (id, result) => {
  const text = JSON.stringify({ jsonrpc: '2.0', id, result });
  process.stdout.write('Content-Length: ' + Buffer.byteLength(text) + '\\r\\n\\r\\n' + text);
};
const answers = {
  initialize: { capabilities: { positionEncoding: 'utf-16' } },
  'gliznet/status': { model: { state: 'ready', name: 'toy' } },
  shutdown: null,
};
let unread = '';
process.stdin.on('data', (data) => {
  unread += data;
  for (let end; (end = unread.indexOf('\\r\\n\\r\\n')) >= 0; ) {
    const length = Number(/Content-Length: (\\d+)/.exec(unread)[1]);
    if (unread.length < end + 4 + length) break;
    const { id, method } = JSON.parse(unread.slice(end + 4, end + 4 + length));
    unread = unread.slice(end + 4 + length);
    if (method === 'exit') process.exit(0);
    if (id !== undefined) say(id, answers[method] ?? null);
  }
});
`;
fs.writeFileSync(path.join(built, 'serve.cjs'), SERVER);
const serving = program('serving', `exec '${process.execPath}' '${path.join(built, 'serve.cjs')}'`);

/** The server, and a promise of each state that it will be in. */
function server() {
  const log = vscode.noLog();
  const made = new loaded.Server(vscode.Uri.file(built), log, log);
  const becomes = (kind) =>
    new Promise((resolve) => made.onState((state) => state.kind === kind && resolve(state)));
  return { server: made, becomes };
}

test('a program that serves is ready, and ends when it is asked to', options, async () => {
  vscode.settings['server.path'] = serving;
  const { server: made, becomes } = server();
  const ready = becomes('ready');
  await made.restart();
  assert.deepEqual(await ready, { kind: 'ready', model: 'toy' });
  await made.stop();
  assert.equal(made.state.kind, 'stopped');
});

test('a server that crashes is started again', options, async () => {
  vscode.settings['server.path'] = serving;
  const { server: made, becomes } = server();
  const first = becomes('ready');
  await made.restart();
  await first;
  const second = becomes('ready');
  made.running.serverProcess.kill('SIGKILL');
  await second;
  await made.stop();
  assert.equal(made.state.kind, 'stopped');
});

test('a silent program keeps neither a restart nor the end waiting, and is ended', options, async () => {
  const pid = path.join(built, 'pid');
  vscode.settings['server.path'] = program('silent', `echo $$ >'${pid}.new'`, `mv '${pid}.new' '${pid}'`, 'exec sleep 1000');
  const { server: made, becomes } = server();
  const first = made.restart();
  while (!fs.existsSync(pid)) {
    await later(10);
  }
  vscode.settings['server.path'] = serving;
  const ready = becomes('ready');
  await made.restart();
  await first;
  await ready;
  assert.throws(() => process.kill(Number(fs.readFileSync(pid)), 0), { code: 'ESRCH' });
  vscode.settings['server.path'] = path.join(built, 'silent');
  void made.restart();
  await made.stop();
  assert.equal(made.state.kind, 'stopped');
});

test('a failed start shows what the program said last, and nothing over it', options, async () => {
  vscode.shown.length = 0;
  vscode.settings['server.path'] = program('failing', 'echo first >&2', 'echo "gliznet: no folder; name another" >&2', 'exit 1');
  const { server: made } = server();
  await made.restart();
  const why = `${path.join(built, 'failing')} does not serve: no folder; name another`;
  assert.deepEqual(made.state, { kind: 'failed', why });
  vscode.settings['server.path'] = serving;
  await made.restart();
  await made.stop();
  assert.deepEqual(vscode.shown, []);
});

test('what the server refuses is said once, in its words alone', options, async () => {
  vscode.settings['server.path'] = serving;
  const { server: made } = server();
  await made.restart();
  vscode.shown.length = 0;
  const refusal = new loaded.ResponseError(-32803, 'the front matter is broken; repair it first');
  made.running.error('Request codeAction/resolve failed.', refusal);
  assert.deepEqual(vscode.shown, ['GliZNet: the front matter is broken; repair it first']);
  // The editor shows what a command of a lens is rejected with.
  const run = made.running.middleware.executeCommand;
  assert.equal(await run('gliznet.accept', [], () => Promise.reject(refusal)), null);
  await assert.rejects(run('gliznet.accept', [], () => Promise.reject(new Error('ended'))), /ended/);
  await made.stop();
});

test('a person without labels is offered a choice of them, and hears other faults as they are', async () => {
  vscode.answers.button = 'Choose label set';
  const faults = [
    [{ fault: 'no labels', unset: true }, ['gliznet.chooseLabelset']],
    [{ fault: 'no labels' }, []],
  ];
  for (const [current, run] of faults) {
    vscode.shown.length = vscode.ran.length = 0;
    const client = { sendRequest: () => Promise.resolve({ labelsets: [], current }) };
    await loaded.tell(client, { type: loaded.MessageType.Warning, message: 'no labels' });
    assert.deepEqual(vscode.shown, ['GliZNet: no labels']);
    assert.deepEqual(vscode.ran, run);
  }
});

/** Chooses a label set where these settings hold; gives what holds then. */
async function chosen(pick, settings, forAll, button) {
  Object.assign(vscode.answers, { pick, button });
  for (const [scope, values] of [[vscode.settings, settings], [vscode.forAll, forAll]]) {
    Object.keys(scope).forEach((name) => delete scope[name]);
    Object.assign(scope, values);
  }
  vscode.shown.length = 0;
  const labelsets = [{ name: 'gtd', path: null, labels: ['next'] }];
  const answer = { labelsets, current: { name: 'gtd', labels: [] } };
  const client = { sendRequest: () => Promise.resolve(answer) };
  await loaded.choose({ running: client, name: () => ({ uri: 'file:///a.md' }) });
  const { labelset, labels } = { ...vscode.forAll, ...vscode.settings };
  return { labelset, labels };
}

test('a label set that is chosen holds, or it is said what wins over it', async () => {
  const labels = ['mine'];
  assert.deepEqual(await chosen('gtd', {}, {}), { labelset: 'gtd', labels: undefined });
  assert.deepEqual(vscode.shown, []);
  assert.deepEqual(await chosen('gtd', { labels }, {}), { labelset: 'gtd', labels });
  assert.match(vscode.shown[0], /gliznet\.labels names labels too, and wins/);
  const clear = 'Clear gliznet.labels';
  assert.deepEqual(await chosen('gtd', { labels }, {}, clear), { labelset: 'gtd', labels: undefined });
  assert.deepEqual(await chosen('gtd', {}, { labels }, clear), { labelset: 'gtd', labels: [] });
});

test('gliznet.toml decides again, whatever the person has set for all workspaces', async () => {
  const file = 'As gliznet.toml says';
  assert.equal((await chosen(file, { labelset: 'gtd' }, {})).labelset, undefined);
  assert.equal((await chosen(file, { labelset: 'gtd' }, { labelset: 'emotions' })).labelset, '');
  assert.equal(vscode.forAll.labelset, 'emotions', 'what holds elsewhere is left alone');
});

test('a review that is left before its labels are there is over, and asks no longer', async () => {
  // A server that answers only where it is asked no longer.
  const sendRequest = (_method, _params, token) =>
    new Promise((_, reject) => token?.onCancellationRequested(() => reject(new Error('cancelled'))));
  const asked = loaded.ask({ running: { sendRequest } }, { uri: 'file:///a.md' });
  const pick = vscode.picks.at(-1);
  pick.hide();
  assert.equal(await asked, undefined);
  assert.equal(pick.isGone, true);
});
