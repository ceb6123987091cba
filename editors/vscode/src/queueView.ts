// The view "Review": documents that are worth a look, each with its labels to tick.
// Input: gliznet/review, ticks, keys. Output: gliznet/correct, the document that is looked at.
// Invariant: a document leaves the list only when its verdict is on disk, and one verdict is
// underway at a time; what is shown was chosen for the settings that hold.
import * as vscode from 'vscode';
import { forget } from './forget';
import type { ReviewLabel, ReviewRecord, ReviewResult } from './protocol';
import * as protocol from './protocol';
import type { Entry, Past } from './queue';
import { correction, listed, Queue, unlisted } from './queue';
import type { Server } from './server';
import { message } from './server';
import { percent } from './suggestions';

const VIEW = 'gliznet.queue';
/** Characters of a text that its row shows under the mouse. */
const EXCERPT = 400;

/** What the view shows; its welcome texts go by it. */
type Kind = 'waiting' | 'reading' | 'list' | 'done' | 'nothing' | 'unreadable' | 'noFolder' | 'failed';

/** A label of a document, with its box. */
class Choice {
  constructor(
    readonly entry: Entry,
    readonly label: ReviewLabel,
  ) {}
}

type Row = Entry | Choice;

export class QueueView implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  readonly #server: Server;
  readonly #output: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<Entry | undefined>();
  readonly #queue = new Queue();
  readonly #view: vscode.TreeView<Row>;
  readonly #subscriptions: vscode.Disposable[];
  #kind: Kind = 'waiting';
  /** What was answered last. */
  #answer: ReviewResult | undefined;
  #why: string | undefined;
  /** What is shown, if anything, was chosen for other settings or by another server. */
  #isStale = true;
  #reading: vscode.CancellationTokenSource | undefined;
  #isBusy = false;
  /** The document that was led to last. */
  #current: Entry | undefined;
  /** The document that was opened last. */
  #opened: Entry | undefined;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(server: Server, output: vscode.LogOutputChannel) {
    this.#server = server;
    this.#output = output;
    this.#view = vscode.window.createTreeView<Row>(VIEW, {
      treeDataProvider: this,
      manageCheckboxStateManually: true,
    });
    const outdated = () => {
      this.#isStale = true;
      this.#readIfSeen();
    };
    this.#subscriptions = [
      this.#view.onDidChangeVisibility(() => {
        this.#readIfSeen();
      }),
      this.#view.onDidChangeCheckboxState(({ items }) => {
        for (const [row, state] of items) {
          if (row instanceof Choice) {
            const fits = state === vscode.TreeItemCheckboxState.Checked;
            this.#queue.tick(row.entry, row.label.label, fits);
          }
        }
      }),
      server.onState(({ kind }) => {
        this.#isStale ||= kind === 'starting';
        this.#readIfSeen();
      }),
      server.onSettings(outdated),
      vscode.workspace.onDidChangeWorkspaceFolders(outdated),
    ];
    this.#draw();
    this.#readIfSeen();
  }

  dispose(): void {
    this.#reading?.cancel();
    vscode.Disposable.from(...this.#subscriptions).dispose();
    this.#view.dispose();
    this.#changed.dispose();
  }

  getChildren(row?: Row): Row[] {
    if (row === undefined) {
      return [...this.#queue.entries];
    }
    return row instanceof Choice ? [] : listed(row).map((label) => new Choice(row, label));
  }

  getParent(row: Row): Entry | undefined {
    return row instanceof Choice ? row.entry : undefined;
  }

  getTreeItem(row: Row): vscode.TreeItem {
    return row instanceof Choice ? labelItem(row) : documentItem(row);
  }

  /** Asks for the documents to look at next. */
  async refresh(): Promise<void> {
    const client = this.#client();
    this.#reading?.cancel();
    const reading = (this.#reading = new vscode.CancellationTokenSource());
    this.#isStale = false;
    this.#why = undefined;
    if (this.#queue.entries.length === 0) {
      this.#show('reading');
    }
    const { past } = this.#queue;
    try {
      const found = await vscode.window.withProgress({ location: { viewId: VIEW } }, () =>
        client.sendRequest(protocol.review, {}, reading.token),
      );
      if (!reading.token.isCancellationRequested) {
        this.#take(found, past);
      }
    } catch (error) {
      if (!reading.token.isCancellationRequested) {
        this.#output.warn(`gliznet/review: ${message(error)}`);
        this.#fail(message(error));
      }
    } finally {
      if (this.#reading === reading) {
        this.#reading = undefined;
      }
      reading.dispose();
    }
  }

  /** Records that the ticked labels of a document fit and the others do not; or that none fits. */
  judge(argument: unknown, ticked: 'ticked' | 'none'): Promise<void> {
    return this.#alone(async () => {
      const entry = this.#target(argument);
      const said = entry && correction(entry, ticked === 'none' ? new Set() : entry.ticks);
      if (!entry || !said) {
        return;
      }
      const { sequence } = await this.#client().sendRequest(protocol.correct, said);
      this.#leave(entry, sequence);
      const fits = said.accepted.join(', ') || vscode.l10n.t('no label');
      tell(vscode.l10n.t('{0}: {1} recorded', name(entry.record), fits));
      if (entry.record.why === 'random' || this.#queue.entries.length === 0) {
        void this.#measure();
      }
    });
  }

  /** Says nothing of a document. */
  skip(argument: unknown): void {
    const entry = this.#isBusy ? undefined : this.#target(argument);
    if (entry) {
      this.#leave(entry);
    }
  }

  /** Brings back the document that left last, and takes the verdict on it out of the journal. */
  undo(): Promise<void> {
    return this.#alone(async () => {
      const last = this.#queue.last;
      if (last === undefined) {
        return;
      }
      await this.#takeBack(last);
      this.#queue.undo();
      this.#show('list');
      this.#lead(last.entry, { open: true });
    });
  }

  /** Lists labels that a document does not list, ticked. */
  async addLabel(argument: unknown): Promise<void> {
    const entry = this.#target(argument);
    if (!entry) {
      return;
    }
    const choices = unlisted(entry).map(({ label, score }) => ({ label, description: percent(score) }));
    if (choices.length === 0) {
      tell(vscode.l10n.t('All labels of the set are listed'));
      return;
    }
    const chosen = await vscode.window.showQuickPick(choices, {
      title: vscode.l10n.t('GliZNet: which other labels fit?'),
      placeHolder: name(entry.record),
      canPickMany: true,
    });
    if (chosen && this.#queue.entries.includes(entry)) {
      for (const { label } of chosen) {
        this.#queue.add(entry, label);
      }
      this.#changed.fire(entry);
      await this.#reveal(entry);
    }
  }

  /** Shows a document beside the list. */
  async open(argument: unknown): Promise<void> {
    const entry = this.#target(argument);
    if (entry) {
      await this.#goTo(entry, { open: true });
    }
  }

  #readIfSeen(): void {
    const state = this.#server.state;
    if (state.kind === 'ready') {
      if (this.#isStale && this.#view.visible && this.#server.running) {
        void this.refresh();
      }
    } else if (state.kind === 'failed') {
      this.#fail(state.why);
    } else if (this.#queue.entries.length === 0) {
      this.#why = undefined;
      this.#show(state.kind === 'stopped' ? 'failed' : 'waiting');
    }
  }

  #take(found: ReviewResult, past: readonly Past[]): void {
    this.#answer = found;
    for (const fault of found.faults ?? []) {
      this.#output.warn(`gliznet/review: ${fault}`);
    }
    this.#queue.fill(found.queue, past);
    const first = this.#queue.entries[0];
    if (first) {
      this.#show('list');
      // Whoever is writing elsewhere keeps the keyboard.
      void this.#reveal(first, { focus: false });
    } else {
      this.#show(found.open === 0 || found.queue.length > 0 ? 'nothing' : 'unreadable');
    }
  }

  #fail(why: string): void {
    this.#isStale = true;
    this.#why = why;
    const isEmpty = this.#queue.entries.length === 0;
    const hasFolder = vscode.workspace.workspaceFolders !== undefined;
    if (!hasFolder && this.#server.running) {
      this.#why = undefined;
      this.#show(isEmpty ? 'noFolder' : 'list');
    } else {
      this.#show(isEmpty ? 'failed' : 'list');
    }
  }

  /** A verdict may change how often tags are right, and how many documents are left. */
  async #measure(): Promise<void> {
    try {
      const found = await this.#client().sendRequest(protocol.review, { count: 1 });
      this.#answer = found;
      this.#show(this.#kind === 'done' && found.open === 0 ? 'nothing' : this.#kind);
    } catch (error) {
      this.#output.info(`gliznet/review: ${message(error)}`); // What was known before stays.
    }
  }

  /** One thing after another: a key that is held down is one verdict. */
  async #alone(act: () => Promise<void>): Promise<void> {
    if (this.#isBusy) {
      return;
    }
    this.#isBusy = true;
    try {
      await act();
    } finally {
      this.#isBusy = false;
    }
  }

  #leave(entry: Entry, sequence?: number): void {
    const wasOpen = this.#opened === entry;
    const next = this.#queue.leave(entry, sequence);
    this.#show(next ? 'list' : 'done');
    if (next) {
      this.#lead(next, { open: wasOpen });
    }
  }

  async #takeBack({ entry, sequence }: Past): Promise<void> {
    const { program } = this.#server;
    if (sequence === undefined || program === undefined) {
      return;
    }
    if (await forget(program, entry.record.uri, sequence)) {
      tell(vscode.l10n.t('{0}: the verdict is taken back', name(entry.record)));
      return;
    }
    // Somebody has said more of it since; that is not this view's to forget.
    const said = vscode.l10n.t(
      '{0} was corrected elsewhere too, so its verdict stays in the journal; judge it again, and the later one holds',
      name(entry.record),
    );
    void vscode.window.showInformationMessage(`GliZNet: ${said}`);
  }

  /** Not awaited: the next key may come before the list is drawn anew. */
  #lead(entry: Entry, { open }: { open: boolean }): void {
    this.#goTo(entry, { open }).catch((error: unknown) => {
      this.#output.warn(`${entry.record.uri}: ${message(error)}`); // It can be judged all the same.
    });
  }

  /** Leads to a document, and shows its text unless another was led to meanwhile. */
  async #goTo(entry: Entry, { open }: { open: boolean }): Promise<void> {
    if (open) {
      this.#opened = entry; // At once: a verdict may come before the text does.
    }
    // Once: it takes the keyboard, and whoever has left the list by then would lose it.
    await this.#reveal(entry);
    if (!open) {
      return;
    }
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(entry.record.uri));
    if (this.#isCurrent(entry)) {
      await vscode.window.showTextDocument(document, { preserveFocus: true, preview: true });
    }
  }

  async #reveal(entry: Entry, { focus } = { focus: true }): Promise<void> {
    this.#current = entry;
    if (!this.#view.visible) {
      return; // To reveal a row would open the view.
    }
    try {
      await this.#view.reveal(entry, { select: true, focus, expand: true });
    } catch (error) {
      if (this.#isCurrent(entry)) {
        throw error;
      }
      // A row that has left the list meanwhile cannot be revealed, and need not be.
    }
  }

  /** The document that was led to last, if it is still in the list. */
  #isCurrent(entry: Entry): boolean {
    return this.#current === entry && this.#queue.entries.includes(entry);
  }

  /** The document that a command means: its argument's, else the selected, else the last led to. */
  #target(argument: unknown): Entry | undefined {
    const entries = this.#queue.entries;
    for (const row of [argument, ...this.#view.selection]) {
      const found = entries.find((entry) => entry === (row instanceof Choice ? row.entry : row));
      if (found) {
        return found;
      }
    }
    if (argument !== undefined) {
      return undefined;
    }
    return entries.find((entry) => entry === this.#current) ?? entries[0];
  }

  #client(): NonNullable<Server['running']> {
    const client = this.#server.running;
    if (client === undefined) {
      throw new Error(vscode.l10n.t('GliZNet is not running; run "GliZNet: Restart Server"'));
    }
    return client;
  }

  #show(kind: Kind): void {
    this.#kind = kind;
    this.#draw();
    this.#changed.fire(undefined);
  }

  #draw(): void {
    // Not the view's own name, which the editor uses for itself.
    const context = {
      'gliznet.reviewing': this.#kind,
      'gliznet.queueUndo': this.#queue.last !== undefined,
    };
    for (const [key, value] of Object.entries(context)) {
      void vscode.commands.executeCommand('setContext', key, value);
    }
    const left = this.#queue.entries.length;
    this.#view.description = left > 0 ? vscode.l10n.t('{0} to look at', left) : '';
    const lines = [this.#why ?? '', ...(this.#answer ? estimate(this.#answer) : [])];
    this.#view.message = lines.filter((line) => line !== '').join('\n');
  }
}

function documentItem(entry: Entry): vscode.TreeItem {
  const { record } = entry;
  const item = new vscode.TreeItem(name(record), vscode.TreeItemCollapsibleState.Collapsed);
  const { icon, why, sentence } = reason(record);
  item.id = record.uri;
  item.description = record.title === null ? why : `${why} · ${record.name}`;
  item.iconPath = new vscode.ThemeIcon(icon);
  item.contextValue = 'document';
  item.command = {
    command: 'gliznet.reviewOpen',
    title: vscode.l10n.t('Open'),
    arguments: [entry],
  };
  const text = record.text.trim();
  const excerpt = text.length > EXCERPT ? `${text.slice(0, EXCERPT)} …` : text;
  item.tooltip = `${record.name}\n${sentence}\n\n${excerpt}`.trim();
  item.accessibilityInformation = { label: `${name(record)}, ${why}` };
  return item;
}

function labelItem({ entry, label }: Choice): vscode.TreeItem {
  const item = new vscode.TreeItem(label.label);
  item.id = `${entry.record.uri}#${label.label}`;
  item.description = percent(label.score);
  item.contextValue = 'label';
  const isTicked = entry.ticks.has(label.label);
  item.checkboxState = {
    state: isTicked ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
    tooltip: isTicked ? vscode.l10n.t('fits') : vscode.l10n.t('does not fit'),
    accessibilityInformation: { label: `${label.label}, ${percent(label.score)}` },
  };
  return item;
}

function name({ title, name: path }: ReviewRecord): string {
  return title ?? path;
}

/** Why a document is in the list. */
function reason({ why, again = [] }: ReviewRecord): { icon: string; why: string; sentence: string } {
  switch (why) {
    case 'unsure':
      return {
        icon: 'question',
        why: vscode.l10n.t('unsure'),
        sentence: vscode.l10n.t('The model is unsure: a score is close to its threshold.'),
      };
    case 'different':
      return {
        icon: 'telescope',
        why: vscode.l10n.t('different'),
        sentence: vscode.l10n.t('Nothing like it was judged yet.'),
      };
    case 'random':
      return {
        icon: 'beaker',
        why: vscode.l10n.t('by chance'),
        sentence: vscode.l10n.t('Drawn by chance: from these it is estimated how often tags are right.'),
      };
    case 'again':
      return {
        icon: 'history',
        why: vscode.l10n.t('again'),
        sentence: again
          .map(({ label, fits }) =>
            fits
              ? vscode.l10n.t('You gave {0}, but not to notes like it.', label)
              : vscode.l10n.t('You refused {0}, but not on notes like it.', label),
          )
          .join(' '),
      };
  }
}

/** How often tags are right, and what could not be read. */
function estimate({ accuracy, enough, faults = [] }: ReviewResult): string[] {
  const lines: string[] = [];
  if (accuracy) {
    const [low, high] = accuracy.range.map((share) => Math.round(share * 100));
    lines.push(
      vscode.l10n.t(
        '{0} of {1} documents drawn by chance needed no change; in all, {2} to {3} % are right.',
        Math.round(accuracy.right * accuracy.documents),
        accuracy.documents,
        low ?? 0,
        high ?? 100,
      ),
    );
  }
  if (enough) {
    lines.push(vscode.l10n.t('You can stop: hardly any of the last 50 needed a change.'));
  }
  if (faults[0]) {
    lines.push(vscode.l10n.t('Left out: {0}', faults.join('; ')));
  }
  return lines;
}

function tell(said: string): void {
  vscode.window.setStatusBarMessage(said, 4000);
}
