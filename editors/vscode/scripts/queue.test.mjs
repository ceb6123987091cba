// The review's list: what it shows, what a verdict says, what undo brings back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const built = fs.mkdtempSync(path.join(os.tmpdir(), 'gliznet-test-'));
process.on('exit', () => fs.rmSync(built, { recursive: true, force: true }));

/** A part of the extension that knows nothing of the editor. */
async function part(name) {
  const outfile = path.join(built, `${name}.mjs`);
  const entryPoints = [path.join(root, 'src', `${name}.ts`)];
  await esbuild.build({ entryPoints, outfile, bundle: true, format: 'esm', platform: 'node', logLevel: 'error' });
  return import(pathToFileURL(outfile));
}

const { Queue, LISTED, correction, listed, unlisted } = await part('queue');
const { forget } = await part('forget');

const names = (labels) => labels.map(({ label }) => label);

function record(name, more = {}) {
  const label = (label, score, suggested = false) => ({ label, score, suggested });
  const others = Array.from({ length: 10 }, (_, at) => label(`l${at}`, 0.3 - at / 100));
  return {
    uri: `file:///notes/${name}`,
    name,
    title: null,
    format: 'markdown',
    text: 'Roses.',
    why: 'unsure',
    labels: [label('garden', 0.9, true), label('tax', null, true), ...others],
    ...more,
  };
}

function queue(...records) {
  const queue = new Queue();
  queue.fill(records);
  return queue;
}

test('a document lists its suggestions, ticked, and the next best, not ticked', () => {
  const [entry] = queue(record('a.md')).entries;
  assert.equal(listed(entry).length, LISTED);
  assert.deepEqual(names(listed(entry)).slice(0, 3), ['garden', 'tax', 'l0']);
  assert.deepEqual([...entry.ticks], ['garden', 'tax']);
  assert.deepEqual(names(unlisted(entry)), ['l7', 'l8', 'l9']);
});

test('more suggestions than usual are all listed', () => {
  const labels = Array.from({ length: 12 }, (_, at) => ({ label: `s${at}`, score: 0.9, suggested: at < 11 }));
  const [entry] = queue(record('a.md', { labels })).entries;
  assert.equal(listed(entry).length, 11);
});

test('what is ticked fits, and what is listed besides does not', () => {
  const list = queue(record('a.md'));
  const [entry] = list.entries;
  list.tick(entry, 'tax', false);
  list.tick(entry, 'l1', true);
  const { accepted, rejected, ...about } = correction(entry);
  assert.deepEqual(accepted, ['garden', 'l1']);
  assert.deepEqual(rejected, ['tax', 'l0', 'l2', 'l3', 'l4', 'l5', 'l6']);
  assert.deepEqual(about, { uri: 'file:///notes/a.md', text: 'Roses.', format: 'markdown', source: 'review' });
});

test('none fits leaves the ticks, for undo brings them back', () => {
  const [entry] = queue(record('a.md')).entries;
  const said = correction(entry, new Set());
  assert.deepEqual(said.accepted, []);
  assert.equal(said.rejected.length, LISTED);
  assert.deepEqual([...entry.ticks], ['garden', 'tax']);
});

test('only what chance brought is a sample', () => {
  const source = (why) => correction(queue(record('a.md', { why })).entries[0]).source;
  assert.deepEqual(['unsure', 'different', 'random'].map(source), ['review', 'review', 'sample']);
});

test('without a label there is nothing to say', () => {
  const empty = record('empty.md', { text: '', labels: [] });
  assert.equal(correction({ record: empty, added: [], ticks: new Set() }), undefined);
  const list = queue(empty, record('a.md'));
  assert.deepEqual(list.entries.map(({ record }) => record.name), ['a.md'], 'so nobody is asked');
});

test('a label that was looked for is listed once, ticked, and is part of the verdict', () => {
  const list = queue(record('a.md'));
  const [entry] = list.entries;
  list.add(entry, 'l9');
  list.add(entry, 'l9');
  list.add(entry, 'l0');
  assert.deepEqual(names(listed(entry)).slice(LISTED), ['l9']);
  assert.deepEqual(correction(entry).accepted, ['garden', 'tax', 'l0', 'l9']);
  list.tick(entry, 'l9', false);
  assert.ok(correction(entry).rejected.includes('l9'));
});

test('the next document stands where the last one was', () => {
  const list = queue(record('a.md'), record('b.md'), record('c.md'));
  const [a, b, c] = list.entries;
  assert.equal(list.leave(b, 1), c);
  assert.equal(list.leave(c, 2), a);
  assert.equal(list.leave(a), undefined);
  assert.equal(list.leave(a), undefined, 'it has left');
});

test('undo brings back one document after the other, with ticks, to their places', () => {
  const list = queue(record('a.md'), record('b.md'), record('c.md'));
  const [a, b, c] = list.entries;
  list.tick(b, 'l3', true);
  list.leave(b, 7);
  list.leave(a);
  assert.deepEqual(list.undo(), { entry: a, place: 0, sequence: undefined });
  assert.equal(list.last.sequence, 7);
  assert.equal(list.undo().entry, b);
  assert.deepEqual(list.entries, [a, b, c]);
  assert.ok(b.ticks.has('l3'));
  assert.equal(list.undo(), undefined);
});

test('another list keeps the ticks of documents that are as they were', () => {
  const list = queue(record('a.md'), record('b.md'), record('c.md'));
  const [a, b, c] = list.entries;
  list.tick(a, 'tax', false);
  list.tick(b, 'tax', false);
  list.leave(c);
  list.fill([record('c.md'), record('b.md', { text: 'Tulips.' }), record('a.md')]);
  const [newC, newB, newA] = list.entries;
  assert.ok(!newA.ticks.has('tax'));
  assert.ok(newB.ticks.has('tax'), 'the text is another one');
  assert.equal(newC.record.name, 'c.md');
  assert.equal(list.last, undefined, 'what was skipped and comes again is not past too');
});

test('what was judged while another list was on its way does not come back, and can be undone', () => {
  const list = queue(record('a.md'), record('b.md'));
  const [a, b] = list.entries;
  list.leave(a, 7);
  const { past } = list;
  list.leave(b, 8);
  list.fill([record('a.md'), record('b.md')], past);
  assert.deepEqual(list.entries.map(({ record }) => record.name), ['a.md'], 'it is asked again');
  assert.equal(list.undo().entry, b);
});

/** A program that answers as `gliznet journal forget` does, and writes down what it was asked. */
function program(corrections) {
  const file = path.join(built, `program-${corrections.join('-')}`);
  const asked = `${file}.log`;
  const answer = JSON.stringify({ corrections });
  fs.writeFileSync(file, `#!/bin/sh\necho "$*" >>'${asked}'\necho '${answer}'\n`, { mode: 0o755 });
  return { file, asked: () => fs.readFileSync(asked, 'utf8').trim().split('\n') };
}

test('a verdict is forgotten where nothing else was said of the document', { skip: process.platform === 'win32' }, async () => {
  const one = program([5]);
  assert.equal(await forget(one.file, 'file:///a.md', 5), true);
  const order = 'journal forget file:///a.md --format json';
  assert.deepEqual(one.asked(), [`${order} --dry-run`, order]);
  const more = program([5, 6]);
  assert.equal(await forget(more.file, 'file:///a.md', 5), false);
  assert.deepEqual(more.asked(), [`${order} --dry-run`], 'nothing was forgotten');
});
