/** Starts the stage's process from outside, or says in one sentence why that is not possible here. */
import { existsSync } from 'node:fs';
import { SockscopeError } from '../../errors.ts';
import { type Speaking, spawnLabStage, whyNoStage } from '../../kernel/spawn-lab.ts';
import type { FromStage, Told, ToStage } from './remote-protocol.ts';

export interface Launched {
  send(message: ToStage): void;
  /** Every message, from the first on. */
  onMessage(run: (message: FromStage) => void): void;
  /** It ended without being asked to. */
  onBroken(run: (error: SockscopeError) => void): void;
  /** Nothing is left of it when the promise is kept. */
  close(): Promise<void>;
}

export async function launchStage(entry: string): Promise<Launched> {
  if (process.platform !== 'linux') {
    throw new SockscopeError(
      'LAB_LINUX',
      `The lab builds its hosts from network namespaces of Linux; here is ${process.platform}.`,
      'Run it on Linux, in a virtual machine for example.',
      3,
    );
  }
  if (!existsSync(entry)) {
    throw new SockscopeError(
      'LAB_NOT_BUILT',
      `The lab's stage is not there: ${entry}.`,
      'Build it first: npm run build.',
      3,
    );
  }
  const stage = spawnLabStage(entry);
  const handlers: ((message: FromStage) => void)[] = [];
  const early: FromStage[] = [];
  let closing = false;
  let whenBroken: (error: SockscopeError) => void = () => {};
  let isUp: () => void = () => {};
  let isNot: (error: SockscopeError) => void = () => {};
  const up = new Promise<void>((resolve, reject) => {
    isUp = resolve;
    isNot = reject;
  });
  let up1 = false;

  stage.onMessage((message) => {
    const said = message as FromStage;
    if (said.type === 'up') {
      up1 = true;
      isUp();
    } else if (handlers.length === 0) {
      early.push(said);
    } else {
      for (const run of handlers) {
        run(said);
      }
    }
  });
  const gone = new Promise<void>((resolve) => {
    stage.onExit((code, signal) => {
      if (!up1) {
        isNot(cannotStart(stage));
      } else if (!closing) {
        whenBroken(broke(stage.complaint() || `it ended with ${signal ?? `exit ${code}`}`));
      }
      resolve();
    });
    stage.onError(() => {
      isNot(cannotStart(stage));
      resolve();
    });
  });
  await up;
  return {
    send: (message) => stage.send(message),
    onMessage(run) {
      handlers.push(run);
      early.splice(0).forEach(run);
    },
    onBroken(run) {
      whenBroken = run;
    },
    async close() {
      closing = true;
      stage.disconnect();
      await gone;
    },
  };
}

function cannotStart(stage: Speaking): SockscopeError {
  const refused = whyNoStage();
  if (refused === null) {
    return broke(stage.complaint() || 'it ended at once');
  }
  return new SockscopeError(
    'NO_NAMESPACES',
    `The lab needs namespaces of its own, and they cannot be made here: ${refused.why}.`,
    refused.rootCould
      ? 'Run it as root (sudo sockscope lab …), or allow them to everybody.'
      : 'Allow them, or run it on the machine itself: containers often forbid this.',
    3,
  );
}

function broke(what: string): SockscopeError {
  return new SockscopeError(
    'LAB_BROKE',
    `The stage broke: ${what}.`,
    'Run it again; if it stays, it is a bug.',
    1,
  );
}

export function asError({ code, message, hint, exit }: Told): SockscopeError {
  return new SockscopeError(code, message, hint, exit);
}
