// The commands of the palette, the side view and the lens.
//
// Their names differ from those of the server (`gliznet.accept` and its like): the language client
// registers the server's names itself, and a name can be registered once.
import * as vscode from 'vscode';
import { choose } from './labelset';
import { activeNote } from './notes';
import type { DocumentName, Tag } from './protocol';
import type { QueueView } from './queueView';
import { ask } from './review';
import type { Server } from './server';
import { message } from './server';
import * as status from './status';
import type { Suggestions } from './suggestions';
import { percent } from './suggestions';
import { Row } from './view';

export function register(
  server: Server,
  suggestions: Suggestions,
  queue: QueueView,
  output: vscode.LogOutputChannel,
): vscode.Disposable {
  const commands: Record<string, (argument?: unknown) => Promise<void> | void> = {
    'gliznet.acceptTag': (argument) => verdict(server, suggestions, 'accept', argument),
    'gliznet.rejectTag': (argument) => verdict(server, suggestions, 'reject', argument),
    'gliznet.acceptAllTags': async () => {
      const shown = suggestions.shown;
      if ('note' in shown) {
        await server.execute('gliznet.acceptAll', server.name(shown.note));
      }
    },
    'gliznet.reviewTags': async () => {
      const note = activeNote();
      if (note) {
        await review(server, server.name(note));
      }
    },
    // What the server's lens runs, since we told it that we have a review of our own.
    'gliznet.review': (argument) => review(server, argument as DocumentName),
    'gliznet.reviewNotes': async () => {
      await vscode.commands.executeCommand('gliznet.queue.focus');
    },
    'gliznet.reviewFits': (argument) => queue.judge(argument, 'ticked'),
    'gliznet.reviewNone': (argument) => queue.judge(argument, 'none'),
    'gliznet.reviewSkip': (argument) => {
      queue.skip(argument);
    },
    'gliznet.reviewAdd': (argument) => queue.addLabel(argument),
    'gliznet.reviewOpen': (argument) => queue.open(argument),
    'gliznet.reviewUndo': () => queue.undo(),
    'gliznet.reviewRefresh': () => queue.refresh(),
    'gliznet.chooseLabelset': () => choose(server),
    'gliznet.showStatus': () => status.show(server),
    'gliznet.showOutput': () => {
      output.show();
    },
    'gliznet.restartServer': () => server.restart(),
  };
  const registered = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(name, async (argument?: unknown) => {
      try {
        await run(argument);
      } catch (error) {
        output.error(`${name}: ${message(error)}`);
        await failed(message(error));
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}

async function verdict(
  server: Server,
  suggestions: Suggestions,
  kind: 'accept' | 'reject',
  argument: unknown,
): Promise<void> {
  const shown = suggestions.shown;
  if (!('note' in shown)) {
    return;
  }
  const tag = argument instanceof Row ? argument.tag : await pickOne(shown.tags, kind);
  if (tag === undefined) {
    return;
  }
  const { uri } = server.name(shown.note);
  await server.execute(`gliznet.${kind}`, { uri, labels: [tag.label] });
  if (kind === 'reject') {
    const said = vscode.l10n.t('{0} is not suggested for this note any more', tag.label);
    vscode.window.setStatusBarMessage(said, 4000);
  }
}

async function pickOne(
  tags: Tag[],
  kind: 'accept' | 'reject',
): Promise<Tag | undefined> {
  const choices = tags
    .filter((tag) => !tag.present)
    .map((tag) => ({ label: tag.label, description: percent(tag.score), tag }));
  const title =
    kind === 'accept'
      ? vscode.l10n.t('GliZNet: add which tag?')
      : vscode.l10n.t('GliZNet: which tag does not fit?');
  return (await vscode.window.showQuickPick(choices, { title }))?.tag;
}

async function review(server: Server, { uri }: DocumentName): Promise<void> {
  const decision = await ask(server, { uri });
  if (decision === undefined) {
    return;
  }
  if (decision.rejected.length > 0) {
    await server.execute('gliznet.reject', { uri, labels: decision.rejected });
  }
  if (decision.accepted.length > 0) {
    await server.execute('gliznet.accept', { uri, labels: decision.accepted });
  }
}

async function failed(why: string): Promise<void> {
  const show = vscode.l10n.t('Show Output');
  if ((await vscode.window.showErrorMessage(`GliZNet: ${why}`, show)) === show) {
    await vscode.commands.executeCommand('gliznet.showOutput');
  }
}
