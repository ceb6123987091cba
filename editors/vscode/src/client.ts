// The language client of one `gliznet lsp`: what it tells the server, and what it shows of it.
// Knows nothing of when it is started and ended; whoever does asks `why` where it fails.
import * as readline from 'node:readline';
import type { Readable } from 'node:stream';
import * as vscode from 'vscode';
import type { ClientCapabilities, ErrorHandler } from 'vscode-languageclient/node';
import {
  CloseAction,
  ErrorAction,
  LSPErrorCodes,
  LanguageClient,
  ResponseError,
  ShowMessageNotification,
  State,
  TransportKind,
} from 'vscode-languageclient/node';
import { tell } from './messages';
import { selector } from './notes';
import type * as protocol from './protocol';

/** How long the last words of a process that ends may take. */
const LAST_WORDS = 500;

/** Where the client writes. */
export interface Channels {
  output: vscode.LogOutputChannel;
  trace: vscode.LogOutputChannel;
}

export class Client extends LanguageClient {
  readonly #words: Words;
  /** It has served, so that an end is a crash, and no failed start. */
  #hasServed = false;
  #isCut = false;

  constructor(program: string, settings: object, { output, trace }: Channels) {
    const run = { command: program, args: ['lsp'], transport: TransportKind.stdio };
    const words = new Words();
    super('gliznet', 'GliZNet', { run, debug: run }, {
      documentSelector: selector,
      initializationOptions: settings,
      outputChannel: output,
      traceOutputChannel: trace,
      stdioOptions: {
        // Standard output is the server's; of this transport there is nothing else to read.
        stdout: () => undefined,
        stderr: (input) => {
          words.listen(input, output);
        },
      },
      middleware: {
        // Commands of the lens and the light bulb, which do not pass through `Server.execute`.
        executeCommand: async (command, args, next) => {
          try {
            const verdict = (await next(command, args)) as protocol.Verdict | null;
            tellUnwritten(verdict);
            return verdict;
          } catch (error) {
            if (error instanceof ResponseError) {
              return null; // It has been shown; the editor would say it once more.
            }
            throw error;
          }
        },
      },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.#closed(crashes),
      },
    });
    const crashes = this.createDefaultErrorHandler();
    this.#words = words;
    this.registerFeature({
      // The review is a pick list here, so the server need not ask its own questions.
      fillClientCapabilities: (capabilities: ClientCapabilities) => {
        const others = capabilities.experimental as object | undefined;
        capabilities.experimental = { ...others, gliznet: { review: true } };
      },
      initialize: () => undefined,
      getState: () => ({ kind: 'static' }),
      clear: () => undefined,
    });
    this.onDidChangeState(({ newState }) => {
      this.#hasServed ||= newState === State.Running;
    });
    this.onNotification(ShowMessageNotification.type, (said) => tell(this, said));
  }

  /** A failed start is shown in the status bar with its cause; other words over it would hide it. */
  override error(text: string, data?: unknown, show: boolean | 'force' = true): void {
    const isShown = this.state === State.Running && show;
    if (isShown && data instanceof ResponseError && data.code === LSPErrorCodes.RequestFailed) {
      // The server says what is the matter and what to do; the request's name and code help nobody.
      super.error(text, data, false);
      void vscode.window.showErrorMessage(`GliZNet: ${data.message}`);
      return;
    }
    super.error(text, data, isShown);
  }

  /** What the program said last, which tells more of a failed start than that it ended; else that. */
  async why(fault: string): Promise<string> {
    // Whoever is silent has not ended, and has said nothing of it.
    const isSilent = this.state === State.Starting;
    return isSilent ? fault : ((await this.#words.last()) ?? fault);
  }

  /** Ends a server that does not answer, and so cannot be asked to end. */
  cut(): void {
    this.#isCut = true;
    const server = this.serverProcess;
    server?.kill('SIGKILL');
    server?.stdout?.destroy(); // A child of its own may hold the other end.
  }

  #closed(crashes: ErrorHandler): ReturnType<ErrorHandler['closed']> {
    if (this.#hasServed && !this.#isCut) {
      return crashes.closed();
    }
    return { action: CloseAction.DoNotRestart, handled: true };
  }
}

/** What a process writes to its standard error. */
class Words {
  #last: string | undefined;
  #ended: Promise<void> = Promise.resolve();

  listen(input: Readable, output: vscode.LogOutputChannel): void {
    const lines = readline.createInterface({ input, crlfDelay: Infinity });
    this.#last = undefined;
    this.#ended = new Promise((resolve) => lines.once('close', resolve));
    lines.on('line', (line) => {
      output.error(line);
      this.#last = line.trim() || this.#last;
    });
  }

  async last(): Promise<string | undefined> {
    const patience = new Promise((resolve) => setTimeout(resolve, LAST_WORDS));
    await Promise.race([this.#ended, patience]);
    return this.#last?.replace(/^gliznet: /, '');
  }
}

/** Where a document has no place for tags, the verdict is kept, and the person should know where. */
export function tellUnwritten(verdict: protocol.Verdict | null): void {
  if (verdict?.unwritten) {
    const said = vscode.l10n.t(
      '{0}: remembered for this note; this kind of file has no place for tags',
      verdict.accepted.join(', '),
    );
    void vscode.window.showInformationMessage(`GliZNet: ${said}`);
  }
}
