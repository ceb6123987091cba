// Chooses the label set, and writes the choice into the settings of the workspace.
import * as vscode from 'vscode';
import { activeNote } from './notes';
import * as protocol from './protocol';
import type { Server } from './server';

interface Choice extends vscode.QuickPickItem {
  /** Undefined clears the setting. */
  set?: string | undefined;
}

export async function choose(server: Server): Promise<void> {
  const client = server.running;
  if (client === undefined) {
    return;
  }
  const note = activeNote();
  const asked = note ? { textDocument: server.name(note) } : {};
  const { labelsets, current } = await client.sendRequest(protocol.labelsets, asked);
  const choices: Choice[] = labelsets.map(({ name, path, labels, fault }) => ({
    label: name,
    description: name === current.name ? vscode.l10n.t('in use') : (path ?? ''),
    detail: fault ?? labels.join(', '),
    iconPath: new vscode.ThemeIcon(fault ? 'warning' : 'tag'),
    set: name,
  }));
  choices.push(
    { label: '', kind: vscode.QuickPickItemKind.Separator },
    {
      label: vscode.l10n.t('As gliznet.toml says'),
      detail: vscode.l10n.t('Clears the setting: the nearest gliznet.toml decides, then your own'),
      iconPath: new vscode.ThemeIcon('file-code'),
    },
  );
  const chosen = await vscode.window.showQuickPick(choices, {
    title: vscode.l10n.t('GliZNet: which labels fit these notes?'),
    placeHolder: current.fault ?? vscode.l10n.t('Label set'),
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  const inFolder = vscode.workspace.workspaceFolders !== undefined;
  const target = inFolder ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration('gliznet').update('labelset', chosen.set, target);
}
