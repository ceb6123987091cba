// A scripted editor: speaks to `gliznet lsp` over its standard input and output.
import { spawn } from 'node:child_process';

const PATIENCE = 60_000;

export class ScriptedEditor {
  #process;
  #next = 1;
  #seen = [];
  #waiting = [];
  #buffer = Buffer.alloc(0);

  constructor(program, options) {
    this.#process = spawn(program, ['lsp'], { ...options, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#process.stdout.on('data', (bytes) => this.#read(bytes));
  }

  async initialize() {
    const capabilities = { general: { positionEncodings: ['utf-8'] }, workspace: { applyEdit: true } };
    await this.request('initialize', { processId: process.pid, rootUri: null, capabilities });
    this.notify('initialized', {});
  }

  open(uri, text, version = 1) {
    this.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'markdown', version, text } });
  }

  notify(method, params) {
    this.#send({ jsonrpc: '2.0', method, params });
  }

  async request(method, params) {
    const id = this.#next++;
    this.#send({ jsonrpc: '2.0', id, method, params });
    const answer = await this.#wait((m) => m.id === id && m.method === undefined);
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  async notified(method, fits = () => true) {
    return (await this.#wait((m) => m.method === method && fits(m.params))).params;
  }

  async quit() {
    await this.request('shutdown', null);
    this.notify('exit', null);
    await new Promise((resolve) => {
      if (this.#process.exitCode !== null) resolve();
      this.#process.once('exit', resolve);
    });
  }

  kill() {
    this.#process.kill('SIGKILL');
  }

  #send(message) {
    const body = Buffer.from(JSON.stringify(message));
    this.#process.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.#process.stdin.write(body);
  }

  #wait(fits) {
    const at = this.#seen.findIndex(fits);
    if (at >= 0) return Promise.resolve(this.#seen.splice(at, 1)[0]);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`it did not come; seen: ${JSON.stringify(this.#seen)}`)), PATIENCE);
      this.#waiting.push({ fits, resolve: (m) => (clearTimeout(late), resolve(m)) });
    });
  }

  #read(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.#buffer.subarray(0, end).toString())[1]);
      const from = end + 4;
      if (this.#buffer.length < from + length) return;
      const message = JSON.parse(this.#buffer.subarray(from, from + length).toString());
      this.#buffer = this.#buffer.subarray(from + length);
      this.#take(message);
    }
  }

  #take(message) {
    if (message.method !== undefined && message.id !== undefined) {
      // Whatever the server asks, it gets an answer, as from any editor.
      const answers = {
        'workspace/configuration': () => message.params.items.map(() => null),
        'workspace/applyEdit': () => ({ applied: false }),
      };
      const result = answers[message.method]?.() ?? null;
      this.#send({ jsonrpc: '2.0', id: message.id, result });
    }
    const at = this.#waiting.findIndex(({ fits }) => fits(message));
    if (at >= 0) this.#waiting.splice(at, 1)[0].resolve(message);
    else this.#seen.push(message);
  }
}
