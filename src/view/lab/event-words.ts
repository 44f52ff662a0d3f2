/** One event in words, as a person would tell it: without its moment, which every face places elsewhere. */
import type { Event, Info, Packet, StateChange, Syscall, Value } from '../../session/events.ts';
import { printable } from '../../wire/printable.ts';
import { duration, several } from '../units.ts';

const NS_PER_US = 1000;
/** A call that took longer has waited for something. */
const WAITED_NS = 1e6;
const LONGEST_VALUE = 60;

export function eventWords(event: Event): string {
  return printable(words(event));
}

function words(event: Event): string {
  switch (event.type) {
    case 'syscall':
      return callWords(event);
    case 'state':
      return stateWords(event);
    case 'packet':
      return packetWords(event);
    case 'fate':
      return `${event.host}: packet ${event.packet} was ${event.what}${because(event.why)}`;
    case 'info':
      return infoWords(event);
    case 'message':
      return `${event.from} says ${event.protocol}: ${event.summary}`;
    case 'fault':
      return `broken on purpose: ${event.what}, on ${event.on}`;
    case 'step':
      return event.text;
    case 'gauge':
      return `${event.subject}: ${event.name} ${event.value}`;
    case 'lost':
      return event.count === null
        ? `not seen: ${event.source}: ${event.why}`
        : `${several(event.count, 'event')} of ${event.source} not seen: ${event.why}`;
  }
}

function because(why: string | undefined): string {
  return why === undefined || why === '' ? '' : `: ${why}`;
}

function callWords({ host, fd, name, args, took, result, errno }: Syscall): string {
  // Some sources give the descriptor among the arguments, some beside them.
  const all = fd === undefined || args[0] === fd ? args : [fd, ...args];
  const call = `${host}: ${name}(${all.map(valueWords).join(', ')})`;
  if (took === null) {
    return `${call} …`;
  }
  const failed = errno === undefined ? '' : ` ${errno}`;
  const waited = took < WAITED_NS ? '' : `, after ${duration(took / NS_PER_US)}`;
  return `${call} = ${result ?? '?'}${failed}${waited}`;
}

function valueWords(value: Value): string {
  if (typeof value === 'string') {
    return value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value;
  }
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  return isList(value)
    ? `[${value.map(valueWords).join(', ')}]`
    : `{${Object.entries(value)
        .map(([key, inner]) => `${key}: ${valueWords(inner)}`)
        .join(', ')}}`;
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
}

function stateWords({ host, from, to, source }: StateChange): string {
  return `${host}'s kernel: ${from} → ${to}${source === 'traced' ? '' : ` (${source})`}`;
}

function packetWords({ host, protocol, flags, seq, ack, window, length, notes }: Packet): string {
  const what = flags === undefined || flags.length === 0 ? protocol : flags.join(' ');
  const parts = [
    `${host} sends ${what}`,
    ...(seq === undefined ? [] : [`seq ${seq}`]),
    ...(ack === undefined ? [] : [`ack ${ack}`]),
    ...(window === undefined ? [] : [`window ${window}`]),
    ...(length === 0 ? [] : [several(length, 'byte')]),
  ];
  return `${parts.join(', ')}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`;
}

function infoWords({ host, recvQueue, sendQueue, timer, tcp }: Info): string {
  const parts = [
    `${several(recvQueue, 'byte')} unread`,
    `${several(sendQueue, 'byte')} not acknowledged`,
    ...(timer === undefined
      ? []
      : [`${timer.kind} timer in ${duration(timer.expiresMs * 1000)}, ${timer.retransmits} so far`]),
    ...(tcp === undefined ? [] : [`rtt ${duration(tcp.rttUs)}, cwnd ${tcp.sndCwnd}`]),
  ];
  return `${host}'s kernel: ${parts.join('; ')}`;
}
