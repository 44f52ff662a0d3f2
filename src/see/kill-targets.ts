/** What a person may name after `kill`: a port, a program, a process. */
import { SockscopeError } from '../errors.ts';
import type { Endpoint, Socket } from '../session/socket.ts';

export type Target =
  | { kind: 'port'; text: string; port: number /** null: any */; address: string | null }
  | { kind: 'name'; text: string; name: string }
  | { kind: 'pid'; text: string; pid: number };

/** PID_MAX_LIMIT on 64 bits (include/linux/threads.h). */
const HIGHEST_PID = 4_194_304;
const PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|\*))?:(\d{1,5})$/;

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('BAD_TARGET', message, hint, 2);
}

export function parseTarget(text: string): Target {
  if (/^\d+$/.test(text)) {
    throw usage(
      `\`${text}\` could be a port or a process.`,
      `Write \`:${text}\` for the port, \`pid:${text}\` for the process.`,
    );
  }
  const pid = /^pid[:=](.*)$/.exec(text)?.[1];
  if (pid !== undefined) {
    // 0 and negative numbers mean whole groups of processes to kill(2): never let them through.
    if (!/^\d{1,7}$/.test(pid) || Number(pid) < 1 || Number(pid) > HIGHEST_PID) {
      throw usage(
        `\`${text}\` names no process.`,
        'Write `pid:` and a number from 1 up, such as `pid:1234`.',
      );
    }
    return { kind: 'pid', text, pid: Number(pid) };
  }
  if (text.includes(':')) {
    const { address, port } = parsePlace(text);
    return { kind: 'port', text, address, port };
  }
  if (text.trim() === '') {
    throw usage(
      'An empty target names nothing.',
      'Write a port (`:8080`), a program (`node`) or `pid:1234`.',
    );
  }
  return { kind: 'name', text, name: text };
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`, `*:8080`. */
export function parsePlace(text: string): { address: string | null; port: number } {
  const found = PORT.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port < 1 || port > 65535) {
    throw usage(
      `\`${text}\` is not a port.`,
      'Write `:8080`, `127.0.0.1:8080` or `[::1]:8080`, with a port from 1 to 65535.',
    );
  }
  const address = found[1] ?? found[2] ?? '*';
  return { address: address === '*' ? null : address, port };
}

export function matchesPlace(place: { address: string | null; port: number }, end: Endpoint): boolean {
  return end.port === place.port && (place.address === null || plain(end.address) === plain(place.address));
}

/** An IPv4 peer of an IPv6 socket is that IPv4 address to people. */
function plain(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}

/** Listening is what `ss -l` calls so: TCP and UNIX sockets in LISTEN, UDP sockets that are bound and not connected. */
export function isListener(socket: Socket): boolean {
  if (socket.protocol === 'udp' || socket.protocol === 'udplite') {
    return socket.state === 'CLOSED' && socket.local.port !== 0;
  }
  return socket.state === 'LISTEN';
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000 };
const LONGEST_MS = 3_600_000;

/** `500ms`, `3s`, `1m` in milliseconds. */
export function parseDuration(text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const duration = Number(found?.[1]) * (UNITS[found?.[2] ?? ''] ?? Number.NaN);
  if (!(duration <= LONGEST_MS)) {
    throw new SockscopeError(
      'BAD_DURATION',
      `\`${text}\` is not a duration.`,
      'Write a number and its unit, such as `500ms`, `3s` or `1m`, one hour at most.',
      2,
    );
  }
  return duration;
}
