/**
 * The two network namespaces: the program's and the far side. Both are made alike: whatever is sent, to 127.0.0.1 and ::1 as well, goes
 * out of a cable that leads nowhere, where the wire reads it; whatever bears the wire's mark is delivered here. The `local` table stays
 * as it is, so that bind(2) (which asks that table and no rule: fib_frontend.c, inet_addr_type) allows what it allows outside.
 */
import { MOST_SEGMENT, WIRE_MARK } from '../../kernel/packet-port.ts';
import {
  addAddress,
  addRoute,
  addRule,
  addVethPair,
  deleteRule,
  type Family,
  IFF_NOARP,
  IFF_UP,
  linkIndex,
  netSysctl,
  openRoute,
  type Route,
  SEGMENTATION,
  setLinkFlags,
  setNetSysctl,
  switchOff,
  TABLE_LOCAL,
  TX_CHECKSUM,
} from '../../kernel/rtnetlink.ts';
import { closeSocket, controlSocket } from '../../kernel/transparent.ts';
import { parseIpv4, parseIpv6 } from '../../wire/net/address.ts';

/** Both visible to the program, so they say whose they are. */
const OUT = 'sockscope';
const END = 'sockscope-end';
/** The longest packet that an IPv4 header can tell of: no datagram needs a second frame. */
const MTU = 65_535;
const TABLE_OUT = 100;
const TABLE_EVERYTHING = 200;

const LOOPBACK4 = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK6 = parseIpv6('::1')!;
const NOWHERE = new Uint8Array(0);

export interface Step {
  readonly step: string;
  readonly errno: number;
}

export interface ProgramSide {
  readonly addresses: readonly string[];
  readonly source4: string | null;
  readonly source6: string | null;
  readonly loopback6: boolean;
  readonly settings: Readonly<Record<string, string>>;
}

export function addressBytes(text: string): { version: Family; bytes: Uint8Array } | null {
  const four = parseIpv4(text);
  const bytes = four ?? parseIpv6(text);
  return bytes === null ? null : { version: four === null ? 6 : 4, bytes };
}

/** The side that takes every connection, whomever it was meant for. In the calling thread's namespace; null when all went well. */
export function prepareFarSide(): Step | null {
  return prepare(TABLE_EVERYTHING, true, (add, device, loopback) => {
    for (const version of [4, 6] as const) {
      const everything = { version, destination: NOWHERE, prefix: 0 };
      add(
        `the local route of IPv${version}`,
        { ...everything, kind: 'local', device: loopback, table: TABLE_EVERYTHING },
        version,
      );
      add(`the way back of IPv${version}`, { ...everything, ...outward(device) }, version);
    }
    add('the way back to ::1', loopbackRoute6(loopback), 6);
  });
}

/** The side in which the program lives. */
export function prepareProgramSide(side: ProgramSide): Step | null {
  return prepare(TABLE_LOCAL, side.loopback6, (add, device, loopback, fd) => {
    for (const [name, value] of Object.entries(side.settings)) {
      setNetSysctl(name, value);
    }
    for (const address of side.addresses.map(addressBytes)) {
      if (address !== null && (address.version === 4 || side.loopback6)) {
        addAddress(fd, address.version, device, address.bytes);
      }
    }
    const way = { ...outward(device), version: 4 } as const;
    add(
      'the route of 127.0.0.0/8',
      { ...way, destination: Uint8Array.of(127, 0, 0, 0), prefix: 8, source: LOOPBACK4 },
      4,
    );
    const source4 = side.source4 === null ? null : parseIpv4(side.source4);
    if (source4 !== null) {
      add('the default route of IPv4', { ...way, destination: NOWHERE, prefix: 0, source: source4 }, 4);
    }
    if (side.loopback6) {
      add('the route of ::1', loopbackRoute6(loopback), 6);
      const source6 = side.source6 === null ? null : parseIpv6(side.source6);
      if (source6 !== null) {
        const route = { ...way, version: 6, destination: NOWHERE, prefix: 0, source: source6 } as const;
        add('the default route of IPv6', route, 6);
      }
    }
  });
}

const outward = (device: number) =>
  ({ kind: 'unicast', device, table: TABLE_OUT, advertisedSegment: MOST_SEGMENT }) as const;

/**
 * ::1 may not come from another device than `lo`, so it goes out there. It is no `local` route: what comes back in is for nobody
 * (route.c, ip6_rt_init_dst gives it ip6_forward, and forwarding is off), and only the wire has seen it.
 */
function loopbackRoute6(loopback: number): Route {
  return { ...outward(loopback), version: 6, destination: LOOPBACK6, prefix: 128 };
}

/** `six`: IPv6 is there, so that its failure counts. */
type AddRoute = (step: string, route: Route, version: Family) => void;

function prepare(
  markedTable: number,
  ipv6: boolean,
  routes: (add: AddRoute, device: number, loopback: number, fd: number) => void,
): Step | null {
  const fd = openRoute();
  const control = controlSocket();
  let failed: Step | null = null;
  const check = (step: string, result: number): void => {
    if (result < 0) {
      failed ??= { step, errno: -result };
    }
  };
  const withIpv6 = setNetSysctl('ipv6/conf/all/disable_ipv6', ipv6 ? '0' : '1') && ipv6;
  const versions: Family[] = withIpv6 ? [4, 6] : [4];
  check('a pair of veth devices', addVethPair(fd, OUT, END, MTU));
  const device = linkIndex(control, OUT);
  const end = linkIndex(control, END);
  const loopback = linkIndex(control, 'lo');
  check('the device', Math.min(device, end, loopback));
  configure(withIpv6);
  // Containers show /proc/sys read-only.
  check('the setting route_localnet', netSysctl('ipv4/conf/all/route_localnet') === '1' ? 0 : -30);
  // A frame that a program in user space takes on must be whole: with its checksum, and no larger than it says.
  check('the end of checksum offload', switchOff(control, OUT, TX_CHECKSUM));
  for (const name of [OUT, 'lo']) {
    for (const feature of SEGMENTATION) {
      switchOff(control, name, feature);
    }
  }
  check('lo', setLinkFlags(fd, loopback, IFF_UP));
  check('the far end of the cable', setLinkFlags(fd, end, IFF_UP | IFF_NOARP));
  check('the near end of the cable', setLinkFlags(fd, device, IFF_UP | IFF_NOARP));
  for (const version of versions) {
    check('the rule for the wire', addRule(fd, rule(version, 10, markedTable, { mark: WIRE_MARK })));
    check('the rule for what is sent', addRule(fd, rule(version, 20, TABLE_OUT, { from: 'lo' })));
    check('the rule for what is local', addRule(fd, rule(version, 30, TABLE_LOCAL, {})));
    check('the end of the first rule', deleteRule(fd, rule(version, 0, TABLE_LOCAL, {})));
  }
  routes(
    (step, route, version) => {
      if (versions.includes(version)) {
        check(step, addRoute(fd, route));
      }
    },
    device,
    loopback,
    fd,
  );
  closeSocket(fd);
  closeSocket(control);
  return failed;
}

function rule(version: Family, priority: number, table: number, more: { mark?: number; from?: string }) {
  return { version, priority, table, ...more };
}

/** A new namespace takes its IPv4 settings from the machine (net.core.devconf_inherit_init_net), so each is said. */
function configure(ipv6: boolean): void {
  for (const device of ['all', 'lo', OUT, END]) {
    setNetSysctl(`ipv4/conf/${device}/rp_filter`, '0');
    setNetSysctl(`ipv4/conf/${device}/route_localnet`, '1');
    setNetSysctl(`ipv4/conf/${device}/accept_local`, '1');
  }
  setNetSysctl('ipv4/conf/all/forwarding', '0');
  if (ipv6) {
    setNetSysctl('ipv6/conf/all/forwarding', '0');
    setNetSysctl(`ipv6/conf/${END}/disable_ipv6`, '1');
    setNetSysctl(`ipv6/conf/${OUT}/accept_ra`, '0');
    setNetSysctl(`ipv6/conf/${OUT}/accept_dad`, '0');
    // IN6_ADDR_GEN_MODE_NONE: no link-local address, which the program's machine does not have here.
    setNetSysctl(`ipv6/conf/${OUT}/addr_gen_mode`, '1');
  }
}
