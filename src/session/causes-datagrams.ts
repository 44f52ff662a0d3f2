/** Datagrams keep their order only by courtesy, so they are told apart by length and number; and the ICMP errors that answer them. */

import type { Fates } from './causes-ends.ts';
import { type Cause, endOf, isDamaged, isReader, isWriter, other, STAMPS_DIFFER_NS } from './causes-model.ts';
import type { Side } from './connection.ts';
import type { Event, Fate, Packet, Syscall } from './events.ts';

const SIDES: readonly Side[] = ['client', 'server'];

export function datagrams(events: readonly Event[], fates: Fates): Cause[] {
  return SIDES.flatMap((side) => {
    const calls = events.filter(
      (event): event is Syscall =>
        event.type === 'syscall' && event.side === side && event.result !== null && event.result >= 0,
    );
    const writes = calls.filter(isWriter);
    const host = calls[0]?.host;
    const sent = events.filter(
      (event): event is Packet => event.type === 'packet' && event.from === side && event.host === host,
    );
    const came = events
      .filter((event): event is Packet => event.type === 'packet' && event.from === other(side))
      .flatMap((packet) =>
        (fates.get(packet.id ?? -1) ?? [])
          .filter((fate) => fate.what === 'delivered' && fate.host === host && !isDamaged(fate))
          .map((fate) => ({ packet, fate })),
      )
      .sort((a, b) => a.fate.at - b.fate.at);
    const reads = calls.filter((call) => isReader(call));
    return [...sends(writes, sent), ...receipts(reads, came)];
  });
}

/** The nth call sent the nth datagram when there are as many of both, of the same lengths, each after its call. */
function sends(writes: readonly Syscall[], sent: readonly Packet[]): Cause[] {
  const agree =
    writes.length === sent.length &&
    writes.every(
      ({ at, result }, i) => Number(result) === sent[i]!.length && at <= sent[i]!.at + STAMPS_DIFFER_NS,
    );
  return agree ? writes.map((from, i) => ({ from, to: sent[i]!, why: 'sent by' })) : [];
}

/** A call may return less than the datagram; the rest is lost then. */
function receipts(
  reads: readonly Syscall[],
  came: readonly { readonly packet: Packet; readonly fate: Fate }[],
): Cause[] {
  const agree =
    reads.length === came.length &&
    reads.every(
      (call, i) =>
        Number(call.result) <= came[i]!.packet.length && came[i]!.fate.at <= endOf(call) + STAMPS_DIFFER_NS,
    );
  return agree
    ? reads.map((to, i) => {
        const from = came[i]!.fate;
        return { from, to, why: to.at < from.at ? 'woken by' : 'read from' };
      })
    : [];
}

const ICMP_ERRNOS = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);

/** Only where a host got one ICMP message in all, and one connection of it failed like that: whose error it is needs no guess then. */
export function icmpErrors(events: readonly Event[], fates: Fates): Cause[] {
  const messages = new Map<string, Fate[]>();
  const failures = new Map<string, Syscall[]>();
  for (const event of events) {
    if (event.type === 'packet' && event.protocol.startsWith('icmp') && event.id !== undefined) {
      for (const fate of fates.get(event.id) ?? []) {
        if (fate.what === 'delivered') {
          push(messages, fate.host, fate);
        }
      }
    } else if (
      event.type === 'syscall' &&
      event.connection !== undefined &&
      ICMP_ERRNOS.has(event.errno ?? '')
    ) {
      push(failures, event.host, event);
    }
  }
  return [...messages].flatMap(([host, [message, ...more]]): Cause[] => {
    const [failure, ...others] = failures.get(host) ?? [];
    if (message === undefined || failure === undefined || more.length > 0 || others.length > 0) {
      return [];
    }
    return message.at <= endOf(failure) + STAMPS_DIFFER_NS
      ? [{ from: message, to: failure, why: 'error from' }]
      : [];
  });
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) {
    map.set(key, [value]);
  } else {
    known.push(value);
  }
}
