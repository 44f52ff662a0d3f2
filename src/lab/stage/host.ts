/** A host as a story speaks with it: its first program's verbs, more programs, its settings, and its power switch. */
import { SockscopeError } from '../../errors.ts';
import { addWay, readSysctl, writeSysctl } from '../../kernel/cables.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import { openRoute } from '../../kernel/rtnetlink.ts';
import { spawnActor } from '../../kernel/spawn-lab.ts';
import { closeSocket } from '../../kernel/transparent.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import type { Child, Host, Program } from '../api.ts';
import type { Common } from './common.ts';
import { startForeign } from './foreign.ts';
import { buildMachine, forgetNeighbours, type Machine, removeMachine, within } from './machine.ts';
import type { PlannedHost } from './plan.ts';
import { type RunningProgram, startProgram } from './program.ts';
import { silence } from './silence.ts';
import { readTable } from './socket-table.ts';

export interface RunningHost {
  readonly host: Host;
  end(): Promise<void>;
}

interface Ending {
  end(): Promise<void>;
}

export function createHost(common: Common, planned: PlannedHost, built: Machine): RunningHost {
  const { home, around } = common;
  const device = planned.devices[0]!;
  let machine: Machine = built;
  let on = true;
  let running: Ending[] = [];
  let main: Promise<RunningProgram> | null = null;

  async function another(): Promise<RunningProgram> {
    mustBeOn();
    const setup = JSON.stringify({
      host: planned.name,
      names: common.plan.names,
      start: { monotonic: String(around.start.monotonic), realtime: String(around.start.realtime) },
    });
    const process = within(home, machine.namespace, () => spawnActor({ entry: around.actorEntry, setup }));
    const program = await startProgram({
      host: planned.name,
      process,
      onCall: (call) => common.take([call]),
    });
    running.push(program);
    return program;
  }

  /** The program that the host's own verbs speak for, started when it is first needed. */
  function first(): Promise<RunningProgram> {
    main ??= another().catch((error) => {
      main = null;
      throw error;
    });
    return main;
  }

  function mustBeOn(): void {
    if (!on) {
      throw misused(`${planned.name} is switched off.`, 'Switch it on again first: host.boot().');
    }
  }

  const there = <T>(run: () => T): T => within(home, machine.namespace, run);

  function inside<T>(run: () => T): T {
    mustBeOn();
    return there(run);
  }

  const own: Omit<Host, keyof Program> & { readonly name: string } = {
    name: planned.name,
    address: device.addresses[0]!,
    address6: device.address6,
    addresses: planned.devices.flatMap(({ addresses }) => addresses),
    async program(): Promise<Program> {
      return (await another()).program;
    },
    async start(command, args = [], options = {}): Promise<Child> {
      mustBeOn();
      const foreign = await startForeign(common, { host: planned.name, command, args, options }, inside);
      running.push(foreign);
      return foreign.child;
    },
    sysctl: async (name) => inside(() => readSysctl(name)),
    async setSysctl(name, value) {
      const written = inside(() => writeSysctl(name, String(value)));
      if (typeof written === 'number') {
        throw misused(
          `${name} of ${planned.name} cannot be set to ${value}: ${errnoText(-written)}.`,
          'Give it a value that this kernel takes.',
        );
      }
      return written;
    },
    async counters() {
      mustBeOn();
      const value = await common.wire.order({ do: 'counters', host: planned.name });
      return value as Readonly<Record<string, number>>;
    },
    async sockets() {
      mustBeOn();
      return readTable(machine.diag);
    },
    async route(destination, how) {
      const [address = '', prefix] = destination.split('/');
      const four = parseIpv4(address);
      const bytes = four ?? parseIpv6(address);
      const gateway = typeof how === 'string' ? undefined : (parseIpv4(how.via) ?? parseIpv6(how.via));
      if (bytes === null || gateway === null) {
        throw misused(
          `${bytes === null ? destination : (how as { via: string }).via} is no address.`,
          'Examples: 10.7.0.0/24, fd07::/64, and { via: "10.9.0.3" }.',
        );
      }
      const result = inside(() => {
        const fd = openRoute();
        const added = addWay(fd, {
          version: four === null ? 6 : 4,
          destination: bytes,
          prefix: prefix === undefined ? bytes.length * 8 : Number(prefix),
          how: typeof how === 'string' ? how : 'via',
          ...(gateway === undefined ? {} : { gateway }),
        });
        closeSocket(fd);
        return added;
      });
      if (result < 0) {
        throw misused(
          `The route to ${destination} of ${planned.name} was refused: ${errnoText(-result)}.`,
          'A gateway must be on one of its own segments.',
        );
      }
    },
    async flushNeighbours() {
      inside(() => forgetNeighbours(common.plan, planned));
    },
    async powerOff() {
      mustBeOn();
      await common.wire.order({ do: 'off', host: planned.name });
      await stopAll();
      on = false;
      await common.wire.order({ do: 'remove', host: planned.name });
      removeMachine(home, machine);
    },
    async boot() {
      if (on) {
        throw misused(`${planned.name} is running already.`, 'Switch it off first: host.powerOff().');
      }
      const again = buildMachine(home, common.plan, planned);
      if ('step' in again) {
        throw new Error(`${again.step} was refused: ${errnoText(again.errno)}`);
      }
      machine = again;
      await common.wire.order({ do: 'add', ports: machine.ports, sampled: machine.sampled });
      common.tell({ type: 'fault', at: common.now(), what: 'is switched on', on: planned.name });
      on = true;
    },
  };

  async function stopAll(): Promise<void> {
    silence(machine.diag, there);
    await Promise.all(running.map((one) => one.end()));
    // What the dying programs left: nobody will ever hear of it.
    silence(machine.diag, there);
    running = [];
    main = null;
  }

  async function ofFirst(name: string, args: readonly unknown[]): Promise<unknown> {
    const { program } = await first();
    const verb = program[name as keyof Program] as ((...a: readonly unknown[]) => unknown) | undefined;
    if (verb === undefined) {
      throw misused(`A host has no verb ${name}.`, 'See docs/lab.md for the verbs.');
    }
    return verb(...args);
  }

  const host = new Proxy(own, {
    get(target, name: string) {
      if (name in target) {
        return target[name as keyof typeof target];
      }
      if (name === 'then') {
        // A host is no promise.
        return undefined;
      }
      return (...args: readonly unknown[]) => {
        const answer = ofFirst(name, args);
        // A call that nobody waits for may end with its program.
        answer.catch(() => {});
        return answer;
      };
    },
  }) as unknown as Host;

  return {
    host,
    async end() {
      if (on) {
        on = false;
        await stopAll();
        removeMachine(home, machine);
      }
    },
  };
}

function errnoText(errno: number): string {
  const name = errnoName(errno);
  return `${name} (${errnoMeaning(name)})`;
}

function misused(what: string, hint: string): SockscopeError {
  return new SockscopeError('LAB_HOST', what, hint, 2);
}
