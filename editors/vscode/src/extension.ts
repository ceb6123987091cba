// Wires the parts together when the editor starts the extension, and ends them when it leaves.
import * as vscode from 'vscode';
import * as commands from './commands';
import { QueueView } from './queueView';
import { Server } from './server';
import * as statusBar from './statusBar';
import { Suggestions } from './suggestions';
import * as view from './view';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel('GliZNet', { log: true });
  const trace = vscode.window.createOutputChannel('GliZNet Trace', { log: true });
  server = new Server(context.extensionUri, output, trace);
  const started = server;
  const queue = new QueueView(server, output);
  const suggestions = new Suggestions(server, output);
  context.subscriptions.push(
    output,
    trace,
    server,
    suggestions,
    queue,
    view.show(suggestions),
    statusBar.show(server),
    commands.register(server, suggestions, queue, output),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('gliznet.server.path')) {
        void started.restart();
      } else if (event.affectsConfiguration('gliznet')) {
        void started.tellSettings();
      }
    }),
    // A path that was not to be trusted may be now.
    vscode.workspace.onDidGrantWorkspaceTrust(() => void started.restart()),
  );
  // Not awaited: the editor should not wait for the server.
  void server.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
