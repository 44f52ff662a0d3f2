/** The port bomb's own network: nothing in it reaches the machine's ports, and when we end it is gone. */
import { Worker } from 'node:worker_threads';
import { SockscopeError } from '../../errors.ts';
import { errnoName } from '../../kernel/errno.ts';
import * as libc from '../../kernel/libc.ts';
import { raiseLoopback, runInsideOwnNetwork, whyNoNetworkOfOurOwn } from '../../kernel/load-inside.ts';
import { setNetSysctl } from '../../kernel/rtnetlink.ts';
import type { DoorStart, FromDoor } from './door.ts';

/**
 * Enough to see it, few enough to see it soon. With the usual 28 232 connects became a hundred times slower once half of them were in
 * TIME_WAIT; connect(2) takes every second port first and then looks through them one by one, which is the likely cause.
 */
export const OWN_PORTS = { from: 32768, to: 36863 } as const;

const INSIDE = 'SOCKSCOPE_LOAD_INSIDE';

export function isInside(): boolean {
  return process.env[INSIDE] === '1';
}

/** Our command line once more, inside; its exit status. */
export async function goInside(): Promise<number> {
  if (process.platform !== 'linux') {
    throw new SockscopeError(
      'LOAD_LINUX',
      `A network namespace is a thing of Linux; here is ${process.platform}.`,
      'Run it on Linux, in a virtual machine for example.',
      3,
    );
  }
  const why = whyNoNetworkOfOurOwn();
  if (why !== null) {
    throw new SockscopeError(
      'NO_NAMESPACES',
      `A network namespace of its own cannot be made here: ${why}.`,
      'Allow it, run it as root, or use up the ports of the machine itself: --really.',
      3,
    );
  }
  return runInsideOwnNetwork({ [INSIDE]: '1' });
}

export interface OwnNetwork {
  close(): Promise<void>;
}

/** Raises the loopback and listens on it. `entry`: the built file that calls `runDoor`. */
export async function openOwnNetwork(entry: string, door: DoorStart): Promise<OwnNetwork> {
  const raised = raiseLoopback();
  if (raised < 0) {
    throw broke(`its loopback could not be raised: ${errnoName(raised)}`);
  }
  // On a loopback Linux takes a port out of TIME_WAIT after one second (value 2). Towards another machine it does not.
  setNetSysctl('ipv4/tcp_tw_reuse', '0');
  setNetSysctl('ipv4/ip_local_port_range', `${OWN_PORTS.from} ${OWN_PORTS.to}`);
  const thread = new Worker(entry, { workerData: { door } });
  const wakeFd = await new Promise<number>((resolve, reject) => {
    thread.once('error', reject);
    thread.once('message', (message: FromDoor) =>
      message.type === 'open'
        ? resolve(message.wakeFd)
        : reject(broke(`nobody can listen in it: ${errnoName(message.errno)}`)),
    );
  });
  const wake = (): void => {
    thread.postMessage('end');
    libc.write(wakeFd, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  };
  process.once('exit', wake);
  return {
    async close() {
      process.off('exit', wake);
      const gone = new Promise((resolve) => thread.once('exit', resolve));
      wake();
      await gone;
    },
  };
}

function broke(what: string): SockscopeError {
  return new SockscopeError(
    'LOAD_INSIDE',
    `The network of its own broke: ${what}.`,
    'Use --really instead.',
    1,
  );
}
