// Takes a verdict back: the journal is as if it had not been.
//
// The program itself does it, since only it can take lines out of the journal while the daemon
// runs. Knows nothing of the editor.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** A busy machine may need a while to start a program. */
const PATIENCE = 60_000;

/** Forgets the verdict of this number on a document; false, and nothing is forgotten, where more
 *  was said of the document than that. */
export async function forget(program: string, uri: string, sequence: number): Promise<boolean> {
  const asked = ['journal', 'forget', uri, '--format', 'json'];
  const options = { timeout: PATIENCE, windowsHide: true };
  const { stdout } = await run(program, [...asked, '--dry-run'], options);
  const { corrections } = JSON.parse(stdout) as { corrections: number[] };
  if (corrections.length !== 1 || corrections[0] !== sequence) {
    return false;
  }
  await run(program, asked, options);
  return true;
}
