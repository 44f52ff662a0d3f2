/** Plays a scene and keeps what was recorded for the length of a test file. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { needs } from '../needs.ts';

/** Why a scene with these programs cannot be played here, or null. tcpdump refuses to run as the root of a user namespace. */
export function sceneNeeds(...programs: string[]): string | null {
  return needs('linux', 'root', 'unshare', 'ip', 'tcpdump', 'tshark', ...programs).missing;
}

export interface Played {
  readonly file: string;
  forget(): void;
}

export async function played(scene: string): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), 'sockscope-wire-'));
  // Some servers run as a plain user, in a folder below this one.
  chmodSync(folder, 0o711);
  const file = join(folder, `${scene}.pcap`);
  const program = fileURLToPath(new URL(`./${scene}.mjs`, import.meta.url));
  const forget = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    // Mounts, processes and network of its own: whatever a scene leaves behind ends with it.
    const apart = ['-n', '-m', '-p', '-f', '--kill-child', '--mount-proc'];
    await promisify(execFile)('unshare', [...apart, process.execPath, program, file], {
      env: { ...process.env, TMPDIR: folder },
      maxBuffer: 1 << 24,
    });
  } catch (error) {
    forget();
    throw error;
  }
  return { file, forget };
}
