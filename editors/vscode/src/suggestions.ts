// What the server suggests for the note that the person is looking at.
// Input: gliznet/tagsChanged, the active editor. Output: one `Shown`, and an event when it changes.
// Invariant: what is shown is of the note that is active now.
import * as vscode from 'vscode';
import { LSPErrorCodes, ResponseError } from 'vscode-languageclient/node';
import { activeNote } from './notes';
import type { Tag } from './protocol';
import * as protocol from './protocol';
import type { Server } from './server';
import { message } from './server';

/** What the side view shows. */
export type Shown =
  | { kind: 'noNote' | 'noLabels' | 'waiting' | 'failed' }
  | { kind: 'nothing' | 'list'; note: vscode.TextDocument; tags: Tag[] };

/** Answers that mean "ask again", not "this cannot be done". */
const PASSING = new Set<number>([
  LSPErrorCodes.ContentModified,
  LSPErrorCodes.RequestCancelled,
  LSPErrorCodes.ServerCancelled,
]);

export class Suggestions implements vscode.Disposable {
  readonly #server: Server;
  readonly #output: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<Shown>();
  readonly #known = new Map<string, Tag[]>();
  readonly #subscriptions: vscode.Disposable[];
  #shown: Shown = { kind: 'noNote' };

  readonly onChange = this.#changed.event;

  constructor(server: Server, output: vscode.LogOutputChannel) {
    this.#server = server;
    this.#output = output;
    this.#subscriptions = [
      server.onTags(({ uri, tags }) => {
        // None may fit, or there may be no labels any more; the answer to a question tells them apart.
        if (tags.length > 0) {
          this.#known.set(uri, tags);
        } else {
          this.#known.delete(uri);
        }
        this.#show();
      }),
      server.onState((state) => {
        if (state.kind === 'starting' || state.kind === 'stopped') {
          this.#known.clear();
        }
        this.#show();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#show();
      }),
      vscode.workspace.onDidCloseTextDocument((document) => {
        this.#known.delete(server.name(document).uri);
        this.#show();
      }),
      server.onSettings(() => {
        this.#known.clear();
        this.#show();
      }),
    ];
    this.#tell(this.#find());
  }

  get shown(): Shown {
    return this.#shown;
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
    this.#changed.dispose();
  }

  #show(): void {
    const found = this.#find();
    if (same(found, this.#shown)) {
      return;
    }
    this.#tell(found);
  }

  #tell(shown: Shown): void {
    this.#shown = shown;
    const context = {
      'gliznet.view': shown.kind,
      'gliznet.note': activeNote() !== undefined,
      'gliznet.missing': 'tags' in shown && shown.tags.some((tag) => !tag.present),
    };
    for (const [key, value] of Object.entries(context)) {
      void vscode.commands.executeCommand('setContext', key, value);
    }
    this.#changed.fire(this.#shown);
  }

  #find(): Shown {
    const note = activeNote();
    if (note === undefined) {
      // A person who clicks into the view or the output still works on the note.
      const before = this.#shown;
      const visible = vscode.window.visibleTextEditors.map((editor) => editor.document);
      if (!('note' in before) || !visible.includes(before.note)) {
        return { kind: 'noNote' };
      }
      return this.#of(before.note);
    }
    return this.#of(note);
  }

  #of(note: vscode.TextDocument): Shown {
    const state = this.#server.state.kind;
    if (state === 'failed' || state === 'stopped') {
      return { kind: 'failed' };
    }
    const tags = this.#known.get(this.#server.name(note).uri);
    if (tags === undefined) {
      if (this.#server.running) {
        void this.#ask(note);
      }
      return { kind: 'waiting' };
    }
    return { kind: tags.length === 0 ? 'nothing' : 'list', note, tags };
  }

  /** Asks for what no notification told: nothing may fit, or there are no labels. */
  async #ask(note: vscode.TextDocument): Promise<void> {
    const client = this.#server.running;
    const textDocument = this.#server.name(note);
    try {
      const answer = await client?.sendRequest(protocol.tag, { textDocument });
      if (answer && !note.isClosed && !this.#known.has(textDocument.uri)) {
        this.#known.set(textDocument.uri, answer.tags);
        this.#show();
      }
    } catch (error) {
      if (error instanceof ResponseError && PASSING.has(error.code)) {
        return; // A notification follows.
      }
      this.#output.info(`${note.uri.toString(true)}: ${message(error)}`);
      if (activeNote() === note) {
        const kind = (await this.#hasLabels(textDocument)) ? 'failed' : 'noLabels';
        if (!this.#known.has(textDocument.uri)) {
          this.#tell({ kind });
        }
      }
    }
  }

  async #hasLabels(textDocument: protocol.DocumentName): Promise<boolean> {
    try {
      const answer = await this.#server.running?.sendRequest(protocol.labelsets, { textDocument });
      return answer !== undefined && answer.current.labels.length > 0;
    } catch {
      return true; // Then labels are not what is missing.
    }
  }
}

function same(one: Shown, other: Shown): boolean {
  if (!('note' in one) || !('note' in other)) {
    // What is waited for is asked for again each time, so that a failure does not stay.
    return one.kind === other.kind && one.kind !== 'waiting';
  }
  return one.note === other.note && JSON.stringify(one.tags) === JSON.stringify(other.tags);
}

/** A score as people read it. */
export function percent(score: number | null): string {
  return score === null ? '' : `${Math.round(score * 100)} %`;
}
