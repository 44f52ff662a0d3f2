/** Who hears a connection to an address, and what to tell a person about it. Pure. */
import type { Interface } from '../kernel/addresses.ts';
import type { Socket } from '../session/socket.ts';
import { parseIpv4, parseIpv6 } from '../wire/net/address.ts';

export interface Answer {
  address: string;
  family: 4 | 6;
  /** On an interface of this machine that is up. Otherwise who listens there cannot be known from here. */
  here: boolean;
  /** TCP listeners and unconnected UDP sockets that a program on this machine reaches under this address. */
  listeners: Socket[];
}

export interface Conclusion {
  /** A `finding` is a fault; a `note` is good to know. */
  kind: 'finding' | 'note';
  code:
    | 'NOT_FOUND'
    | 'NOT_HERE'
    | 'NOBODY'
    | 'FIRST_REFUSED'
    | 'LATER_REFUSED'
    | 'TWO_SERVERS'
    | 'ELSEWHERE'
    | 'DEVICE';
  text: string;
}

function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? '';
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null, bits: number): boolean {
  if (a === null || b === null || a.length !== b.length) {
    return false;
  }
  const whole = bits >> 3;
  const rest = bits & 7;
  return (
    a.subarray(0, whole).every((byte, i) => byte === b[i]) &&
    (rest === 0 || (a[whole]! ^ b[whole]!) >> (8 - rest) === 0)
  );
}

function bytesOf(address: string): Uint8Array | null {
  return parseIpv4(withoutZone(address)) ?? parseIpv6(withoutZone(address));
}

/** A loopback interface answers for the whole prefix of each IPv4 address: all of 127.0.0.0/8, not only 127.0.0.1. */
export function isHere(address: string, interfaces: readonly Interface[]): boolean {
  const bytes = bytesOf(address);
  return interfaces.some(
    ({ up, loopback, addresses }) =>
      up &&
      addresses.some((own) => {
        const bits = own.family === 6 ? 128 : loopback ? own.prefix : 32;
        return !own.tentative && sameBytes(bytes, bytesOf(own.address), bits);
      }),
  );
}

const MAPPED = '::ffff:';

/** Whether a connection to this address, made on this machine, arrives at this socket. */
export function hears(socket: Socket, address: string, family: 4 | 6): boolean {
  const bound = withoutZone(socket.local.address);
  if (family === 4) {
    const plain = bound.startsWith(MAPPED) ? bound.slice(MAPPED.length) : bound;
    return plain === '0.0.0.0' || plain === address || (bound === '::' && socket.v6only !== true);
  }
  return bound === '::' || sameBytes(bytesOf(bound), bytesOf(address), 128);
}

/** Local connections, also those to the address of another interface, come in through loopback (SO_BINDTODEVICE, socket(7)). */
export function deviceBlocks(socket: Socket, interfaces: readonly Interface[]): boolean {
  return (
    socket.device !== undefined &&
    !interfaces.some(({ name, loopback }) => loopback && name === socket.device)
  );
}

export function whoText(socket: Socket): string {
  const { owners } = socket;
  const [first] = owners;
  if (first === undefined) {
    return socket.ownerGap === 'not visible'
      ? 'a process that is not visible from here'
      : 'a socket without a visible process';
  }
  const pids = [...new Set(owners.map(({ pid }) => pid))];
  return `${first.name} (pid ${pids.slice(0, 3).join(', ')}${pids.length > 3 ? '…' : ''})`;
}

export function placeText(socket: Socket): string {
  const { address, port } = socket.local;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function listText(sockets: readonly Socket[], text: (socket: Socket) => string): string {
  return [...new Set(sockets.map(text))].join(' and ');
}

function holdersOf(sockets: readonly Socket[]): string {
  return sockets
    .flatMap(({ owners, inode }) =>
      owners.length === 0 ? [`inode ${inode}`] : owners.map(({ pid }) => String(pid)),
    )
    .sort()
    .join();
}

export interface Question {
  name: string;
  port: number | null;
  answers: readonly Answer[];
  /** All TCP listeners on the port, whatever they are bound to. */
  candidates: readonly Socket[];
  interfaces: readonly Interface[];
}

export function conclude(question: Question): Conclusion[] {
  const { name, port, answers, interfaces } = question;
  const [first] = answers;
  if (first === undefined) {
    return [];
  }
  const absent = answers.filter(
    ({ here, address }) => !here && (bytesOf(address)?.[0] === 127 || address === '::1'),
  );
  const conclusions = absent.map(({ address, family }): Conclusion => {
    const off = family === 6 && interfaces.some(({ loopback, ipv6Disabled }) => loopback && ipv6Disabled);
    const reason = off
      ? 'IPv6 is switched off (net.ipv6.conf.lo.disable_ipv6)'
      : 'no interface that is up has it';
    return {
      kind: address === first.address ? 'finding' : 'note',
      code: 'NOT_HERE',
      text: `${name} resolves to ${address}, but ${reason}: connecting there fails at once.`,
    };
  });
  return port === null ? conclusions : [...conclusions, ...aboutPort(question, port, first)];
}

function aboutPort(question: Question, port: number, first: Answer): Conclusion[] {
  const { name, answers, interfaces } = question;
  const tcp = (answer: Answer): Socket[] => answer.listeners.filter(({ protocol }) => protocol === 'tcp');
  const local = answers.filter(({ here }) => here);
  const heard = local.filter((answer) => tcp(answer).length > 0);
  const deaf = local.filter((answer) => tcp(answer).length === 0);
  const blocked = question.candidates.filter((socket) => deviceBlocks(socket, interfaces));
  const conclusions = blocked.map(
    (socket): Conclusion => ({
      kind: 'note',
      code: 'DEVICE',
      text: `${whoText(socket)} on ${placeText(socket)} is bound to the interface ${socket.device}: connections from this machine do not reach it.`,
    }),
  );
  if (local.length > 0 && heard.length === 0) {
    return [...conclusions, nobody(question, port, local)];
  }
  const [good] = heard;
  if (good === undefined) {
    return conclusions;
  }
  const places = listText(tcp(good), placeText);
  if (first !== good) {
    conclusions.push({
      kind: 'finding',
      code: 'FIRST_REFUSED',
      text: `${name} is ${first.address} first, and ${listText(tcp(good), whoText)} listens only on ${places}: programs that do not fall back will get ${first.here ? 'ECONNREFUSED' : 'no connection'}.`,
    });
  } else if (deaf.length > 0) {
    conclusions.push({
      kind: 'note',
      code: 'LATER_REFUSED',
      text: `${name} is also ${deaf.map(({ address }) => address).join(' and ')}, where nobody listens on port ${port}: programs that take that one first will get ECONNREFUSED.`,
    });
  }
  const other = heard.find((answer) => holdersOf(tcp(answer)) !== holdersOf(tcp(good)));
  if (other !== undefined) {
    conclusions.push({
      kind: 'finding',
      code: 'TWO_SERVERS',
      text: `Two different servers: ${good.address} is ${listText(tcp(good), whoText)}, ${other.address} is ${listText(tcp(other), whoText)}. Which one answers depends on the order a program takes.`,
    });
  }
  const unheard = question.candidates.filter(
    (socket) =>
      !deviceBlocks(socket, interfaces) && !heard.some((answer) => answer.listeners.includes(socket)),
  );
  if (unheard.length > 0 && !conclusions.some(({ kind }) => kind === 'finding')) {
    conclusions.push({
      kind: 'note',
      code: 'ELSEWHERE',
      text: `${listText(unheard, whoText)} listens on ${listText(unheard, placeText)} too, which ${name} is not.`,
    });
  }
  return conclusions;
}

function nobody(question: Question, port: number, local: readonly Answer[]): Conclusion {
  const { name, candidates, interfaces } = question;
  const elsewhere = candidates.filter((socket) => !deviceBlocks(socket, interfaces));
  if (elsewhere.length > 0) {
    return {
      kind: 'finding',
      code: 'ELSEWHERE',
      text: `${listText(elsewhere, whoText)} listens on ${listText(elsewhere, placeText)}, which ${name} is not: connecting to ${name}:${port} gives ECONNREFUSED.`,
    };
  }
  const udp = local.flatMap(({ listeners }) => listeners);
  const also = udp.length > 0 ? ` Only UDP is there: ${listText(udp, whoText)}.` : '';
  return {
    kind: 'finding',
    code: 'NOBODY',
    text: `Nobody listens on TCP port ${port} of ${name}: connecting gives ECONNREFUSED.${also}`,
  };
}
