/** `tap -- npm test`: a program whose connections are led through a tap, and what it left with. */
import { join } from 'node:path';
import { SockscopeError } from '../errors.ts';
import { createNodeReactor } from '../reactor/node.ts';
import type { Address, Datagrams } from '../reactor/reactor.ts';
import { defaultPlan } from '../tap/config-defaults.ts';
import type { Observation } from '../tap/observation.ts';
import { exitCode, forwardSignals } from '../tap/program/forward-signals.ts';
import { type Handlers, launch, type Program, type Request, type Verdict } from '../tap/program/launch.ts';
import type { Enter, Led, Taps } from '../tap/taps.ts';
import { addressText } from '../tap/to-events.ts';
import type { Common } from './tap-flags.ts';

export interface ProgramRun {
  /** The program's exit status, as a shell tells it. */
  readonly code: number;
}

/** Who asked for a connection, by the address it came from. Bounded: the oldest is forgotten. */
const MOST_ASKED = 10_000;

export interface Leading {
  /** `node 812 src/db.ts:42`; '' when nobody knows. */
  whoAt(client: Address): string;
  /** Told of every observation: a UDP target that refused is told to the program. */
  seen(observation: Observation): void;
  run(command: readonly string[]): Promise<ProgramRun>;
}

const VERDICTS: Readonly<Record<number, Verdict>> = {
  0: 'go',
  [-111]: 'refused',
  [-113]: 'unreachable',
  [-101]: 'no-route',
  [-110]: 'silence',
};

export function leadProgram(taps: Taps, like: Common, trouble: (text: string) => void): Leading {
  const asked = new Map<string, string>();
  const flows = new Map<number, Datagrams>();
  /** UDP destinations: their taps, and the flows that lead there. */
  const destinations = new Map<
    string,
    { name: string; address: Promise<Address | null>; flows: Set<number> }
  >();
  const reactor = createNodeReactor();
  let program: Program | null = null;

  function remember(request: Request): void {
    const { site, name, pid, from } = request;
    const who = [name ?? '', String(pid ?? ''), site === null ? '' : `${site.file}:${site.line}`];
    if (asked.size >= MOST_ASKED) {
      asked.delete(asked.keys().next().value!);
    }
    asked.set(`${from.host}:${from.port}`, who.filter((part) => part !== '').join(' '));
  }

  async function dial(led: Led, request: Request): Promise<void> {
    remember(request);
    const { id, host, port } = request;
    const result = await led.dial(id, { kind: 'tcp', host, port });
    program?.verdict(id, VERDICTS[result] ?? 'unreachable');
  }

  function destination(request: Request): { address: Promise<Address | null>; flows: Set<number> } {
    const { host, port } = request;
    const key = `${host} ${port}`;
    let one = destinations.get(key);
    if (one === undefined) {
      const name = addressText({ kind: 'udp', host, port });
      const here = { kind: 'udp', host: '127.0.0.1', port: 0, path: '' } as const;
      const plan = {
        ...defaultPlan(name, here, { kind: 'udp', host, port, path: '' }),
        ...like,
        mirrorsRefusal: false,
      };
      const address = taps.create(plan).then((made) => {
        if (made instanceof SockscopeError) {
          trouble(`${made.message} ${made.hint}`);
          return null;
        }
        return made.address;
      });
      one = { name, address, flows: new Set() };
      destinations.set(key, one);
    }
    return one;
  }

  /** Datagrams that come while the flow's tap is being made. */
  const early = new Map<number, Uint8Array[]>();

  async function flow(request: Request): Promise<void> {
    remember(request);
    const { id } = request;
    const where = destination(request);
    where.flows.add(id);
    early.set(id, []);
    const address = await where.address;
    const waiting = early.get(id);
    early.delete(id);
    if (address === null || waiting === undefined) {
      return;
    }
    const socket = reactor.datagrams(null, address, {
      datagram: (_, bytes, length) => program?.send(id, bytes.slice(0, length)),
    });
    if (typeof socket === 'number') {
      return;
    }
    flows.set(id, socket);
    for (const bytes of waiting) {
      socket.send(bytes, 0, bytes.length, null);
    }
  }

  function flowEnded(id: number): void {
    early.delete(id);
    flows.get(id)?.close();
    flows.delete(id);
    for (const { flows: led } of destinations.values()) {
      led.delete(id);
    }
  }

  /** Clients outside that are on their way to a listener of the program. */
  const entering = new Map<number, (fd: number) => void>();
  let entries = 0;

  const enter: Enter = (host, port, done) => {
    entering.set(++entries, done);
    program?.enter(entries, host, port);
  };

  return {
    whoAt: (client) => (client.kind === 'unix' ? '' : (asked.get(`${client.host}:${client.port}`) ?? '')),
    seen(observation) {
      if (observation.type !== 'dial-failed' || observation.told !== 'silence') {
        return;
      }
      for (const { name, flows: led } of destinations.values()) {
        if (name === observation.tap) {
          for (const id of led) {
            program?.fail(id, observation.errno === -111 ? 'refused' : 'unreachable');
          }
        }
      }
    },
    async run([command = '', ...args]) {
      const nowhere = { kind: 'tcp', host: '', port: 0, path: '' } as const;
      const plan = { ...defaultPlan(command, nowhere, nowhere), ...like, mirrorsRefusal: false };
      const led = await taps.lead(plan, enter);
      try {
        return await new Promise<ProgramRun>((resolve, reject) => {
          let stopForwarding: (() => void) | null = null;
          const handlers: Handlers = {
            started() {},
            dial: (request) => void dial(led, request),
            accepted: (id, fd) => led.adopt(id, fd),
            abandoned: (id) => led.abandon(id),
            flow: (request) => void flow(request),
            datagram(id, bytes) {
              const waiting = early.get(id);
              if (waiting === undefined) {
                flows.get(id)?.send(bytes, 0, bytes.length, null);
              } else {
                waiting.push(bytes.slice());
              }
            },
            flowEnded,
            listening: (at) => led.publish(at),
            entered(id, fd) {
              entering.get(id)?.(fd);
              entering.delete(id);
            },
            exited(code, signal) {
              stopForwarding?.();
              resolve({ code: exitCode(code, signal) });
            },
            failed(error) {
              stopForwarding?.();
              reject(error);
            },
            trouble,
          };
          const launched = launch(
            {
              command,
              args,
              stageEntry: join(__dirname, 'tap-stage.js'),
              hook: join(__dirname, 'node-hook.cjs'),
            },
            handlers,
          );
          if (launched instanceof SockscopeError) {
            reject(launched);
            return;
          }
          program = launched;
          stopForwarding = forwardSignals(launched);
        });
      } finally {
        for (const socket of flows.values()) {
          socket.close();
        }
        await reactor.close();
      }
    },
  };
}
