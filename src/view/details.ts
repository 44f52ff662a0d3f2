/** The lines under a row that -o, -e, -m and -i ask for: words with units, so that nobody needs the manual beside it. */
import type { Socket, TcpInfo } from '../session/socket.ts';
import { bytes, duration, rate } from './units.ts';

export interface DetailWish {
  timers: boolean;
  extended: boolean;
  memory: boolean;
  info: boolean;
}

const INDENT = '       ';
const UNSET_SSTHRESH = 0x7fff_ffff;

export function detailLines(socket: Socket, wish: DetailWish): string {
  const lines: string[] = [];
  if (wish.timers && socket.timer !== undefined) {
    const { kind, expiresMs, retransmits } = socket.timer;
    lines.push(`timer ${kind} in ${duration(expiresMs * 1000)}, ${retransmits} retransmits`);
  }
  if (wish.extended) {
    lines.push(extended(socket));
  }
  if (wish.memory && socket.memory !== undefined) {
    const m = socket.memory;
    lines.push(
      `memory recv ${bytes(m.receiveAllocated)}/${bytes(m.receiveLimit)} send ${bytes(m.transmitAllocated)}/${bytes(m.transmitLimit)} forward ${bytes(m.forwardAllocated)} queued ${bytes(m.writeQueued)} options ${bytes(m.optionMemory)} backlog ${bytes(m.backlog)} drops ${m.drops}`,
    );
  }
  if (wish.info && socket.tcp !== undefined) {
    lines.push(...info(socket, socket.tcp));
  }
  return lines.map((line) => `${INDENT}${line}\n`).join('');
}

function extended(socket: Socket): string {
  const words = [
    `uid ${socket.uid}`,
    `inode ${socket.inode}`,
    `cookie ${socket.cookie.replace(/^0+(?=.)/, '')}`,
  ];
  if (socket.device !== undefined) {
    words.push(`device ${socket.device}`);
  }
  if (socket.mark) {
    words.push(`mark 0x${socket.mark.toString(16)}`);
  }
  if (socket.cgroup !== undefined) {
    words.push(`cgroup ${socket.cgroup}`);
  }
  if (socket.v6only !== undefined) {
    words.push(socket.v6only ? 'v6 only' : 'v4 and v6');
  }
  if (socket.shutdown?.receive === true || socket.shutdown?.send === true) {
    words.push(
      `shut down ${[socket.shutdown.receive && 'receive', socket.shutdown.send && 'send'].filter(Boolean).join('+')}`,
    );
  }
  if (socket.tos) {
    words.push(`tos 0x${socket.tos.toString(16)}`);
  }
  if (socket.trafficClass) {
    words.push(`tclass 0x${socket.trafficClass.toString(16)}`);
  }
  if (socket.classId) {
    words.push(`class 0x${socket.classId.toString(16)}`);
  }
  return words.join('  ');
}

function info(socket: Socket, t: TcpInfo): string[] {
  const first = [
    `rtt ${duration(t.rttUs)} ±${duration(t.rttvarUs)}`,
    `rto ${duration(t.rtoUs)}`,
    `cwnd ${t.sndCwnd}`,
    `ssthresh ${t.sndSsthresh >= UNSET_SSTHRESH ? 'none' : t.sndSsthresh}`,
    `mss ${t.sndMss}`,
    `pmtu ${t.pmtu}`,
    `retransmits ${t.retrans}/${t.totalRetrans}`,
    `lost ${t.lost}`,
    `reordering ${t.reordering}`,
    `unacked ${t.unacked}`,
  ];
  const second = [
    ...optional('delivery', t.deliveryRate, rate),
    ...optional('pacing', t.pacingRate, rate),
    ...optional('busy', t.busyTimeUs, duration),
    ...optional('rwnd-limited', t.rwndLimitedUs, duration),
    ...optional('sndbuf-limited', t.sndbufLimitedUs, duration),
    ...optional('min rtt', t.minRttUs, duration),
    `last sent ${duration(t.lastDataSentMs * 1000)} ago`,
    `last received ${duration(t.lastDataReceivedMs * 1000)} ago`,
    `last ack ${duration(t.lastAckReceivedMs * 1000)} ago`,
  ];
  const third = [
    socket.congestion ?? 'congestion control not reported',
    t.caState,
    t.options.join('+') || 'no options',
    `wscale ${t.sndWscale},${t.rcvWscale}`,
    ...optional('sent', t.bytesSent, bytes),
    ...optional('acked', t.bytesAcked, bytes),
    ...optional('received', t.bytesReceived, bytes),
    ...optional('resent', t.bytesRetrans, bytes),
    ...optional('unsent', t.notsentBytes, bytes),
    ...optional('peer window', t.sndWnd, bytes),
    ...(t.appLimited ? ['limited by the program'] : []),
  ];
  return [first, second, third].map((words) => words.join('  '));
}

function optional(word: string, value: number | undefined, text: (value: number) => string): string[] {
  return value === undefined ? [] : [`${word} ${text(value)}`];
}
