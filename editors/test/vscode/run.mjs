// The tests: one world, each test with notes of its own, in the order of the file.
// Input: GLIZNET, VSIX, CODE_SERVER of vscode.sh. The last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ScriptedEditor } from './lsp.mjs';
import { World, until } from './world.mjs';

const failures = path.join(path.dirname(fileURLToPath(import.meta.url)), 'failures');
const SALT_ROAD = 'reading/the-salt-road.md';
const NAPS = 'reading/paper-sleep-and-memory.md';
const VET = 'home/vet-visit.md';
const TAXES = 'home/tax-return-checklist.md';
const DREAM = 'journal/dream-of-the-station.md';

/** `books 77 %` and `+ books 77 %` to `books`. */
const label = (shown) => shown.replace(/^\+ /, '').replace(/\s*\d+ %$/, '').trim();
const suggested = (lenses) => lenses.filter((lens) => lens.startsWith('+ ')).map(label);

const tests = {
  async 'a note shows what fits, above its text and in the side view'(world, window) {
    await window.open(SALT_ROAD);
    await window.lens('+ books').waitFor();
    await window.row('books').waitFor();
    const lenses = await window.lenses();
    const rows = await window.rows();
    assert.match(lenses[0], /^\+ books \d\d %$/);
    assert.match(rows[0], /^books ?\d\d %$/);
    // Above the text there is room for the surest five.
    assert.deepEqual(suggested(lenses), rows.map(label).slice(0, 5), 'both show the same, the surest first');
    assert.deepEqual(lenses.slice(-2), ['accept all', 'review…']);
    assert.equal(world.read(SALT_ROAD), world.original(SALT_ROAD), 'nothing was written');
    await window.status().filter({ hasText: /^\s*GliZNet$/ }).waitFor();
    await window.shot('vscode-lens');
  },

  async 'a lens writes its tag and leaves every other byte alone'(world, window) {
    await window.open(SALT_ROAD);
    await window.lens('+ books').click();
    await window.lens('+ books').waitFor({ state: 'detached' });
    const written = await window.save(SALT_ROAD);
    const original = world.original(SALT_ROAD);
    assert.ok(written.endsWith(original), written);
    const added = written.slice(0, written.length - original.length);
    assert.match(added, /^---\ntags:\n\s*- books\n---\n\n?$/);
  },

  async 'a second tag joins the list, and undo takes it back'(world, window) {
    await window.open(SALT_ROAD);
    const before = world.read(SALT_ROAD);
    await window.lens('+ writing').click();
    await window.has('- writing');
    assert.equal(await window.save(SALT_ROAD), before.replace(/(\s*)- books\n/, '$1- books$1- writing\n'));
    await window.focusText();
    await window.page.keyboard.press('Control+z');
    await window.line('- writing').waitFor({ state: 'detached' });
    assert.equal(await window.save(SALT_ROAD), before);
  },

  async 'the side view accepts a tag'(world, window) {
    await window.open(VET);
    await window.lens('+ pets').waitFor();
    await window.row('pets').hover();
    await window.shot('vscode-view');
    await window.press(window.row('pets'), 'Accept Tag');
    await window.has('- pets');
    const written = await window.save(VET);
    assert.match(written, /^---\ntags:\n\s*- pets\n---\n/);
    assert.ok(written.endsWith(world.original(VET)), written);
    await window.lens('+ pets').waitFor({ state: 'detached' });
    await window.lens('+ food').waitFor();
  },

  async 'a rejected tag is gone, and stays away when the note is opened again'(world, window) {
    await window.open(VET);
    await window.row('food').waitFor();
    await window.press(window.row('food'), 'Never Suggest');
    await window.row('food').waitFor({ state: 'detached' });
    await window.lens('+ food').waitFor({ state: 'detached' });
    await window.close();
    await window.open(VET);
    await window.row('health').waitFor();
    await window.lens('+ health').waitFor();
    assert.ok(!(await window.rows()).map(label).includes('food'));
    assert.ok(!suggested(await window.lenses()).includes('food'));
    const { journal } = await world.status();
    assert.ok(journal.corrections >= 4, 'each verdict is in the journal');
  },

  async 'accept all takes what is suggested'(world, window) {
    await window.open(DREAM);
    await window.lens('accept all').waitFor();
    const labels = suggested(await window.lenses());
    assert.ok(labels.length > 1, labels.join());
    await window.lens('accept all').click();
    for (const name of labels) await window.has(`- ${name}`);
    const written = await window.save(DREAM);
    assert.ok(written.endsWith(world.original(DREAM)), written);
    assert.deepEqual([...written.matchAll(/^\s*- (\S+)$/gm)].map(([, name]) => name), labels);
  },

  async 'completion inside the tags offers the labels that fit best first'(world, window) {
    await window.open(NAPS);
    await window.row('study').waitFor();
    const ranked = (await window.rows()).map(label);
    await window.focusText();
    await window.page.keyboard.press('Control+Home');
    await window.type('---\ntags: []\n---\n');
    await window.caretBehind('tags: []');
    await window.page.keyboard.press('ArrowLeft');
    const offered = await window.complete();
    assert.deepEqual(offered.slice(0, ranked.length), ranked);
    assert.ok(offered.length > ranked.length, 'all labels of the set can be chosen');
    await window.shot('vscode-completion');
    await window.page.keyboard.press('Enter');
    await window.has(`tags: [${ranked[0]}]`);
    await window.save(NAPS);
  },

  async 'the mouse over a tag says why it fits'(world, window) {
    await window.open(NAPS);
    await window.has('tags: [sleep]');
    // The lens moves the line, so it must be there first.
    await window.lens('+ study').waitFor();
    await window.line('tags: [sleep]').getByText(/sleep/).last().hover();
    const hover = window.page.locator('.monaco-hover:visible', { hasText: /\d\d %/ });
    await hover.waitFor();
    assert.match(await hover.innerText(), /sleep/);
    await window.shot('vscode-hover');
    await window.page.keyboard.press('Escape');
  },

  async 'a misspelt tag is hinted at and replaced by the nearest'(world, window) {
    await window.open('home/garden-log.md');
    await window.focusText();
    await window.page.keyboard.press('Control+Home');
    await window.type('---\ntags: [gardne]\n---\n');
    await window.caretBehind('tags: [gardne]');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.locator('.squiggly-hint').first().waitFor();
    await window.act('Replace gardne by garden', 'vscode-quickfix');
    await window.has('tags: [garden]');
    const written = await window.save('home/garden-log.md');
    assert.equal(written, `---\ntags: [garden]\n---\n${world.original('home/garden-log.md')}`);
  },

  async 'a tag that is in no set becomes a label of the user’s own copy of it'(world, window) {
    await window.open('home/todo.md');
    await window.focusText();
    await window.page.keyboard.press('Control+Home');
    await window.type('---\ntags: [weaving]\n---\n');
    await window.caretBehind('tags: [weaving]');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.keyboard.press('ArrowLeft');
    await window.page.locator('.squiggly-hint').first().waitFor();
    await window.act('Add weaving to the label set personal-notes', 'vscode-new-label');
    await window.page.locator('.notification-list-item', { hasText: 'personal-notes.toml' }).waitFor();
    await window.page.locator('.squiggly-hint').first().waitFor({ state: 'detached' });
    await window.command('Notifications: Clear All Notifications');
    const own = world.path('config/labelsets/personal-notes.toml');
    assert.match(fs.readFileSync(own, 'utf8'), /name = "weaving"\s*$/);
    await window.save('home/todo.md');
  },

  async 'the light bulb adds a tag'(world, window) {
    const note = 'recipes/red-lentil-soup.md';
    await window.open(note);
    await window.lens('+ food').waitFor();
    await window.focusText();
    await window.page.keyboard.press('Control+Home');
    await window.act('Add tag food');
    await window.has('- food');
    assert.ok((await window.save(note)).endsWith(world.original(note)));
  },

  async 'a plain text keeps its bytes, and the verdict is remembered'(world, window) {
    const note = 'home/workout.txt';
    await window.open(note);
    await window.press(window.row('fitness'), 'Accept Tag');
    await window.page.locator('.notification-list-item', { hasText: 'no place for tags' }).waitFor();
    await window.command('Notifications: Clear All Notifications');
    await window.row('fitness').hover();
    await window.row('fitness').locator('.codicon-pass-filled').waitFor();
    assert.equal(world.read(note), world.original(note));
  },

  async 'saving writes no tag by itself'(world, window) {
    const note = 'journal/2025-01-12.md';
    await window.open(note);
    await window.lens('+ home').waitFor();
    await window.focusText();
    await window.page.keyboard.press('Control+End');
    await window.type('Slept badly.');
    assert.equal(await window.save(note), `${world.original(note)}Slept badly.`);
  },

  async 'the review takes what is checked and turns down what is crossed'(world, window) {
    const note = 'recipes/overnight-bread.md';
    await window.open(note);
    await window.lens('review…').waitFor();
    const labels = suggested(await window.lenses());
    assert.ok(labels.length > 2, labels.join());
    const [crossed, kept, ...unchecked] = labels;
    await window.lens('review…').click();
    const picked = (name) => window.page.locator('.quick-input-list .monaco-list-row').filter({
      has: window.page.locator(`.label-name`, { hasText: new RegExp(`^${name}$`) }),
    });
    await picked(kept).waitFor();
    await window.shot('vscode-review');
    for (const name of unchecked) await picked(name).click();
    await picked(crossed).hover();
    await picked(crossed).locator('.action-label[aria-label*="Never suggest"]').click();
    await picked(crossed).waitFor({ state: 'detached' });
    await window.page.locator('.quick-input-widget .monaco-button', { hasText: 'OK' }).click();
    await window.has(kept);
    const written = await window.save(note);
    assert.equal(written, world.original(note).replace('[bread, baking]', `[bread, baking, ${kept}]`));
    await window.lens(`+ ${crossed}`).waitFor({ state: 'detached' });
    assert.deepEqual(suggested(await window.lenses()), unchecked);
  },

  async 'the review view takes a verdict, by mouse and by key, and takes it back'(world, window) {
    const judged = async () => [...(await world.corrections('review')), ...(await world.corrections('sample'))];
    await window.command('GliZNet: Review Notes');
    const rows = window.page.locator('.sidebar .monaco-list-row[aria-level="1"]');
    const of = (title) => rows.filter({ has: window.page.getByText(title, { exact: true }) });
    // The row that the view led to, with the keyboard on it; that its labels show is the last of it.
    const led = window.page.locator('.sidebar .monaco-list:focus-within .focused.selected[aria-level="1"][aria-expanded="true"]');
    const boxes = window.page.locator('.sidebar .custom-view-tree-node-item-checkbox');
    await boxes.first().waitFor();
    const first = await rows.first().locator('.label-name').innerText();
    await window.shot('vscode-review-view');
    const label = window.page.locator('.sidebar .monaco-list-row[aria-level="2"]');
    const names = await label.locator('.label-name').allInnerTexts();
    const before = await boxes.first().getAttribute('aria-checked');
    await boxes.first().click();
    await window.page.locator(`.sidebar .custom-view-tree-node-item-checkbox[aria-checked="${before === 'true' ? 'false' : 'true'}"]`).first().waitFor();
    await window.press(rows.first(), 'Ticked Labels Fit');
    const [one] = await until('the verdict is in the journal', async () => {
      const found = await judged();
      return found.length === 1 && found;
    });
    const list = before === 'true' ? one.rejected : one.accepted;
    assert.ok(list.includes(names[0]), JSON.stringify(one));
    assert.equal(one.accepted.length + one.rejected.length >= names.length, true);
    await of(first).waitFor({ state: 'detached' });
    // The keyboard stays in the list, and on the next document, as soon as that is drawn.
    const second = await led.locator('.label-name').innerText();
    await window.page.keyboard.press('n');
    const both = await until('the second verdict is in the journal', async () => {
      const found = await judged();
      return found.length === 2 && found;
    });
    assert.ok(both.some(({ accepted }) => accepted.length === 0), JSON.stringify(both));
    // The key has opened the second as a click does, so the third is opened as well.
    const other = both.find(({ document }) => document !== one.document);
    const file = ({ document }) => path.basename(decodeURIComponent(document));
    await of(second).waitFor({ state: 'detached' });
    await led.waitFor();
    await window.page.locator('.tab.active').filter({ hasNotText: file(other) }).waitFor();
    await window.shot('vscode-review-view-after');
    // Both, since chance chose them, and what they say would hold for the notes of other tests.
    for (const [title, { document }, left] of [[second, other, 1], [first, one, 0]]) {
      await window.page.keyboard.press('u');
      await window.page.locator('.statusbar-item', { hasText: `${title}: the verdict is taken back` }).waitFor();
      assert.equal((await judged()).length, left, 'the verdict is out of the journal');
      // The view leads to the document and opens it. Until then it takes the keyboard, even from a palette.
      await led.and(of(title)).waitFor();
      await window.shows(file({ document }));
    }
    await window.command('View: Show Explorer');
    await window.showView();
  },

  async 'tags that a note has are not offered again'(world, window) {
    await window.open(TAXES);
    await window.row('taxes').waitFor();
    assert.ok(!suggested(await window.lenses()).includes('taxes'));
    await window.row('taxes').hover();
    assert.equal(await window.row('taxes').locator('.action-label[aria-label*="Accept Tag"]').count(), 0);
  },

  async 'the status tells of model and daemon'(world, window) {
    await window.status().click();
    const rows = window.page.locator('.quick-input-list .monaco-list-row');
    await rows.filter({ hasText: 'gliznet-' }).waitFor();
    const { pid } = await world.status();
    await rows.filter({ hasText: `process ${pid}` }).waitFor();
    await window.shot('vscode-status');
    await window.page.keyboard.press('Escape');
    await rows.first().waitFor({ state: 'hidden' });
  },

  async 'two windows and a scripted editor share one daemon'(world, window) {
    await window.open('journal/2025-01-12.md');
    const { pid, clients } = await world.status();
    const second = await world.window('travel/portuguese-words.md');
    await second.lens('+ language-learning').waitFor();
    const scripted = new ScriptedEditor(world.program, { env: world.env, cwd: world.notes });
    try {
      await scripted.initialize();
      const uri = world.uri('projects/band-rehearsal-plan.org');
      scripted.open(uri, world.read('projects/band-rehearsal-plan.org'), 7);
      const told = await scripted.notified('gliznet/tagsChanged', (params) => params.uri === uri);
      assert.equal(told.version, 7);
      const status = await until('three editors are connected', async () => {
        const now = await world.status();
        return now.clients === clients + 2 && now;
      });
      assert.equal(status.pid, pid, 'one daemon serves all');
      await scripted.quit();
      // Neither its goodbye nor a window's end is anybody else's.
      await second.press(second.row('language-learning'), 'Accept Tag');
      await second.has('- language-learning');
    } finally {
      scripted.kill();
    }
    await second.end();
    await until('the window has left', async () => (await world.status()).clients === clients);
    await window.lens('+ home').waitFor();
  },

  async 'a killed daemon is replaced, and the editor goes on'(world, window) {
    const note = 'travel/ten-days-in-portugal.md';
    await window.open(note);
    await window.lens('+ travel').waitFor();
    const { pid } = await world.status();
    process.kill(pid, 'SIGKILL');
    // The note was open before, and is edited after: the new daemon must know both.
    await window.focusText();
    await window.page.keyboard.press('Control+End');
    await window.type('Back again.');
    await window.open('home/budget-march.md');
    await window.row('travel').waitFor();
    const next = await until('there is another daemon', async () => {
      const now = await world.status();
      return now !== null && now.pid !== pid && now;
    });
    assert.equal(next.model.state, 'ready');
    await window.open(note);
    await window.lens('+ travel').click();
    await window.has('- travel');
    const written = await window.save(note);
    assert.ok(written.endsWith(`${world.original(note)}Back again.`), written);
    assert.equal(await window.page.locator('.notification-list-item', { hasText: 'GliZNet' }).count(), 0);
  },

  async 'restarting the server brings the suggestions back'(world, window) {
    await window.open('reading/quotes-on-attention.txt');
    await window.lens('+ books').waitFor();
    await window.command('GliZNet: Restart Server');
    await window.lens('+ books').waitFor({ state: 'detached' });
    await window.lens('+ books').waitFor();
    await window.row('books').waitFor();
  },

  async 'a setting holds at once'(world, window) {
    await window.open('reading/quotes-on-attention.txt');
    await window.lens('+ books').waitFor();
    world.machineSettings({ 'gliznet.codeLens': false });
    await window.lens('+ books').waitFor({ state: 'detached' });
    world.machineSettings({ 'gliznet.labels': ['concentration', 'cooking'], 'gliznet.threshold': 0 });
    await window.row('concentration').waitFor();
    await window.row('cooking').waitFor();
    assert.equal((await window.rows()).length, 2, 'nothing but those labels');
    world.machineSettings({});
    await window.lens('+ books').waitFor();
  },

  async 'a tag is renamed in notes that are not open, too'(world, window) {
    const [open, closed] = ['recipes/overnight-bread.md', 'recipes/rye.md'];
    fs.writeFileSync(path.join(world.notes, closed), '---\ntags:\n  - bread\n---\nA loaf. #bread\n');
    const before = world.read(open);
    await window.open(open);
    await window.caretBehind('tags: [bread, baking');
    await window.page.keyboard.press('Home');
    for (let column = 0; column < 'tags: [b'.length; column += 1) await window.page.keyboard.press('ArrowRight');
    await window.page.keyboard.press('F2');
    const input = window.page.locator('.rename-box input');
    await input.waitFor();
    await input.fill('loaves');
    await window.page.keyboard.press('Enter');
    await window.has('tags: [loaves, baking');
    // The editor saves what a rename changes and was saved before.
    const renamed = {
      [open]: before.replace('[bread,', '[loaves,'),
      [closed]: '---\ntags:\n  - loaves\n---\nA loaf. #loaves\n',
    };
    await until('both notes are renamed', () => Object.entries(renamed).every(([note, text]) => world.read(note) === text));
  },

  async 'settings that are broken are not taken for a note that nothing fits'(world, window) {
    await window.open('travel/ten-days-in-portugal.md');
    await window.row('travel').waitFor();
    const rules = world.read('gliznet.toml');
    const broken = rules.replace('"personal-notes"', 'personal-notes');
    fs.writeFileSync(path.join(world.notes, 'gliznet.toml'), broken);
    await window.welcome().getByText('none that can be read').waitFor();
    fs.writeFileSync(path.join(world.notes, 'gliznet.toml'), rules);
    await window.row('travel').waitFor();
  },

  async 'without labels the view offers to choose a set'(world, window) {
    fs.rmSync(path.join(world.notes, 'gliznet.toml'));
    const fresh = await world.window('home/workout.txt');
    await fresh.welcome().getByText('Choose a label set').click();
    const rows = fresh.page.locator('.quick-input-list .monaco-list-row');
    const set = rows.filter({ has: fresh.page.locator('.label-name', { hasText: /^personal-notes$/ }) });
    await set.first().waitFor();
    await fresh.shot('vscode-labelsets');
    await set.first().click();
    await fresh.row('fitness').waitFor();
    assert.equal(JSON.parse(world.read('.vscode/settings.json'))['gliznet.labelset'], 'personal-notes');
    await fresh.end();
  },

  async 'a program that is not there is told with its cure'(world, window) {
    world.machineSettings({ 'gliznet.server.path': '/nowhere/gliznet' });
    await window.status().filter({ hasText: 'failed' }).waitFor();
    await window.status().click();
    const rows = window.page.locator('.quick-input-list .monaco-list-row');
    await rows.filter({ hasText: '/nowhere/gliznet is not a program; correct the setting' }).waitFor();
    await window.page.keyboard.press('Escape');
    world.machineSettings({});
    await window.status().filter({ hasText: /^\s*GliZNet$/ }).waitFor();
  },

  async 'the walkthrough is there'(world, window) {
    await window.command('Welcome: Open Walkthrough...');
    const rows = window.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Tag your notes' });
    await rows.first().click();
    await window.page.locator('.getting-started-step', { hasText: 'Choose your labels' }).first().click();
    await window.page.locator('.getting-started-step.expanded', { hasText: 'Choose your labels' }).waitFor();
    await window.shot('vscode-walkthrough');
  },

  // A second server and a second language take a minute, so it is asked for (GLIZNET_FRENCH=1).
  async 'who reads French is spoken to in French'() {
    const french = await World.create({ french: true });
    try {
      await french.start();
      const window = await french.window(SALT_ROAD);
      await window.lens('+ books').waitFor();
      await window.lens('revoir…').waitFor();
      const row = window.row('books');
      await row.hover();
      await row.locator('.action-label[aria-label*="Accepter"]').waitFor();
      await window.shot('vscode-french');
    } finally {
      await french.end();
    }
  },
};

const world = await World.create();
let passed = 0;
let failed = 0;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => void world.end().finally(() => process.exit(1)));
}
try {
  await world.start();
  let window;
  for (const [name, run] of Object.entries(tests)) {
    if (name.includes('French') && !process.env.GLIZNET_FRENCH) continue;
    if (process.env.GLIZNET_ONLY && !name.includes(process.env.GLIZNET_ONLY)) continue;
    const began = Date.now();
    try {
      window ??= await world.window(SALT_ROAD);
      await run(world, window);
      passed += 1;
      console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}\n${String(error.stack).replace(/^/gm, '      ')}`);
      fs.mkdirSync(failures, { recursive: true });
      for (const [at, page] of world.pages().entries()) {
        const shot = path.join(failures, `${name.replaceAll(/\W+/g, '-')}-${at}.png`);
        await page.screenshot({ path: shot }).catch(() => {});
      }
      // The next test does not start in what this one left.
      await world.closeWindows();
      window = undefined;
      world.settings({});
      world.machineSettings({});
    }
  }
} catch (error) {
  failed += 1;
  console.log(`FAIL  ${error.stack}`);
  if (fs.existsSync(world.path('code-server.log'))) console.log(fs.readFileSync(world.path('code-server.log'), 'utf8'));
} finally {
  await world.end();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
