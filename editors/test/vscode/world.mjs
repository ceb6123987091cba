// A throw-away world: folders, notes, VS Code's server, a browser; and its end, whatever happens.
// Everything that the editor starts is in its process group or is the daemon, and both are ended.
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { Workbench } from './workbench.mjs';

const EXAMPLES = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../examples/notes');

/** Longer than anything takes on a busy machine. */
const PATIENCE = Number(process.env.GLIZNET_PATIENCE ?? 60) * 1000;

// A still screen: nothing that moves, asks, or is not ours.
const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.reduceMotion': 'on',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.colorTheme': 'Default Light Modern',
  'workbench.editor.showTabs': 'multiple',
  'workbench.editor.limit.enabled': true,
  'workbench.editor.limit.value': 1,
  'workbench.layoutControl.enabled': false,
  'window.commandCenter': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'editor.accessibilitySupport': 'off',
  'editor.minimap.enabled': false,
  'editor.fontSize': 14,
  'editor.wordWrap': 'on',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'files.autoSave': 'off',
  'files.simpleDialog.enable': true,
  'explorer.autoReveal': false,
};

export class World {
  /** With `french`, the editor is set to French. */
  static async create({ french = false } = {}) {
    const world = new World();
    world.french = french;
    world.viewName = french ? 'Étiquettes proposées' : 'Suggested Tags';
    // Short: a socket's path may have 100 bytes.
    world.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gz-'));
    for (const name of ['home', 'config', 'data', 'cache', 'run', 'user/User', 'user/Machine', 'extensions']) {
      fs.mkdirSync(world.path(name), { recursive: true });
    }
    world.notes = world.path('notes');
    fs.cpSync(EXAMPLES, world.notes, { recursive: true });
    // Low enough that notes have several suggestions, whatever the bundled model's own threshold is.
    const rules = 'labelset = "personal-notes"\nthreshold = 0.02\n';
    fs.writeFileSync(path.join(world.notes, 'gliznet.toml'), rules);
    world.settings({});
    const { GLIZNET_LOG: _, ...inherited } = process.env;
    world.env = {
      ...inherited,
      HOME: world.path('home'),
      XDG_CONFIG_HOME: world.path('home/.config'),
      XDG_DATA_HOME: world.path('home/.local/share'),
      GLIZNET_CONFIG_DIR: world.path('config'),
      GLIZNET_DATA_DIR: world.path('data'),
      GLIZNET_CACHE_DIR: world.path('cache'),
      GLIZNET_RUNTIME_DIR: world.path('run'),
    };
    return world;
  }

  path(name) {
    return path.join(this.folder, name);
  }

  /** Installs the extension and starts the editor's server and the browser. */
  async start() {
    const code = process.env.CODE_SERVER;
    const folders = ['--user-data-dir', this.path('user'), '--extensions-dir', this.path('extensions')];
    execFileSync(code, [...folders, '--install-extension', process.env.VSIX], { env: this.env, stdio: 'pipe' });
    // The daemon is met by programs of the same build only, so this is the one to ask.
    const [extension] = fs.readdirSync(this.path('extensions')).filter((name) => name.startsWith('gliznet.gliznet-'));
    this.program = this.path(`extensions/${extension}/server/gliznet`);
    if (this.french) this.#speakFrench();
    this.port = await freePort();
    const log = fs.openSync(this.path('code-server.log'), 'w');
    this.server = spawn(
      code,
      ['--auth', 'none', '--bind-addr', `127.0.0.1:${this.port}`, ...folders, '--config', this.path('config.yaml'),
        '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override',
        ...(this.french ? ['--locale', 'fr'] : []), this.notes],
      { env: this.env, stdio: ['ignore', log, log], detached: true },
    );
    process.on('exit', () => this.#kill('SIGKILL'));
    await until('code-server answers', () =>
      fetch(`http://127.0.0.1:${this.port}/healthz`).then((r) => r.ok, () => false),
    );
    this.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync',
        // Nothing but our server may be reached: the rest fails at once instead of hanging.
        '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'],
    });
  }

  /** Registers a language pack that translates nothing, for the editor's own cannot be had here: its
   *  own texts stay English, and extensions are told that the person reads French. */
  #speakFrench() {
    const pack = this.path('french');
    fs.mkdirSync(pack);
    const texts = path.join(pack, 'main.i18n.json');
    fs.writeFileSync(texts, JSON.stringify({ version: '1.0.0', contents: {} }));
    const entry = {
      hash: 'gliznet-test',
      extensions: [{ extensionIdentifier: { id: 'gliznet.french' }, version: '1.0.0' }],
      translations: { vscode: texts },
      label: 'français',
    };
    fs.writeFileSync(this.path('user/languagepacks.json'), JSON.stringify({ fr: entry }));
  }

  /** A window of the editor with a note in it. */
  async window(note) {
    // A context of its own: a window does not share its layout with another.
    const context = await this.browser.newContext({ viewport: { width: 1180, height: 740 }, deviceScaleFactor: 1.5 });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const url = new URL(`http://127.0.0.1:${this.port}/`);
    url.searchParams.set('folder', this.notes);
    const file = `vscode-remote://127.0.0.1:${this.port}${path.join(this.notes, note)}`;
    url.searchParams.set('payload', JSON.stringify([['openFile', file]]));
    await page.goto(url.href);
    const workbench = new Workbench(page, this);
    await workbench.shows(note);
    await workbench.showView();
    return workbench;
  }

  pages() {
    return (this.browser?.contexts() ?? []).flatMap((context) => context.pages());
  }

  async closeWindows() {
    for (const context of this.browser?.contexts() ?? []) await context.close().catch(() => {});
  }

  /** The user's settings: those that keep the screen still, and these. */
  settings(more) {
    fs.writeFileSync(this.path('user/User/settings.json'), JSON.stringify({ ...SETTINGS, ...more }));
  }

  /** The settings of the machine on which the extension runs. */
  machineSettings(settings) {
    fs.writeFileSync(this.path('user/Machine/settings.json'), JSON.stringify(settings));
  }

  /** A note's bytes before anybody touched it. */
  original(note) {
    return fs.readFileSync(path.join(EXAMPLES, note), 'utf8');
  }

  read(note) {
    return fs.readFileSync(path.join(this.notes, note), 'utf8');
  }

  uri(note) {
    return `file://${path.join(this.notes, note)}`;
  }

  /** The daemon's words on itself; null where none runs. Never starts one. */
  async status() {
    const run = promisify(execFile)(this.program, ['status', '--json'], { env: this.env });
    return JSON.parse((await run.catch((error) => error)).stdout);
  }

  /** What the journal holds of a source, the latest last. */
  async corrections(source) {
    const shown = ['journal', 'show', '--last', '500', '--format', 'json'];
    const { stdout } = await promisify(execFile)(this.program, shown, { env: this.env });
    return JSON.parse(stdout).filter((entry) => entry.source === source);
  }

  async end() {
    await this.closeWindows();
    await this.browser?.close().catch(() => {});
    this.#kill('SIGTERM');
    if (this.server) {
      await until('the editor has ended', () => !groupLives(this.server.pid)).catch(() => this.#kill('SIGKILL'));
    }
    // Also where the test killed the first daemon: its successor listens on the same socket.
    if (this.program) await promisify(execFile)(this.program, ['stop'], { env: this.env }).catch(() => {});
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #kill(signal) {
    if (!this.server) return;
    try {
      process.kill(-this.server.pid, signal);
    } catch {
      // It has ended.
    }
  }
}

/** Waits until something holds, and gives it. For what no locator can see: files and processes. */
export async function until(what, look, patience = PATIENCE) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not come true: ${what}`);
}

function groupLives(pid) {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
