// The connection to `gliznet lsp`: starts, watches and ends it.
// Output: a state for the status bar, and `ready` for whoever wants to ask something.
import * as vscode from 'vscode';
import {
  DidChangeConfigurationNotification,
  ExecuteCommandRequest,
  State as ClientState,
} from 'vscode-languageclient/node';
import { Client, tellUnwritten } from './client';
import * as program from './program';
import * as protocol from './protocol';

/** What the status bar shows. */
export type State =
  | { kind: 'starting' | 'loading' | 'stopped' }
  | { kind: 'ready'; model: string }
  | { kind: 'failed'; why: string };

/** How long the server may take to answer for the first time, in seconds. It may have to start the
 *  daemon, but waits for no model. */
const GREETING = 30;
/** How long the server may take to say goodbye. */
const FAREWELL = 2000;
/** How often a loading model is asked whether it is there. */
const LOOK_AGAIN = 500;

export class Server implements vscode.Disposable {
  readonly #extension: vscode.Uri;
  readonly #output: vscode.LogOutputChannel;
  readonly #trace: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<State>();
  readonly #tags = new vscode.EventEmitter<protocol.TagsChanged>();
  readonly #settings = new vscode.EventEmitter<void>();
  #client: Client | undefined;
  #program: string | undefined;
  #look: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** What was asked for last; aborted when something else is. */
  #wish = new AbortController();
  #state: State = { kind: 'stopped' };

  /** The server was told other settings. */
  readonly onSettings = this.#settings.event;
  readonly onState = this.#changed.event;
  readonly onTags = this.#tags.event;

  constructor(extension: vscode.Uri, output: vscode.LogOutputChannel, trace: vscode.LogOutputChannel) {
    this.#extension = extension;
    this.#output = output;
    this.#trace = trace;
  }

  get state(): State {
    return this.#state;
  }

  /** The client while it can be asked something. */
  get running(): Client | undefined {
    return this.#client?.state === ClientState.Running ? this.#client : undefined;
  }

  /** The program that serves. */
  get program(): string | undefined {
    return this.#program;
  }

  /** A document's name, as the server was told it. */
  name(document: vscode.TextDocument): protocol.DocumentName {
    const uri = this.#client?.code2ProtocolConverter.asUri(document.uri);
    return { uri: uri ?? document.uri.toString() };
  }

  /** Runs one of the server's commands. */
  async execute(command: string, argument: object): Promise<protocol.Verdict> {
    const client = this.running;
    if (client === undefined) {
      throw new Error(vscode.l10n.t('GliZNet is not running; run "GliZNet: Restart Server"'));
    }
    const params = { command, arguments: [argument] };
    const verdict = (await client.sendRequest(ExecuteCommandRequest.type, params)) as protocol.Verdict;
    tellUnwritten(verdict);
    return verdict;
  }

  /** Ends the server, if there is one, and starts it again. Calls queue up, and the last one counts:
   *  a start that is under way is given up. */
  restart(): Promise<void> {
    return this.#next((wish) => this.#begin(wish));
  }

  /** Ends the server. */
  stop(): Promise<void> {
    return this.#next(() => Promise.resolve());
  }

  /** Tells the server the settings, which it also asks for itself. */
  async tellSettings(): Promise<void> {
    const settings = { gliznet: plain(vscode.workspace.getConfiguration('gliznet')) };
    await this.running?.sendNotification(DidChangeConfigurationNotification.type, { settings });
    this.#settings.fire();
  }

  dispose(): void {
    clearTimeout(this.#look);
    this.#changed.dispose();
    this.#tags.dispose();
    this.#settings.dispose();
  }

  #next(begin: (wish: AbortSignal) => Promise<void>): Promise<void> {
    this.#wish.abort();
    const { signal } = (this.#wish = new AbortController());
    const step = async () => {
      await this.#end();
      if (!signal.aborted) {
        await begin(signal);
      }
    };
    this.#turn = this.#turn.then(step, step);
    return this.#turn;
  }

  async #begin(wish: AbortSignal): Promise<void> {
    this.#set({ kind: 'starting' });
    const settings = vscode.workspace.getConfiguration('gliznet');
    const found = program.find(settings.get<string | null>('server.path', null), this.#extension.fsPath);
    if (typeof found !== 'string') {
      this.#set({ kind: 'failed', why: explain(found) });
      return;
    }
    this.#program = found;
    this.#output.info(`starting ${found} lsp`);
    const client = new Client(found, plain(settings), { output: this.#output, trace: this.#trace });
    client.onDidChangeState(({ newState }) => {
      if (this.#client === client) {
        this.#follow(newState);
      } else if (newState === ClientState.Running) {
        void this.#dismiss(client); // It answered when nobody waited any more.
      }
    });
    client.onNotification(protocol.tagsChanged, (params) => {
      if (this.#state.kind !== 'ready') {
        this.#set({ kind: 'ready', model: params.model });
      }
      this.#tags.fire(params);
    });
    this.#client = client;
    try {
      await greeted(client, wish);
    } catch (error) {
      this.#client = undefined;
      const fault = await client.why(message(error));
      client.cut();
      if (wish.aborted) {
        this.#set({ kind: 'stopped' });
        return;
      }
      this.#output.error(`${found} does not serve: ${fault}`);
      const why = vscode.l10n.t('{0} does not serve: {1}', found, fault);
      this.#set({ kind: 'failed', why });
    }
  }

  async #end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    clearTimeout(this.#look);
    if (client === undefined) {
      return;
    }
    await this.#dismiss(client);
    this.#set({ kind: 'stopped' });
  }

  async #dismiss(client: Client): Promise<void> {
    if (client.state !== ClientState.Running) {
      client.cut(); // It is starting again after a crash, or has ended.
      return;
    }
    try {
      await client.dispose(FAREWELL);
    } catch (error) {
      this.#output.warn(`the server did not end in order: ${message(error)}`);
    }
  }

  #follow(state: ClientState): void {
    switch (state) {
      case ClientState.Running:
        void this.#watchModel();
        break;
      case ClientState.Starting:
        this.#set({ kind: 'starting' });
        break;
      case ClientState.Stopped:
      case ClientState.StartFailed:
        clearTimeout(this.#look);
        if (this.#state.kind !== 'failed') {
          this.#set({ kind: 'stopped' });
        }
        break;
    }
  }

  async #watchModel(): Promise<void> {
    clearTimeout(this.#look);
    const client = this.running;
    if (client === undefined) {
      return;
    }
    try {
      const { model } = await client.sendRequest(protocol.status, {});
      if (this.running !== client) {
        return;
      }
      if (model.state === 'ready') {
        this.#set({ kind: 'ready', model: model.name ?? '' });
      } else if (model.state === 'failed') {
        this.#set({ kind: 'failed', why: model.fault ?? vscode.l10n.t('the model cannot be loaded') });
      } else {
        this.#set({ kind: 'loading' });
        this.#look = setTimeout(() => void this.#watchModel(), LOOK_AGAIN);
      }
    } catch (error) {
      this.#output.warn(`gliznet/status: ${message(error)}`);
    }
  }

  #set(state: State): void {
    this.#state = state;
    const running = state.kind === 'ready' || state.kind === 'loading';
    void vscode.commands.executeCommand('setContext', 'gliznet.running', running);
    this.#changed.fire(state);
  }
}

/** Starts a client; an error where it does not answer in time, or nobody waits for it any more. */
async function greeted(client: Client, wish: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(GREETING * 1000);
  const over = new Promise<never>((_, reject) => {
    AbortSignal.any([wish, limit]).addEventListener('abort', () => {
      reject(new Error(vscode.l10n.t('it has not answered for {0} seconds', GREETING)));
    });
  });
  await Promise.race([client.start(), over]);
}

/** The settings' values without the methods around them. */
function plain(settings: vscode.WorkspaceConfiguration): object {
  return JSON.parse(JSON.stringify(settings)) as object;
}

function explain(missing: program.Missing): string {
  return 'setting' in missing
    ? vscode.l10n.t(
        '{0} is not a program; correct the setting gliznet.server.path, or clear it',
        missing.setting,
      )
    : vscode.l10n.t(
        'there is no gliznet with this extension or on the PATH; install it, or name it in the setting gliznet.server.path',
      );
}

/** What went wrong, in words. */
export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
