/** What a namespace listens on, and how many of its TCP connections still have something to bring to their peer. */
import { ipv4Text, ipv6Text } from '../wire/net/address.ts';
import * as libc from './libc.ts';
import { AF_INET, AF_INET6, INET, inetRequest, u16be, walkMessages } from './sockdiag-format.ts';

const TCP = 6;
const FIN_WAIT_1 = 4;
const LAST_ACK = 9;
const LISTEN = 10;
const CLOSING = 11;
const STATES = (1 << FIN_WAIT_1) | (1 << LAST_ACK) | (1 << LISTEN) | (1 << CLOSING);

/** The kernel fills at most 32 KiB per answer (af_netlink.c, netlink_dump). */
const answer = new Uint8Array(32 * 1024);

export interface Listening {
  readonly host: string;
  readonly port: number;
}

/** `diag` is a NETLINK_SOCK_DIAG socket. This is asked often, so it asks for few states and into one buffer. */
export function unsettledAndListening(diag: number): { unsettled: number; listening: Listening[] } {
  const listening: Listening[] = [];
  let unsettled = 0;
  for (const family of [AF_INET, AF_INET6] as const) {
    const request = inetRequest({ family, protocol: TCP, states: STATES, extensions: 0 });
    let more = libc.send(diag, request, request.length, 0) > 0;
    while (more) {
      const length = libc.recv(diag, answer, answer.length, 0);
      const walk = walkMessages(answer, 0, Math.max(0, length), (start) => {
        if (answer[start + INET.state] !== LISTEN) {
          unsettled++;
          return;
        }
        const at = start + INET.source;
        const host = family === AF_INET ? ipv4Text(answer, at) : ipv6Text(answer, at);
        listening.push({ host, port: u16be(answer, start + INET.sourcePort) });
      });
      more = length > 0 && walk.kind === 'more';
    }
  }
  listening.sort((a, b) => a.port - b.port || (a.host < b.host ? -1 : 1));
  return { unsettled, listening };
}
