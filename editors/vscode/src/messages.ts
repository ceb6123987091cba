// What the server tells the person by itself, with a button where the cure is one.
import * as vscode from 'vscode';
import type { BaseLanguageClient, ShowMessageParams } from 'vscode-languageclient/node';
import { MessageType } from 'vscode-languageclient/node';
import { activeNote } from './notes';
import * as protocol from './protocol';

/** Shows a message as GliZNet's. */
export async function tell(client: BaseLanguageClient, { type, message }: ShowMessageParams): Promise<void> {
  const said = `GliZNet: ${message}`;
  switch (type) {
    case MessageType.Error:
      await vscode.window.showErrorMessage(said);
      break;
    case MessageType.Warning:
      await warn(client, said);
      break;
    default:
      await vscode.window.showInformationMessage(said);
  }
}

async function warn(client: BaseLanguageClient, said: string): Promise<void> {
  const choose = vscode.l10n.t('Choose label set');
  const buttons = (await isUnset(client)) ? [choose] : [];
  if ((await vscode.window.showWarningMessage(said, ...buttons)) === choose) {
    await vscode.commands.executeCommand('gliznet.chooseLabelset');
  }
}

/** Whether nobody has chosen labels for the note in front. */
async function isUnset(client: BaseLanguageClient): Promise<boolean> {
  const note = activeNote();
  const uri = note && client.code2ProtocolConverter.asUri(note.uri);
  try {
    const { current } = await client.sendRequest(protocol.labelsets, uri ? { textDocument: { uri } } : {});
    return current.unset === true;
  } catch {
    return false; // The message says it all the same.
  }
}
