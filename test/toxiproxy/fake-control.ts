/** Taps that listen and hold their plan, and do nothing with bytes: what the control API is tested on. */
import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { SockscopeError } from '../../src/errors.ts';
import type { Address } from '../../src/reactor/reactor.ts';
import type { TapControl, TapState } from '../../src/tap/control.ts';
import type { PlannedFault } from '../../src/tap/fault.ts';
import { isPlaceError, plainPlace, readPlace } from '../../src/tap/place.ts';
import type { Place, TapPlan } from '../../src/tap/plan.ts';

interface FakeTap {
  plan: TapPlan;
  server: Server | null;
  address: Address | null;
}

export interface FakeControl extends TapControl {
  /** What was asked of it, in order. */
  readonly log: string[];
  closeAll(): Promise<void>;
}

export function newPlan(
  name: string,
  listen: string,
  upstream: string,
  enabled: boolean,
): TapPlan | SockscopeError {
  const from = readPlace(listen, 'listen');
  const to = readPlace(upstream, 'target');
  for (const read of [from, to]) {
    if (isPlaceError(read)) {
      return new SockscopeError('TAP_ADDRESS', `${read.error}.`, read.hint, 2);
    }
  }
  return {
    name,
    enabled,
    listen: plainPlace(from as Place),
    target: plainPlace(to as Place),
    front: 'none',
    proxyIn: false,
    proxyOut: 0,
    tls: { mode: 'none', insecure: false, serverName: '', certificate: '', key: '', authority: '' },
    decode: 'auto',
    matches: [],
    replacements: [],
    sets: [],
    holds: [],
    faults: [],
    dialTimeout: 10e9,
    mirrorsRefusal: false,
    wishes: {},
  };
}

export function fakeControl(): FakeControl {
  const taps = new Map<string, FakeTap>();
  const log: string[] = [];

  const stateOf = ({ plan, address }: FakeTap): TapState => ({
    plan,
    address,
    connections: 0,
    opened: 0,
    fromClient: 12,
    fromServer: 34,
  });

  const close = async (tap: FakeTap) => {
    const { server } = tap;
    tap.server = null;
    tap.address = null;
    if (server !== null) {
      await new Promise((done) => server.close(done));
    }
  };

  const open = async (tap: FakeTap): Promise<SockscopeError | null> => {
    const { listen, faults, name } = tap.plan;
    log.push(`listen ${name} [${faults.map((fault) => fault.name).join(' ')}]`);
    if (listen.kind === 'unix') {
      tap.address = { kind: 'unix', path: listen.path };
      return null;
    }
    if (listen.kind === 'udp') {
      tap.address = { kind: 'udp', host: '127.0.0.1', port: listen.port || 5353 };
      return null;
    }
    const server = createServer((socket) => socket.destroy());
    const { address: host } = await lookup(listen.host, 4);
    const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
      server.once('error', resolve);
      server.listen(listen.port, host, () => resolve(null));
    });
    if (error !== null) {
      return new SockscopeError('PORT_IN_USE', `${host}:${listen.port} is taken.`, 'Take another.', 3);
    }
    tap.server = server;
    tap.address = { kind: 'tcp', host, port: (server.address() as AddressInfo).port };
    return null;
  };

  const none = (name: string) => new SockscopeError('TAP_NAME', `There is no tap ${name}.`, '', 2);

  const setFaults = (name: string, change: (faults: readonly PlannedFault[]) => readonly PlannedFault[]) => {
    const tap = taps.get(name);
    if (tap === undefined) {
      return Promise.resolve(none(name));
    }
    tap.plan = { ...tap.plan, faults: change(tap.plan.faults) };
    return Promise.resolve(stateOf(tap));
  };

  return {
    log,
    list: () => [...taps.values()].map(stateOf),
    find: (name) => {
      const tap = taps.get(name);
      return tap === undefined ? null : stateOf(tap);
    },
    async create(plan) {
      const tap: FakeTap = { plan, server: null, address: null };
      const error = plan.enabled ? await open(tap) : null;
      if (error !== null) {
        return error;
      }
      taps.set(plan.name, tap);
      return stateOf(tap);
    },
    async update(name, change) {
      const tap = taps.get(name);
      if (tap === undefined) {
        return none(name);
      }
      log.push(`update ${name} {${Object.keys(change).join(' ')}}`);
      const restarts =
        change.listen !== undefined || change.target !== undefined || change.enabled !== undefined;
      tap.plan = { ...tap.plan, ...change };
      if (restarts) {
        await close(tap);
        const error = tap.plan.enabled ? await open(tap) : null;
        if (error !== null) {
          tap.plan = { ...tap.plan, enabled: false };
          return error;
        }
      }
      return stateOf(tap);
    },
    async remove(name) {
      const tap = taps.get(name);
      if (tap === undefined) {
        return false;
      }
      taps.delete(name);
      await close(tap);
      return true;
    },
    addFault: (name, fault) => {
      log.push(`add ${fault.name}`);
      return setFaults(name, (faults) => [...faults, fault]);
    },
    updateFault: (name, fault) =>
      setFaults(name, (faults) => faults.map((old) => (old.name === fault.name ? fault : old))),
    removeFault: (name, gone) => setFaults(name, (faults) => faults.filter((fault) => fault.name !== gone)),
    release: () => {},
    async closeAll() {
      for (const tap of taps.values()) {
        await close(tap);
      }
    },
  };
}
