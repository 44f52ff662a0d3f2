/** Sessions written down by hand, for the tests of causes. */
import { type Cause, linkCauses } from './causes.ts';
import type { Side } from './connection.ts';
import type { Event, Fate, Packet, StateChange, Syscall, TcpFlag, Value } from './events.ts';
import type { SocketState } from './socket.ts';

const HOSTS = { client: 'A', server: 'B' } as const;
const ISN = { client: 4_294_967_290, server: 1000 } as const;
export const US = 1000;

interface CallMore {
  took?: number | null;
  errno?: string;
  args?: Value[];
}

/** A session written down by hand; moments in microseconds, numbers counted from the SYN. */
export function transcript(connection = 'tcp/1/10.9.0.1:4000>10.9.0.2:80#1', firstId = 1) {
  const events: Event[] = [];
  let id = firstId;
  const keep = <E extends Event>(event: E): E => {
    events.push(event);
    return event;
  };
  const call = (
    at: number,
    side: Side,
    name: string,
    result: number | null,
    more: CallMore = {},
  ): Syscall => {
    const { took = 1, errno, args = [3] } = more;
    return keep({
      type: 'syscall',
      at: at * US,
      took: took === null ? null : took * US,
      host: HOSTS[side],
      pid: 1,
      tid: 1,
      fd: 3,
      name,
      args,
      result: took === null ? null : result,
      connection,
      side,
      ...(errno === undefined ? {} : { errno }),
    });
  };
  const packet = (
    at: number,
    from: Side,
    flags: string,
    seq: number,
    ack: number | null,
    length = 0,
  ): Packet => {
    const names: Record<string, TcpFlag> = { S: 'SYN', A: 'ACK', F: 'FIN', R: 'RST', U: 'URG' };
    const peer = from === 'client' ? 'server' : 'client';
    return keep({
      type: 'packet',
      at: at * US,
      host: HOSTS[from],
      id: id++,
      interface: 'lan',
      connection,
      from,
      protocol: 'tcp',
      flags: [...flags].map((letter) => names[letter]!),
      seq: (ISN[from] + seq) >>> 0,
      ...(ack === null ? {} : { ack: (ISN[peer] + ack) >>> 0 }),
      length,
      frameLength: 54 + length,
      notes: [],
    });
  };
  const fate = (at: number, of: Packet, what: Fate['what'] = 'delivered', why?: string): Fate =>
    keep({
      type: 'fate',
      at: at * US,
      packet: of.id!,
      host: HOSTS[of.from === 'client' ? 'server' : 'client'],
      connection,
      what,
      ...(why === undefined ? {} : { why }),
    });
  /** Sent and delivered 10 µs later. */
  const passes = (at: number, from: Side, flags: string, seq: number, ack: number | null, length = 0) => {
    const sent = packet(at, from, flags, seq, ack, length);
    return { sent, came: fate(at + 10, sent) };
  };
  const state = (at: number, side: Side, from: SocketState, to: SocketState): StateChange =>
    keep({ type: 'state', at: at * US, host: HOSTS[side], connection, side, from, to, source: 'sampled' });
  const open = () => {
    const connect = call(0, 'client', 'connect', 0, { took: 60 });
    const syn = passes(10, 'client', 'S', 0, null);
    const synAck = passes(30, 'server', 'SA', 0, 1);
    const ack = passes(50, 'client', 'A', 1, 1);
    return { connect, syn, synAck, ack };
  };
  const links = (why?: Cause['why']) =>
    linkCauses(events).filter((cause) => why === undefined || cause.why === why);
  const to = (event: Event, why?: Cause['why']) =>
    links(why)
      .filter((cause) => cause.to === event)
      .map(({ from }) => from);
  return { events, keep, call, packet, fate, passes, state, open, links, to };
}
