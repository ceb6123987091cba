// Which documents are notes.
import * as vscode from 'vscode';

const LANGUAGES = [
  'markdown',
  'org',
  'plaintext',
  'restructuredtext',
  'latex',
  'tex',
  'quarto',
  'html',
];

/** What the server is told of: saved and unsaved notes, and no output channels or diffs. */
export const selector = LANGUAGES.flatMap((language) => [
  { language, scheme: 'file' },
  { language, scheme: 'untitled' },
]);

/** The note that the person is looking at. */
export function activeNote(): vscode.TextDocument | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document && vscode.languages.match(selector, document) > 0 ? document : undefined;
}
