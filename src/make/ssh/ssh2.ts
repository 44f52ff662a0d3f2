/** The ssh2 library: 40 ms and 6 MB, so only for those who connect. */
import type ssh2 from 'ssh2';

export type Ssh2 = typeof ssh2;

export async function loadSsh2(): Promise<Ssh2> {
  return (await import('ssh2')).default;
}
