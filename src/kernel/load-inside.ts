/** This program once more, in a network namespace of its own, on the same terminal. */
import { spawn, spawnSync } from 'node:child_process';
import { close } from './libc.ts';
import { IFF_UP, openRoute, setLinkFlags } from './rtnetlink.ts';
import { forbiddingSysctl, mayMakeNamespaces } from './spawn-program.ts';

/** The first device of every namespace (net/core/dev.h: LOOPBACK_IFINDEX). */
const LOOPBACK_INDEX = 1;
const AS_ROOT = ['--user', '--map-root-user'] as const;

/** Null: a namespace can be made here. */
export function whyNoNetworkOfOurOwn(): string | null {
  const tried = spawnSync('unshare', [...asRoot(), '--net', '--', 'true'], { encoding: 'utf8' });
  if (tried.status === 0) {
    return null;
  }
  if ((tried.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return 'the program unshare (of util-linux) is not there';
  }
  return forbiddingSysctl() ?? (tried.stderr.trim() || 'unshare --net failed');
}

/** Our own command line with `environment` beside ours; its exit status. Ctrl-C reaches it by itself: it is in our foreground group. */
export function runInsideOwnNetwork(environment: NodeJS.ProcessEnv): Promise<number> {
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', [...asRoot(), '--net', '--', ...again], {
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    // It ends itself in its own time and says what it found.
    const ignore = (): void => {};
    const pass = (): void => void child.kill('SIGTERM');
    process.on('SIGINT', ignore);
    process.once('SIGTERM', pass);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      process.off('SIGTERM', pass);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

function asRoot(): readonly string[] {
  return mayMakeNamespaces() ? [] : AS_ROOT;
}

/** A new network namespace has a loopback that is down. 0 or -errno. */
export function raiseLoopback(): number {
  const route = openRoute();
  if (route < 0) {
    return route;
  }
  const result = setLinkFlags(route, LOOPBACK_INDEX, IFF_UP);
  close(route);
  return result;
}
