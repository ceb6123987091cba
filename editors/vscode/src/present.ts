// Which tags a note already has, so that the view can tell them from suggestions.
//
// The server decides what is suggested and what is written; this only chooses a row's sign, from
// the lines of the tags key. Knows nothing of the editor.

const KEY = /^(?:tags?|keywords)\s*[:=]|^#\+filetags:/i;
const HEAD = /^\uFEFF?(---|\+\+\+)[ \t]*\r?\n([\s\S]*?)^(?:\1|\.\.\.)[ \t]*(?:\r?\n|$)/m;

/** Whether the tags of a note's text hold a label. */
export function holds(text: string, label: string): boolean {
  const word = label.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/[-_ ]/g, '[-_ ]');
  const inside = new RegExp(`(?:^|[\\s,:"'#[])${word}(?=$|[\\s,:"'\\]])`, 'iu');
  return inside.test(tagLines(text));
}

function tagLines(text: string): string {
  const head = HEAD.exec(text);
  const front = head?.index === 0 ? (head[2] ?? '') : text.slice(0, 2000);
  let within = false;
  const values: string[] = [];
  for (const line of front.split(/\r?\n/)) {
    if (KEY.test(line)) {
      within = true;
      values.push(line.replace(KEY, ' '));
    } else if (/^[^\s\-\]#]/.test(line) || line.startsWith('#+')) {
      within = false; // The next key.
    } else if (within) {
      values.push(line);
    }
    if (head?.index !== 0 && line.trim() === '') {
      within = false;
    }
  }
  return values.join('\n');
}
