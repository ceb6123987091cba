// Chooses the label set, and writes the choice into the settings of the workspace.
// Invariant: a choice holds, or what keeps it from holding is said.
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
    // Whoever has chosen nothing yet is about to; other faults may outlast the choice.
    placeHolder: (current.unset ? undefined : current.fault) ?? vscode.l10n.t('Label set'),
    matchOnDetail: true,
  });
  if (chosen === undefined) {
    return;
  }
  await write('labelset', chosen.set, '');
  if (vscode.workspace.getConfiguration('gliznet').get<string[]>('labels', []).length > 0) {
    await offerToClearLabels();
  }
}

async function offerToClearLabels(): Promise<void> {
  const clear = vscode.l10n.t('Clear gliznet.labels');
  const fact = vscode.l10n.t('The setting gliznet.labels names labels too, and wins');
  if ((await vscode.window.showWarningMessage(`GliZNet: ${fact}`, clear)) === clear) {
    await write('labels', undefined, []);
  }
}

/** Sets a setting of the workspace, or of the person where no folder is open. Undefined clears it;
 *  `nothing` then stands over what the person has set for all workspaces. */
async function write(name: string, value: string | undefined, nothing: string | []): Promise<void> {
  const settings = vscode.workspace.getConfiguration('gliznet');
  if (vscode.workspace.workspaceFolders === undefined) {
    await settings.update(name, value, vscode.ConfigurationTarget.Global);
    return;
  }
  const isSetForAll = settings.inspect(name)?.globalValue !== undefined;
  const written = value ?? (isSetForAll ? nothing : undefined);
  await settings.update(name, written, vscode.ConfigurationTarget.Workspace);
}
