/** A server for SSH, SFTP and scp (RFC 4251–4254), to test clients against: it runs what it is told to as the user who started it. */
import { userInfo } from 'node:os';
import type { ServerKind } from './kind.ts';
import type { SshPlan } from './ssh/plan.ts';

export const kind: ServerKind<SshPlan> = {
  name: 'ssh',
  about: 'SSH test server: commands, shells on a terminal, SFTP, scp, forwarding',
  words: '',
  options: [
    { flags: '--user <name>', about: 'the only user name that gets in (default: any)' },
    { flags: '--password <text>', about: 'the password (default: one made now and shown)' },
    { flags: '--authorized-keys <file>', about: 'public keys that get in (default: ~/.ssh/authorized_keys)' },
    { flags: '--none', about: 'let everybody on this machine in' },
    { flags: '--dir <path>', about: 'where commands start, and all that SFTP and scp see (default: here)' },
    { flags: '--forwarding', about: 'let clients reach servers on this machine (ssh -L, -J)' },
    { flags: '--host-key <file>', about: 'the private key of the server; made when it is not there' },
  ],
  examples: [
    'sockscope serve ssh :2222 --dir /tmp/files',
    'sockscope serve ssh :2222 --authorized-keys ~/.ssh/id_ed25519.pub',
    'sockscope serve ssh 127.0.0.1:0 --none --forwarding',
  ],
  port: 2222,
  over: ['tcp'],
  tls: false,
  lines: 'requests',
  guarded: true,
  alone: true,
  async plan(typed) {
    const { readPlan } = await import('./ssh/plan.ts');
    return readPlan(typed);
  },
  tries: ({ host, port }, { user }) =>
    `ssh -p ${port} -o StrictHostKeyChecking=accept-new ${user ?? ourName()}@${host}`,
  async node(house, plan) {
    const { sshService } = await import('./ssh/service.ts');
    return sshService(house, plan);
  },
};

function ourName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'test';
  }
}
