// Finds the program: the setting, else the one that came with the extension, else the PATH.
// Knows nothing of the editor; what it needs to know comes in as arguments.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** Why there is no program to start. */
export type Missing = { setting: string } | { nowhere: true };

/** The program's path. */
export function find(
  setting: string | null,
  extensionFolder: string,
  environment: NodeJS.ProcessEnv = process.env,
): string | Missing {
  const name = process.platform === 'win32' ? 'gliznet.exe' : 'gliznet';
  const wanted = setting?.trim();
  if (wanted) {
    const full = wanted.replace(/^~(?=$|[\\/])/, os.homedir());
    return runs(full) ? full : { setting: full };
  }
  const bundled = path.join(extensionFolder, 'server', name);
  if (runs(bundled)) {
    return bundled;
  }
  const folders = (environment['PATH'] ?? '').split(path.delimiter).filter((f) => path.isAbsolute(f));
  const found = folders.map((folder) => path.join(folder, name)).find(runs);
  return found ?? { nowhere: true };
}

function runs(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
