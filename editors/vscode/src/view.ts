// The side view: one row for each suggestion of the active note.
import { posix } from 'node:path';
import * as vscode from 'vscode';
import type { Tag } from './protocol';
import type { Suggestions } from './suggestions';
import { percent } from './suggestions';

/** A row; its label is what the row's actions take. */
export class Row extends vscode.TreeItem {
  readonly tag: Tag;

  constructor(tag: Tag) {
    super(tag.label);
    this.tag = tag;
    this.id = tag.label;
    const done = tag.present;
    this.description = percent(tag.score);
    this.contextValue = done ? 'present' : 'suggestion';
    this.iconPath = new vscode.ThemeIcon(done ? 'pass-filled' : 'tag');
    this.tooltip = done
      ? vscode.l10n.t('{0}: this note has it', tag.label)
      : vscode.l10n.t('{0}: fits this note, {1}', tag.label, percent(tag.score));
    const spoken = done ? vscode.l10n.t('present') : vscode.l10n.t('suggested');
    this.accessibilityInformation = { label: `${tag.label}, ${percent(tag.score)}, ${spoken}` };
  }
}

export class Rows implements vscode.TreeDataProvider<Row> {
  readonly #suggestions: Suggestions;
  readonly #changed = new vscode.EventEmitter<undefined>();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(suggestions: Suggestions) {
    this.#suggestions = suggestions;
    suggestions.onChange(() => {
      this.#changed.fire(undefined);
    });
  }

  getTreeItem(row: Row): Row {
    return row;
  }

  getChildren(): Row[] {
    const shown = this.#suggestions.shown;
    return 'tags' in shown ? shown.tags.map((tag) => new Row(tag)) : [];
  }
}

/** Shows the rows in the explorer. */
export function show(suggestions: Suggestions): vscode.Disposable {
  const view = vscode.window.createTreeView('gliznet.suggestions', {
    treeDataProvider: new Rows(suggestions),
  });
  const titled = suggestions.onChange((shown) => {
    view.description = 'note' in shown ? posix.basename(shown.note.uri.path) : '';
  });
  return vscode.Disposable.from(view, titled);
}
