/** A host: its network namespace, the cables to the wire, addresses, neighbours and settings. */
import {
  addCable,
  addNeighbour,
  addNetwork,
  addWay,
  openStatistics,
  removeLink,
  removeNeighbour,
  writeSysctl,
} from '../../kernel/cables.ts';
import {
  IFF_UP,
  linkIndex,
  openRoute,
  SEGMENTATION,
  setLinkFlags,
  switchOff,
  TX_CHECKSUM,
} from '../../kernel/rtnetlink.ts';
import { openSockDiag } from '../../kernel/sockdiag.ts';
import {
  closeSocket,
  controlSocket,
  enterNamespace,
  namespaceHere,
  newNamespace,
} from '../../kernel/transparent.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';
import { type Plan, type PlannedHost, USUAL } from './plan.ts';
import type { Sampled, WirePort } from './protocol.ts';

/** A step of the building that the kernel refused. */
export interface Refused {
  readonly step: string;
  readonly errno: number;
  /** It was a value that somebody asked for. */
  readonly setting?: true;
}

export interface Machine {
  readonly namespace: number;
  readonly ports: readonly WirePort[];
  readonly sampled: Sampled;
  /** Settings that were asked for and that this kernel lacks. */
  readonly missing: readonly string[];
  /** For the main thread's own questions; the wire has another. */
  readonly diag: number;
}

const PREFIX4 = 24;
const PREFIX6 = 64;

/** The namespace that the stage itself lives in, where the wire's ends of the cables are. */
export interface Home {
  readonly namespace: number;
  readonly route: number;
  readonly control: number;
}

export function makeHome(): Home {
  // The wire itself has nothing to say.
  writeSysctl('net.ipv6.conf.all.disable_ipv6', '1');
  writeSysctl('net.ipv6.conf.default.disable_ipv6', '1');
  // Looking at a host's sockets is walking its hash table. Shared with the machine's it has a quarter of a million places.
  writeSysctl('net.ipv4.tcp_child_ehash_entries', '8192');
  return { namespace: namespaceHere(), route: openRoute(), control: controlSocket() };
}

/** Runs with the calling thread in another namespace; sockets and children made meanwhile belong there. */
export function within<T>(home: Home, namespace: number, run: () => T): T {
  const gone = enterNamespace(namespace);
  if (gone < 0) {
    throw new Error(`a namespace of the stage cannot be entered (errno ${-gone})`);
  }
  try {
    return run();
  } finally {
    enterNamespace(home.namespace);
  }
}

export function buildMachine(home: Home, plan: Plan, host: PlannedHost): Machine | Refused {
  const created = newNamespace();
  const namespace = namespaceHere();
  enterNamespace(home.namespace);
  if (created < 0 || namespace < 0) {
    return { step: `the network namespace of ${host.name}`, errno: -Math.min(created, namespace) };
  }
  const missing: string[] = [];
  // The settings come first: what they say of devices holds for those that are made afterwards.
  const set = within(home, namespace, () => settings(host, missing));
  const cabled = set ?? connectCables(home, host, namespace);
  if ('step' in cabled) {
    closeSocket(namespace);
    return cabled;
  }
  const inside = within(home, namespace, () => settle(plan, host));
  if ('step' in inside) {
    closeSocket(namespace);
    return inside;
  }
  return { namespace, ports: cabled, missing, ...inside };
}

function connectCables(home: Home, host: PlannedHost, namespace: number): WirePort[] | Refused {
  const ports: WirePort[] = [];
  for (const device of host.devices) {
    const cable = {
      here: device.here,
      there: device.there,
      mac: macBytes(device.mac),
      namespace,
      mtu: host.mtu,
    };
    const added = addCable(home.route, cable);
    const ifindex = added < 0 ? added : linkIndex(home.control, device.here);
    const up = ifindex < 0 ? ifindex : setLinkFlags(home.route, ifindex, IFF_UP);
    if (up < 0) {
      return { step: `the cable of ${host.name}`, errno: -up };
    }
    ports.push({ host: host.name, segment: device.segment, ifindex, device: device.here, mac: device.mac });
  }
  return ports;
}

type Settled = Pick<Machine, 'sampled' | 'diag'>;

/** In the host's namespace. */
function settle(plan: Plan, host: PlannedHost): Settled | Refused {
  const route = openRoute();
  const control = controlSocket();
  const trouble = links(plan, host, route, control);
  closeSocket(route);
  closeSocket(control);
  if (trouble !== null) {
    return trouble;
  }
  const sampled = {
    host: host.name,
    diag: openSockDiag(),
    netstat: openStatistics('netstat'),
    snmp: openStatistics('snmp'),
  };
  return { sampled, diag: openSockDiag() };
}

function settings(host: PlannedHost, missing: string[]): Refused | null {
  for (const [name, value] of Object.entries(host.sysctl)) {
    const written = writeSysctl(name, String(value));
    if (written === false) {
      // What we set for our own sake is nobody's loss.
      if (!Object.hasOwn(USUAL, name)) {
        missing.push(name);
      }
    } else if (written !== true) {
      return { step: `the setting ${name} = ${value} of ${host.name}`, errno: -written, setting: true };
    }
  }
  return null;
}

function links(plan: Plan, host: PlannedHost, route: number, control: number): Refused | null {
  const loopback = setLinkFlags(route, linkIndex(control, 'lo'), IFF_UP);
  if (loopback < 0) {
    return { step: `the loopback of ${host.name}`, errno: -loopback };
  }
  for (const device of host.devices) {
    const index = linkIndex(control, device.there);
    // What leaves must be what a cable would see: finished checksums, segments of their true size.
    for (const feature of [TX_CHECKSUM, ...SEGMENTATION]) {
      switchOff(control, device.there, feature);
    }
    const results = [
      setLinkFlags(route, index, IFF_UP),
      ...device.addresses.map((address) => addNetwork(route, 4, index, parseIpv4(address)!, PREFIX4)),
      addNetwork(route, 6, index, parseIpv6(device.address6)!, PREFIX6),
    ];
    const failed = results.find((result) => result < 0);
    if (failed !== undefined) {
      return { step: `the addresses of ${host.name}`, errno: -failed };
    }
  }
  if (!host.arp) {
    neighbours(plan, host, (version, index, address, mac) =>
      addNeighbour(route, version, index, address, mac),
    )(control);
  }
  return ways(host, route);
}

function ways(host: PlannedHost, route: number): Refused | null {
  if (host.gateway === null) {
    return null;
  }
  const everywhere = { destination: new Uint8Array(0), prefix: 0, how: 'via' as const };
  const four = addWay(route, { version: 4, ...everywhere, gateway: parseIpv4(host.gateway.address)! });
  const six = addWay(route, { version: 6, ...everywhere, gateway: parseIpv6(host.gateway.address6)! });
  const failed = Math.min(four, six);
  return failed < 0 ? { step: `the gateway of ${host.name}`, errno: -failed } : null;
}

type Each = (version: 4 | 6, index: number, address: Uint8Array, mac: Uint8Array) => void;

/** Everybody else on the same segments. */
function neighbours(plan: Plan, host: PlannedHost, each: Each): (control: number) => void {
  return (control) => {
    for (const device of host.devices) {
      const index = linkIndex(control, device.there);
      for (const other of plan.hosts.filter(({ name }) => name !== host.name)) {
        for (const theirs of other.devices.filter(({ segment }) => segment === device.segment)) {
          const mac = macBytes(theirs.mac);
          for (const address of theirs.addresses) {
            each(4, index, parseIpv4(address)!, mac);
          }
          each(6, index, parseIpv6(theirs.address6)!, mac);
        }
      }
    }
  };
}

/** In the host's namespace. */
export function forgetNeighbours(plan: Plan, host: PlannedHost): void {
  const route = openRoute();
  const control = controlSocket();
  neighbours(plan, host, (version, index, address) => removeNeighbour(route, version, index, address))(
    control,
  );
  closeSocket(route);
  closeSocket(control);
}

/** The namespace itself goes with the last socket and process in it. */
export function removeMachine(home: Home, machine: Machine): void {
  for (const { ifindex } of machine.ports) {
    removeLink(home.route, ifindex);
  }
  closeSocket(machine.diag);
  closeSocket(machine.namespace);
}

export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}
