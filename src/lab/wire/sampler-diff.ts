/** What changed between two looks at one host's sockets. Pure: rows before and rows after become events. */
import type { TcpInfo } from '../../session/socket.ts';
import type { RawEvent, RawInfo } from '../stage/protocol.ts';
import type { Row } from './sampler-rows.ts';

interface Known {
  row: Row;
  /** What the last `info` said; what drifts slowly is measured against that. Null while there was nothing worth one. */
  told: Row | null;
  round: number;
}

/** The sockets of a host as they were last seen. */
export interface Table {
  /** By cookie. */
  readonly sockets: Map<string, Known>;
  round: number;
}

export function createTable(): Table {
  return { sockets: new Map(), round: 0 };
}

/** Makes `rows` the table and tells what is different. Those that are gone come first: their tuple may be in use again. */
export function compare(table: Table, rows: readonly Row[], host: string, at: number, out: RawEvent[]): void {
  const { sockets } = table;
  const round = ++table.round;
  let met = 0;
  for (const { socket } of rows) {
    const known = sockets.get(socket);
    if (known !== undefined && known.round !== round) {
      known.round = round;
      met++;
    }
  }
  if (met < sockets.size) {
    for (const [socket, { row, round: seen }] of sockets) {
      if (seen !== round) {
        sockets.delete(socket);
        const { tuple, state: from } = row;
        out.push({ type: 'state', at, host, socket, tuple, from, to: 'CLOSED', source: 'sampled' });
      }
    }
  }
  for (const row of rows) {
    const { socket, tuple, state: to } = row;
    const known = sockets.get(socket);
    if (known?.row === row) {
      continue;
    }
    const from = known?.row.state ?? 'CLOSED';
    if (from !== to) {
      out.push({ type: 'state', at, host, socket, tuple, from, to, source: 'sampled' });
    }
    const told = known?.told ?? null;
    const news = told === null ? saysSomething(row) : differs(told, row);
    if (news) {
      out.push(infoOf(row, host, at));
    }
    sockets.set(socket, { row, told: news ? row : told, round });
  }
}

function saysSomething({ recvQueue, sendQueue, timer, tcp }: Row): boolean {
  return recvQueue > 0 || sendQueue > 0 || timer !== undefined || tcp !== undefined;
}

const EXACT = [
  'sndCwnd',
  'sndSsthresh',
  'caState',
  'retransmits',
  'backoff',
  'probes',
  'unacked',
] as const satisfies readonly (keyof TcpInfo)[];
/** The timeout follows every measured round trip; a quarter more or less is news, such as a doubling. */
const RTO_NEWS = 0.25;

function differs(told: Row, row: Row): boolean {
  if (
    told.recvQueue !== row.recvQueue ||
    told.sendQueue !== row.sendQueue ||
    told.timer?.kind !== row.timer?.kind ||
    told.timer?.retransmits !== row.timer?.retransmits
  ) {
    return true;
  }
  const { tcp: before } = told;
  const { tcp: after } = row;
  if (before === undefined || after === undefined) {
    return before !== after;
  }
  return (
    EXACT.some((name) => before[name] !== after[name]) ||
    Math.abs(before.rtoUs - after.rtoUs) > RTO_NEWS * before.rtoUs
  );
}

function infoOf({ socket, tuple, recvQueue, sendQueue, timer, tcp }: Row, host: string, at: number): RawInfo {
  return {
    type: 'info',
    at,
    host,
    socket,
    tuple,
    recvQueue,
    sendQueue,
    ...(timer === undefined ? {} : { timer }),
    ...(tcp === undefined ? {} : { tcp }),
  };
}
