/** Small sessions made by hand, for the tests of the drawing. Moments are milliseconds here. */
import type {
  Event,
  Fate,
  Info,
  Packet,
  PacketNote,
  SocketState,
  StateChange,
  Syscall,
  TcpFlag,
  Value,
} from '../../session/events.ts';

const MS = 1e6;
const ISN = { client: 1_000_000, server: 4_294_967_290 } as const;
type Who = 'client' | 'server';

const FLAGS: Readonly<Record<string, TcpFlag>> = { S: 'SYN', F: 'FIN', R: 'RST', P: 'PSH', A: 'ACK' };

interface SegmentWish {
  readonly seq?: number;
  readonly ack?: number;
  readonly length?: number;
  readonly window?: number;
  readonly notes?: readonly PacketNote[];
  /** How long until it arrives; or why it does not. */
  readonly delay?: number;
  readonly dropped?: string;
  readonly held?: string;
  readonly connection?: string;
}

interface CallWish {
  readonly args?: readonly Value[];
  readonly result?: number;
  readonly errno?: string;
  readonly took?: number | null;
  readonly fd?: number;
  readonly connection?: string | null;
  readonly pid?: number;
}

export interface Script {
  readonly events: Event[];
  call(at: number, host: Who, name: string, wish: CallWish): void;
  segment(at: number, from: Who, flags: string, wish?: SegmentWish): void;
  state(
    at: number,
    host: Who,
    to: SocketState,
    source?: StateChange['source'],
    connection?: string | null,
  ): void;
  info(at: number, host: Who, wish: Partial<Omit<Info, 'type' | 'at' | 'host'>>): void;
  step(at: number, text: string): void;
  fault(at: number, what: string, on: string): void;
}

export const connectionOf = (port: number): string => `tcp/1/10.9.0.1:${port}>10.9.0.2:80#1`;
const FIRST = connectionOf(40000);

export function script(): Script {
  const events: Event[] = [];
  let packets = 0;
  return {
    events,
    call(at, host, name, { args = [], result = 0, errno, took = 0.02, fd, connection = FIRST, pid }) {
      const event: Syscall = {
        type: 'syscall',
        at: at * MS,
        took: took === null ? null : took * MS,
        host,
        pid: pid ?? (host === 'client' ? 11 : 12),
        tid: pid ?? (host === 'client' ? 11 : 12),
        name,
        args,
        result: took === null ? null : errno === undefined ? result : -1,
        ...(fd === undefined ? {} : { fd }),
        ...(errno === undefined ? {} : { errno }),
        ...(connection === null ? {} : { connection, side: host }),
      };
      events.push(event);
    },
    segment(at, from, flags, wish = {}) {
      const { seq = 0, ack, length = 0, window = 64240, notes = [], delay = 0.05, dropped, held } = wish;
      const connection = wish.connection ?? FIRST;
      const to = from === 'client' ? 'server' : 'client';
      const id = ++packets;
      const packet: Packet = {
        type: 'packet',
        at: at * MS,
        id,
        host: from,
        interface: 'lan',
        connection,
        from,
        protocol: 'tcp',
        flags: [...flags].map((letter) => FLAGS[letter]!),
        seq: (ISN[from] + seq) >>> 0,
        ...(ack === undefined ? {} : { ack: (ISN[to] + ack) >>> 0 }),
        window,
        length,
        frameLength: 54 + length,
        notes,
      };
      const fate = (when: number, what: Fate['what'], why?: string): Fate => ({
        type: 'fate',
        at: when * MS,
        packet: id,
        host: to,
        connection,
        what,
        ...(why === undefined ? {} : { why }),
      });
      events.push(packet);
      if (dropped !== undefined) {
        events.push(fate(at, 'dropped', dropped));
      } else if (held !== undefined) {
        events.push(fate(at, 'held', held), fate(at + delay, 'delivered', `held ${delay} ms`));
      } else {
        events.push(fate(at + delay, 'delivered'));
      }
    },
    state(at, host, to, source = 'sampled', connection = FIRST) {
      events.push({
        type: 'state',
        at: at * MS,
        host,
        from: 'CLOSED',
        to,
        source,
        ...(connection === null ? { socket: 'listener' } : { connection, side: host }),
      });
    },
    info(at, host, wish) {
      events.push({
        type: 'info',
        at: at * MS,
        host,
        recvQueue: 0,
        sendQueue: 0,
        connection: FIRST,
        side: host,
        ...wish,
      });
    },
    step: (at, text) => void events.push({ type: 'step', at: at * MS, text }),
    fault: (at, what, on) => void events.push({ type: 'fault', at: at * MS, what, on }),
  };
}

/** socket … ESTABLISHED on both sides, in about half a millisecond. */
function handshake(s: Script, at = 0): void {
  s.call(at, 'client', 'socket', { args: ['tcp'], result: 5, connection: null });
  s.call(at + 0.1, 'client', 'connect', { fd: 5, args: ['10.9.0.2:80'], took: 0.4 });
  s.state(at + 0.12, 'client', 'SYN-SENT');
  s.segment(at + 0.15, 'client', 'S');
  s.state(at + 0.2, 'server', 'SYN-RECV');
  s.segment(at + 0.25, 'server', 'SA', { ack: 1 });
  s.state(at + 0.3, 'client', 'ESTABLISHED');
  s.segment(at + 0.35, 'client', 'A', { seq: 1, ack: 1 });
  s.state(at + 0.4, 'server', 'ESTABLISHED');
}

function listening(s: Script, at = -0.5): void {
  s.state(at, 'server', 'LISTEN', 'sampled', null);
  s.call(at + 0.1, 'server', 'accept', { fd: 4, args: ['*:80'], result: 6, took: 1.0 });
}

function normalClose(): Script {
  const s = script();
  listening(s);
  handshake(s);
  s.step(2, 'the client asks, the server answers');
  s.call(2.1, 'server', 'recv', { fd: 6, args: [4096], result: 5, took: 1.2 });
  s.call(3, 'client', 'send', { fd: 5, args: ['"hello"', 5], result: 5 });
  s.segment(3.1, 'client', 'PA', { seq: 1, ack: 1, length: 5 });
  s.segment(3.2, 'server', 'A', { seq: 1, ack: 6 });
  s.call(3.5, 'server', 'send', { fd: 6, args: ['"welcome"', 7], result: 7 });
  s.segment(3.6, 'server', 'PA', { seq: 1, ack: 6, length: 7 });
  s.segment(3.7, 'client', 'A', { seq: 6, ack: 8 });
  s.call(3.65, 'client', 'recv', { fd: 5, args: [4096], result: 7, took: 0.2 });
  s.step(10, 'the client closes');
  s.call(10, 'server', 'recv', { fd: 6, args: [4096], result: 0, took: 1.25 });
  s.call(11, 'client', 'close', { fd: 5 });
  s.state(11.05, 'client', 'FIN-WAIT-1');
  s.segment(11.1, 'client', 'FA', { seq: 6, ack: 8 });
  s.state(11.15, 'server', 'CLOSE-WAIT');
  s.segment(11.2, 'server', 'A', { seq: 8, ack: 7 });
  s.state(11.22, 'client', 'FIN-WAIT-2');
  s.call(12, 'server', 'close', { fd: 6 });
  s.state(12.05, 'server', 'LAST-ACK');
  s.segment(12.1, 'server', 'FA', { seq: 8, ack: 7 });
  s.state(12.12, 'client', 'TIME-WAIT');
  s.info(12.13, 'client', { timer: { kind: 'time-wait', expiresMs: 60_000, retransmits: 0 } });
  s.segment(12.15, 'client', 'A', { seq: 7, ack: 9 });
  s.state(12.2, 'server', 'CLOSED');
  return s;
}

function halfClose(): Script {
  const s = script();
  handshake(s);
  s.step(5, 'the client says that it has nothing more to say');
  s.call(5.1, 'client', 'shutdown', { fd: 5, args: ['SHUT_WR'] });
  s.state(5.15, 'client', 'FIN-WAIT-1');
  s.segment(5.2, 'client', 'FA', { seq: 1, ack: 1 });
  s.state(5.25, 'server', 'CLOSE-WAIT');
  s.segment(5.3, 'server', 'A', { seq: 1, ack: 2 });
  s.state(5.35, 'client', 'FIN-WAIT-2');
  s.call(5.4, 'server', 'recv', { fd: 6, args: [4096], result: 0 });
  s.step(20, 'the server still can');
  s.call(20.1, 'server', 'send', { fd: 6, args: ['"resp"', 4], result: 4 });
  s.segment(20.2, 'server', 'PA', { seq: 1, ack: 2, length: 4 });
  s.segment(20.3, 'client', 'A', { seq: 2, ack: 5 });
  s.call(20.4, 'client', 'recv', { fd: 5, args: [4096], result: 4 });
  s.call(20.6, 'client', 'send', { fd: 5, args: ['"more"', 4], errno: 'EPIPE' });
  return s;
}

function refused(): Script {
  const s = script();
  s.call(0, 'client', 'connect', { fd: 5, args: ['10.9.0.2:81'], errno: 'ECONNREFUSED', took: 0.3 });
  s.state(0.05, 'client', 'SYN-SENT');
  s.segment(0.1, 'client', 'S');
  s.segment(0.2, 'server', 'RA', { ack: 1, window: 0, notes: ['reset'] });
  s.state(0.25, 'client', 'CLOSED');
  return s;
}

function death(): Script {
  const s = script();
  handshake(s);
  s.step(5, 'the cable of the server is cut, then the client sends');
  s.fault(5.1, 'is cut', 'cable of server');
  const why = 'the cable of server is cut';
  s.call(5.5, 'client', 'send', { fd: 5, args: ['"hello"', 5], result: 5 });
  s.segment(5.6, 'client', 'PA', { seq: 1, ack: 1, length: 5, dropped: why });
  s.call(6, 'client', 'recv', { fd: 5, args: [4096], errno: 'ETIMEDOUT', took: 13_300 });
  let at = 5.6;
  let times = 0;
  for (const wait of [205, 205, 420, 830, 1670, 3330, 6640]) {
    at += wait;
    s.segment(at, 'client', 'PA', { seq: 1, ack: 1, length: 5, notes: ['retransmission'], dropped: why });
    s.info(at + 0.1, 'client', {
      sendQueue: 5,
      timer: { kind: 'retransmit', expiresMs: wait * 2, retransmits: ++times },
    });
  }
  s.state(13_306.1, 'client', 'CLOSED');
  s.call(13_310, 'client', 'send', { fd: 5, args: ['"hello"', 5], errno: 'EPIPE' });
  return s;
}

function crossing(): Script {
  const s = script();
  s.call(0, 'client', 'connect', { fd: 5, args: ['10.9.0.2:80'], took: 200.9 });
  s.state(0.1, 'client', 'SYN-SENT');
  s.segment(0.2, 'client', 'S', { delay: 100 });
  s.call(1.2, 'server', 'connect', { fd: 5, args: ['10.9.0.1:40000'], took: 200.45 });
  s.state(1.3, 'server', 'SYN-SENT');
  s.segment(1.4, 'server', 'S', { delay: 100 });
  s.state(100.3, 'server', 'SYN-RECV');
  s.segment(100.4, 'server', 'SA', { ack: 1, delay: 100 });
  s.state(101.5, 'client', 'SYN-RECV');
  s.segment(101.6, 'client', 'SA', { ack: 1, delay: 100 });
  s.state(200.5, 'client', 'ESTABLISHED');
  s.state(201.7, 'server', 'ESTABLISHED');
  return s;
}

function zeroWindow(): Script {
  const s = script();
  handshake(s);
  s.step(5, 'the server never reads');
  s.call(5.1, 'client', 'send', { fd: 5, args: [23168], result: 23168, took: 0.2 });
  for (let i = 0; i < 16; i++) {
    s.segment(5.2 + i * 0.01, 'client', 'A', { seq: 1 + i * 1448, ack: 1, length: 1448 });
  }
  s.segment(5.5, 'server', 'A', { seq: 1, ack: 23169, window: 0, notes: ['zero-window'] });
  s.info(5.6, 'server', { recvQueue: 23168 });
  s.call(6, 'client', 'send', { fd: 5, args: [1000], errno: 'EAGAIN' });
  let at = 6;
  let wait = 210;
  for (let i = 1; i <= 6; i++) {
    at += wait;
    wait *= 2;
    s.segment(at, 'client', 'A', { seq: 23168, ack: 1, notes: ['window-probe'] });
    s.info(at + 0.05, 'client', {
      sendQueue: 100,
      timer: { kind: 'persist', expiresMs: wait, retransmits: i },
    });
    s.segment(at + 0.1, 'server', 'A', {
      seq: 1,
      ack: 23169,
      window: 0,
      notes: ['window-probe-ack', 'zero-window'],
    });
  }
  return s;
}

function portBomb(): Script {
  const s = script();
  s.step(0, 'the client connects and closes, again and again');
  let at = 1;
  for (let i = 0; i < 30; i++) {
    const connection = connectionOf(40000 + i);
    s.call(at, 'client', 'socket', { args: ['tcp'], result: 5, connection: null });
    s.call(at + 0.05, 'client', 'connect', { fd: 5, args: ['10.9.0.2:80'], took: 0.25, connection });
    s.segment(at + 0.1, 'client', 'S', { connection });
    s.segment(at + 0.2, 'server', 'SA', { ack: 1, connection });
    s.state(at + 0.22, 'client', 'ESTABLISHED', 'sampled', connection);
    s.segment(at + 0.25, 'client', 'A', { seq: 1, ack: 1, connection });
    s.call(at + 0.4, 'client', 'close', { fd: 5, connection });
    s.segment(at + 0.45, 'client', 'FA', { seq: 1, ack: 1, connection });
    s.segment(at + 0.5, 'server', 'FA', { seq: 1, ack: 2, connection });
    s.segment(at + 0.55, 'client', 'A', { seq: 2, ack: 2, connection });
    s.state(at + 0.6, 'client', 'TIME-WAIT', 'sampled', connection);
    at += 1;
  }
  s.call(at, 'client', 'socket', { args: ['tcp'], result: 5, connection: null });
  s.call(at + 0.1, 'client', 'connect', {
    fd: 5,
    args: ['10.9.0.2:80'],
    errno: 'EADDRNOTAVAIL',
    connection: null,
  });
  return s;
}

function keepAliveRace(): Script {
  const s = script();
  const delay = 50;
  s.step(0, 'the server closes while the second request is under way');
  s.call(0.1, 'server', 'close', { fd: 6 });
  s.state(0.2, 'server', 'FIN-WAIT-1');
  s.segment(0.3, 'server', 'FA', { seq: 1, ack: 6, delay });
  s.call(10, 'client', 'send', { fd: 5, args: ['"GET /2"', 6], result: 6 });
  s.segment(10.1, 'client', 'PA', { seq: 6, ack: 1, length: 6, delay });
  s.state(50.4, 'client', 'CLOSE-WAIT');
  s.segment(50.5, 'client', 'A', { seq: 12, ack: 2, delay });
  s.segment(60.2, 'server', 'R', { seq: 2, notes: ['reset'], delay });
  s.call(20, 'client', 'recv', { fd: 5, args: [4096], result: 0, took: 30.5 });
  s.segment(100.6, 'server', 'R', { seq: 2, notes: ['reset'], delay });
  s.state(110.3, 'client', 'CLOSED');
  return s;
}

export const SCRIPTS = {
  normalClose,
  halfClose,
  refused,
  death,
  crossing,
  zeroWindow,
  portBomb,
  keepAliveRace,
} as const;

/** In the order of their moments, as a session is. */
export function told({ events }: Script): Event[] {
  return [...events].sort((a, b) => a.at - b.at);
}
