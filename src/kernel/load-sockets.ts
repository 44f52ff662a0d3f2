/** The sockets towards one place, by state, and the queue of whoever listens there: one walk through the kernel's TCP table. */
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import * as libc from './libc.ts';
import { closeSockDiag, openSockDiag } from './sockdiag.ts';
import { AF_INET, AF_INET6, INET, inetRequest, u16be, u32, walkMessages } from './sockdiag-format.ts';

const TCP = 6;
const LISTEN = 10;
const ALL_STATES = 0xfff;

/** include/net/tcp_states.h, as people know them. */
const STATES = [
  '',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'TIME_WAIT',
  'CLOSED',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
] as const;

/** The kernel fills at most 32 KiB per answer (af_netlink.c, netlink_dump). */
const answer = new Uint8Array(32 * 1024);

export interface Towards {
  /** Client sides: how many in which state. */
  readonly states: ReadonlyMap<string, number>;
  /** Local: somebody listens there, in this network namespace. `limit` is what listen(2) asked for; one more fits. */
  readonly listener: { readonly used: number; readonly limit: number } | null;
}

/** Null where the kernel does not say. */
export function socketsTowards(host: string, port: number): Towards | null {
  const diag = openSockDiag();
  if (diag < 0) {
    return null;
  }
  const states = new Map<string, number>();
  let listener: { used: number; limit: number } | null = null;
  const plain = host.replace(/^::ffff:(?=\d+\.)/i, '');
  for (const family of [AF_INET, AF_INET6] as const) {
    const text = (at: number): string =>
      (family === AF_INET ? ipv4Text(answer, at) : ipv6Text(answer, at)).replace(/^::ffff:(?=\d+\.)/i, '');
    const request = inetRequest({ family, protocol: TCP, states: ALL_STATES, extensions: 0 });
    let more = libc.send(diag, request, request.length, 0) > 0;
    while (more) {
      const length = libc.recv(diag, answer, answer.length, 0);
      const walk = walkMessages(answer, 0, Math.max(0, length), (start) => {
        const state = answer[start + INET.state]!;
        if (state === LISTEN) {
          if (u16be(answer, start + INET.sourcePort) === port && covers(text(start + INET.source), plain)) {
            const used = u32(answer, start + INET.receiveQueue);
            if (listener === null || used > listener.used) {
              listener = { used, limit: u32(answer, start + INET.sendQueue) };
            }
          }
        } else if (u16be(answer, start + INET.peerPort) === port && text(start + INET.peer) === plain) {
          const name = STATES[state] ?? 'unknown';
          states.set(name, (states.get(name) ?? 0) + 1);
        }
      });
      more = length > 0 && walk.kind === 'more';
    }
  }
  closeSockDiag(diag);
  return { states, listener };
}

function covers(local: string, host: string): boolean {
  return local === host || local === '0.0.0.0' || local === '::';
}
