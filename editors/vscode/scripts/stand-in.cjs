// Stands in for the editor in tests of what speaks to a server: what they look at is real, and
// whatever else is touched can be called, constructed and read, and does nothing.
const listeners = new WeakMap();

class EventEmitter {
  constructor() {
    listeners.set(this, new Set());
    this.event = (listener, self) => {
      const bound = self === undefined ? listener : listener.bind(self);
      listeners.get(this).add(bound);
      return { dispose: () => listeners.get(this).delete(bound) };
    };
  }

  fire(event) {
    listeners.get(this).forEach((listener) => listener(event));
  }

  dispose() {
    listeners.get(this).clear();
  }
}

class CancellationTokenSource {
  constructor() {
    const cancelled = new EventEmitter();
    this.token = { isCancellationRequested: false, onCancellationRequested: cancelled.event };
    this.cancel = () => {
      this.token.isCancellationRequested = true;
      cancelled.fire();
    };
  }

  dispose() {}
}

/** A list to pick from, which the person leaves by `hide`. */
function quickPick() {
  const hidden = new EventEmitter();
  const pick = {
    isGone: false,
    onDidHide: hidden.event,
    onDidAccept: () => ({ dispose() {} }),
    onDidTriggerItemButton: () => ({ dispose() {} }),
    show() {},
    hide: () => hidden.fire(),
    dispose: () => (pick.isGone = true),
  };
  picks.push(pick);
  return pick;
}

/** Does nothing, whatever is done to it. */
function nothing(known = {}) {
  const parts = { ...known };
  const target = function () {};
  return new Proxy(target, {
    get(_, name) {
      if (name === 'prototype') {
        return target.prototype;
      }
      if (typeof name === 'symbol' || name === 'then') {
        return undefined; // It is no promise, and no list.
      }
      if (!(name in parts)) {
        parts[name] = nothing();
      }
      return parts[name];
    },
    apply: () => ({ dispose() {} }),
  });
}

/** What was shown to the person. */
const shown = [];
const show = (text, ...buttons) => {
  shown.push(text);
  return Promise.resolve(buttons.find((button) => button === answers.button));
};
/** The button and the choice that the person takes. */
const answers = {};
/** The lists that were opened. */
const picks = [];
/** The commands that were run, by their names. */
const ran = [];
/** The section `gliznet`: what the workspace says, and what the person has set for all. */
const settings = {};
const forAll = {};
const Global = 1;
const configuration = {
  get: (name, without) => settings[name] ?? forAll[name] ?? without,
  inspect: (name) => ({ globalValue: forAll[name], workspaceValue: settings[name] }),
  update: (name, value, target) => {
    (target === Global ? forAll : settings)[name] = value;
    return Promise.resolve();
  },
};
const noLog = () => ({ info() {}, warn() {}, error() {}, debug() {}, trace() {}, onDidChangeLogLevel: () => ({ dispose() {} }) });

// Its own parts are those that `import *` sees; the others it inherits.
module.exports = Object.assign(Object.create(nothing()), {
  shown,
  settings,
  forAll,
  answers,
  picks,
  ran,
  noLog,
  version: '1.139.0',
  env: { language: 'en', appName: 'tests' },
  EventEmitter,
  CancellationTokenSource,
  Disposable: class {
    dispose() {}
  },
  Uri: { file: (path) => ({ scheme: 'file', fsPath: path, path, toString: () => `file://${path}` }) },
  l10n: { t: (text, ...holes) => text.replace(/\{(\d)\}/g, (_, at) => holes[at]) },
  ConfigurationTarget: { Global, Workspace: 2 },
  commands: nothing({ executeCommand: (name) => Promise.resolve(void ran.push(name)) }),
  languages: nothing({ createDiagnosticCollection: () => ({ clear() {}, dispose() {} }) }),
  window: nothing({
    showErrorMessage: show,
    showWarningMessage: show,
    showInformationMessage: show,
    visibleTextEditors: [],
    createQuickPick: quickPick,
    showQuickPick: (choices) => Promise.resolve(choices.find(({ label }) => label === answers.pick)),
    activeTextEditor: undefined,
    tabGroups: nothing({ all: [] }),
  }),
  workspace: nothing({
    textDocuments: [],
    notebookDocuments: [],
    workspaceFolders: [{ uri: { scheme: 'file', fsPath: '/' } }],
    getConfiguration: () => configuration,
  }),
});
