// What a click on the status bar shows: how the daemon is, and what can be done.
import * as vscode from 'vscode';
import * as protocol from './protocol';
import type { Server } from './server';
import { message } from './server';

interface Line extends vscode.QuickPickItem {
  run?: string;
}

export async function show(server: Server): Promise<void> {
  const lines: Line[] = [
    ...(await facts(server)),
    { label: vscode.l10n.t('Actions'), kind: vscode.QuickPickItemKind.Separator },
    { label: `$(refresh) ${vscode.l10n.t('Restart server')}`, run: 'gliznet.restartServer' },
    { label: `$(output) ${vscode.l10n.t('Show output')}`, run: 'gliznet.showOutput' },
  ];
  if (server.running) {
    const label = `$(tag) ${vscode.l10n.t('Choose label set')}`;
    const review = `$(checklist) ${vscode.l10n.t('Review notes')}`;
    lines.push({ label, run: 'gliznet.chooseLabelset' }, { label: review, run: 'gliznet.reviewNotes' });
  } else {
    lines.push({
      label: `$(gear) ${vscode.l10n.t('Open settings')}`,
      run: 'gliznet.openServerSettings',
    });
  }
  const title = vscode.l10n.t('GliZNet: status');
  const chosen = await vscode.window.showQuickPick(lines, { title, matchOnDescription: true });
  if (chosen?.run === 'gliznet.openServerSettings') {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'gliznet.server.path');
  } else if (chosen?.run) {
    await vscode.commands.executeCommand(chosen.run);
  }
}

async function facts(server: Server): Promise<Line[]> {
  const state = server.state;
  const lines: Line[] = [];
  if (state.kind === 'failed') {
    lines.push({ label: `$(error) ${vscode.l10n.t('Failed')}`, detail: state.why });
  }
  const client = server.running;
  if (client === undefined) {
    return lines.length > 0 ? lines : [{ label: vscode.l10n.t('The server does not run') }];
  }
  try {
    const status = await client.sendRequest(protocol.status, {});
    const { model, cache, journal } = status;
    lines.push(
      { label: vscode.l10n.t('Model'), description: model.name ?? model.state },
      { label: vscode.l10n.t('Device'), description: model.device ?? '-' },
      {
        label: vscode.l10n.t('Daemon'),
        description: vscode.l10n.t(
          'version {0}, process {1}, up {2}',
          status.version,
          status.pid,
          duration(status.uptime),
        ),
      },
      {
        label: vscode.l10n.t('Load'),
        description: vscode.l10n.t(
          '{0} connected, {1} waiting, {2} in the background',
          status.clients,
          status.queue,
          status.background,
        ),
      },
      {
        label: vscode.l10n.t('Memory'),
        description: status.memory === null ? '-' : megabytes(status.memory),
      },
      {
        label: vscode.l10n.t('Cache'),
        description:
          cache === null
            ? vscode.l10n.t('none')
            : vscode.l10n.t('{0} answers, {1}', cache.entries, megabytes(cache.bytes)),
      },
      {
        label: vscode.l10n.t('Corrections'),
        description: String(journal.corrections),
        ...(journal.fault && { detail: journal.fault }),
      },
    );
  } catch (error) {
    lines.push({ label: vscode.l10n.t('The server does not answer'), detail: message(error) });
  }
  return lines;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
