// The status bar item: one glance says whether suggestions can be expected.
import * as vscode from 'vscode';
import type { Server, State } from './server';

export function show(server: Server): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('status', vscode.StatusBarAlignment.Right, 90);
  item.name = 'GliZNet';
  item.command = 'gliznet.showStatus';
  const draw = (state: State) => {
    const { text, tooltip } = words(state);
    item.text = text;
    item.tooltip = tooltip;
    item.backgroundColor =
      state.kind === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
    item.accessibilityInformation = { label: `${text.replace(/\$\([^)]*\)\s*/, '')}. ${tooltip}` };
  };
  draw(server.state);
  item.show();
  return vscode.Disposable.from(item, server.onState(draw));
}

function words(state: State): { text: string; tooltip: string } {
  switch (state.kind) {
    case 'starting':
      return {
        text: `$(loading~spin) ${vscode.l10n.t('GliZNet: starting')}`,
        tooltip: vscode.l10n.t('The server is starting'),
      };
    case 'loading':
      return {
        text: `$(loading~spin) ${vscode.l10n.t('GliZNet: loading model')}`,
        tooltip: vscode.l10n.t('Suggestions come as soon as the model is loaded'),
      };
    case 'ready':
      return { text: '$(tag) GliZNet', tooltip: vscode.l10n.t('Ready: {0}', state.model) };
    case 'stopped':
      return {
        text: `$(circle-slash) ${vscode.l10n.t('GliZNet: stopped')}`,
        tooltip: vscode.l10n.t('The server does not run; click for what can be done'),
      };
    case 'failed':
      return {
        text: `$(error) ${vscode.l10n.t('GliZNet: failed')}`,
        tooltip: state.why,
      };
  }
}
