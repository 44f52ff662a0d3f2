/** Rows for machines: NDJSON and CSV, and the map of columns that templates can loop over. */
import type { Socket } from '../session/socket.ts';
import { ownersText } from './socket-rows.ts';

export function jsonLine(record: object): string {
  return `${JSON.stringify({ v: 1, ...record })}\n`;
}

/** Column → SQL type: what a template needs to write a CREATE TABLE, and the heading of the CSV. */
export const COLUMNS = {
  protocol: 'text',
  state: 'text',
  local_address: 'text',
  local_port: 'integer',
  peer_address: 'text',
  peer_port: 'integer',
  recv_queue: 'integer',
  send_queue: 'integer',
  accept_used: 'integer',
  accept_limit: 'integer',
  uid: 'integer',
  inode: 'integer',
  owners: 'text',
} as const;

export type Column = keyof typeof COLUMNS;

export function record(socket: Socket): Record<Column, string | number | null> {
  return {
    protocol: socket.protocol,
    state: socket.state,
    local_address: socket.local.address,
    local_port: socket.local.port,
    peer_address: socket.peer.address,
    peer_port: socket.peer.port,
    recv_queue: socket.recvQueue,
    send_queue: socket.sendQueue,
    accept_used: socket.accept?.used ?? null,
    accept_limit: socket.accept?.limit ?? null,
    uid: socket.uid,
    inode: socket.inode,
    owners: ownersText(socket.owners, socket.ownerGap ?? 'none'),
  };
}

export function csvHeading(): string {
  return `${Object.keys(COLUMNS).join(',')}\n`;
}

/** RFC 4180 quoting, with LF line ends as Unix tools expect. */
export function csvLine(socket: Socket): string {
  const cells = Object.values(record(socket)).map((value) => {
    const text = value === null ? '' : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${cells.join(',')}\n`;
}
