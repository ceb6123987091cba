// Every text exists in both languages, and is used.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const holes = (text) => (text.match(/\{\d\}|\]\(command:[\w.]+\)/g) ?? []).sort();

test('the manifest names texts that both languages have, and all of them', () => {
  const named = [...read('package.json').matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key);
  const english = JSON.parse(read('package.nls.json'));
  const french = JSON.parse(read('package.nls.fr.json'));
  assert.deepEqual(Object.keys(english).sort(), [...new Set(named)].sort());
  assert.deepEqual(Object.keys(french).sort(), Object.keys(english).sort());
  for (const key of Object.keys(english)) {
    assert.deepEqual(holes(french[key]), holes(english[key]), key);
  }
});

test('the code says nothing that has no French', () => {
  const sources = fs.readdirSync(path.join(root, 'src')).map((name) => read(`src/${name}`));
  const said = sources.flatMap((source) =>
    [...source.matchAll(/l10n\.t\(\s*(['"])((?:\\.|(?!\1).)*)\1/g)].map(([, , text]) => text),
  );
  const calls = sources.flatMap((source) => [...source.matchAll(/l10n\.t\(/g)]);
  assert.equal(said.length, calls.length, 'a text is not a plain string');
  const french = JSON.parse(read('l10n/bundle.l10n.fr.json'));
  assert.deepEqual(Object.keys(french).sort(), [...new Set(said)].sort());
  for (const [text, translation] of Object.entries(french)) {
    assert.deepEqual(holes(translation), holes(text), text);
  }
});

// Whoever works on a web site does not want a model in memory for it; `gliznet.toml` says otherwise.
test('whatever is a note wakes the extension, but HTML', () => {
  const [list] = read('src/notes.ts').split('];');
  const notes = [...list.matchAll(/^ {2}'(\w+)',$/gm)].map(([, language]) => `onLanguage:${language}`);
  const { activationEvents } = JSON.parse(read('package.json'));
  const woken = activationEvents.filter((event) => event.startsWith('onLanguage:'));
  const expected = notes.filter((event) => event !== 'onLanguage:html');
  assert.deepEqual(woken.sort(), expected.sort());
});

test('no command of ours has a name that the server registers', () => {
  const servers = ['accept', 'acceptAll', 'reject', 'replaceTag', 'addFrontMatter', 'record'];
  const ours = JSON.parse(read('package.json')).contributes.commands.map(({ command }) => command);
  for (const name of servers) {
    assert.ok(!ours.includes(`gliznet.${name}`), name);
  }
});
