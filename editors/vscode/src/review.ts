// The review: all labels of the set with their scores, to take or to turn down in one go.
// Output: labels to accept, labels never to suggest for this note again.
import * as vscode from 'vscode';
import * as protocol from './protocol';
import type { Server } from './server';
import { percent } from './suggestions';

interface Choice extends vscode.QuickPickItem {
  name: string;
}

export interface Decision {
  accepted: string[];
  rejected: string[];
}

const NEVER: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon('circle-slash'),
  tooltip: vscode.l10n.t('Never suggest this here'),
};

/** Asks the person; nothing where they go away. */
export async function ask(server: Server, textDocument: protocol.DocumentName): Promise<Decision | undefined> {
  const client = server.running;
  if (client === undefined) {
    return undefined;
  }
  const pick = vscode.window.createQuickPick<Choice>();
  pick.title = vscode.l10n.t('GliZNet: review tags');
  pick.placeholder = vscode.l10n.t('Check the tags that fit');
  pick.canSelectMany = true;
  pick.matchOnDescription = true;
  pick.busy = true;
  // A model that loads, or a long note, may take longer than the person waits.
  const left = new vscode.CancellationTokenSource();
  pick.onDidHide(() => {
    left.cancel();
  });
  pick.show();
  try {
    const [scored, sets] = await Promise.all([
      client.sendRequest(protocol.tag, { textDocument, all: true }, left.token),
      client.sendRequest(protocol.labelsets, { textDocument }, left.token),
    ]);
    if (left.token.isCancellationRequested) {
      return undefined;
    }
    const { choices, checked } = lay(scored, sets);
    pick.items = choices;
    pick.selectedItems = checked;
    pick.busy = false;
    return await answer(pick, checked);
  } catch (error) {
    if (left.token.isCancellationRequested) {
      return undefined;
    }
    throw error;
  } finally {
    pick.dispose();
    left.dispose();
  }
}

/** Suggestions first, and then the other labels, the surest first. */
function lay(scored: protocol.TagResult, sets: protocol.Labelsets): { choices: Choice[]; checked: Choice[] } {
  const meaning = new Map(sets.current.labels.map((label) => [label.name, label.description]));
  const choice = (name: string, score: number | null, present: boolean): Choice => ({
    name,
    label: name,
    description: present ? `${percent(score)} · ${vscode.l10n.t('present')}` : percent(score),
    ...(meaning.get(name) && { detail: meaning.get(name) ?? '' }),
    buttons: [NEVER],
  });
  const suggested = scored.tags.map(({ label, score, present }) =>
    choice(label, score, present),
  );
  const names = new Set(suggested.map(({ name }) => name));
  const others = [...(scored.scores ?? [])]
    .filter(({ label }) => !names.has(label))
    .sort((a, b) => b.score - a.score)
    .map(({ label, score }) => choice(label, score, false));
  const separator = (label: string): Choice => ({
    name: '',
    label,
    kind: vscode.QuickPickItemKind.Separator,
  });
  const choices = [...suggested];
  if (suggested.length > 0) {
    choices.unshift(separator(vscode.l10n.t('Suggested')));
  }
  if (others.length > 0) {
    choices.push(separator(vscode.l10n.t('Other labels')), ...others);
  }
  return { choices, checked: suggested };
}

function answer(pick: vscode.QuickPick<Choice>, before: Choice[]): Promise<Decision | undefined> {
  const rejected: string[] = [];
  return new Promise((resolve) => {
    pick.onDidTriggerItemButton(({ item }) => {
      rejected.push(item.name);
      const kept = pick.selectedItems.filter((selected) => selected !== item);
      pick.items = pick.items.filter((other) => other !== item);
      pick.selectedItems = kept;
    });
    pick.onDidAccept(() => {
      resolve({ accepted: pick.selectedItems.map(({ name }) => name), rejected });
    });
    pick.onDidHide(() => {
      resolve(undefined);
    });
    pick.selectedItems = before;
  });
}
