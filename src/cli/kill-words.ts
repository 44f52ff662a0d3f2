/** The sentences and the NDJSON lines of `sockscope kill`. */

import { type KillPlan, listNames, type Refusal } from '../see/kill.ts';
import type { DoomedSocket } from '../see/kill-connections.ts';
import type { KillReport, PlaceResult, VictimResult } from '../see/kill-run.ts';
import type { KillSocketsReport, SocketResult } from '../see/kill-sockets.ts';
import type { Place, Victim } from '../see/kill-victims.ts';
import type { Painter } from '../view/colour.ts';
import { printable } from '../wire/printable.ts';

export function placeText({ protocol, address, port }: Place): string {
  if (protocol === 'unix') {
    return `unix ${printable(address)}`;
  }
  return `${protocol} ${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const PLACES_SHOWN = 6;

export function victimText(victim: Victim, paint: Painter): string {
  const { process, listens, clients, clientPrograms, outgoing, sharesWith } = victim;
  const where = [
    process.cwd === null ? 'folder not visible' : `in ${process.cwd}`,
    `user ${process.user}`,
    process.container === null ? '' : `container ${process.container}`,
  ];
  const shown = listens.slice(0, PLACES_SHOWN).map(placeText);
  if (listens.length > shown.length) {
    shown.push(`${listens.length - shown.length} more`);
  }
  const parents = process.parents.map(({ name, pid }) => `${name} (${pid})`).join(' < ');
  const lines = [
    `${paint.bold(process.name)} (${process.pid})  ${where.filter((part) => part !== '').join(' · ')}`,
    process.command === process.name ? '' : paint.dim(process.command),
    parents === '' ? '' : `started by ${parents}`,
    listens.length === 0 ? 'listens on nothing' : `listens on ${shown.join(', ')}`,
    sharesWith === null
      ? ''
      : `shares a listening socket with ${sharesWith.name} (${sharesWith.pid}) above it`,
    clientsText(clients, victim, paint) +
      (clientPrograms.length === 0 ? '' : `: ${listNames(clientPrograms)}`),
    outgoing === 0 ? '' : `${count(outgoing, 'connection')} of its own would end`,
    `named by ${victim.because.join(' ')}`,
  ];
  return `${lines.filter((line) => line !== '').join('\n  ')}\n`;
}

function clientsText(clients: number, { listens }: Victim, paint: Painter): string {
  if (clients === 0) {
    return listens.length === 0 ? '' : 'no client would lose a connection';
  }
  return paint.yellow(`${count(clients, 'client connection')} would be lost`);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

export function refusalText({ target, pid, name, kind, reason }: Refusal): string {
  return kind === 'protected'
    ? `${target}: ${name} (${pid}) is not touched: ${reason}; --force would`
    : `${target}: ${reason}`;
}

/** What the plan says beside its victims. */
export function remarks(plan: KillPlan): string[] {
  return [...plan.missed, ...plan.refusals.map(refusalText), ...plan.notes];
}

export function resultText(
  { victim, outcome, reason }: VictimResult,
  signal: string,
  paint: Painter,
): string {
  const who = `${victim.process.name} (${victim.process.pid})`;
  const why = reason === null ? '' : `: ${reason}`;
  switch (outcome) {
    case 'ended':
      return `${paint.green('ended')}  ${who} after ${signal}`;
    case 'killed':
      return `${paint.green('killed')}  ${who} with SIGKILL${why}`;
    case 'survived':
      return `${paint.red('still there')}  ${who} after ${signal}${why}`;
    case 'signalled':
      return `${paint.green('sent')}  ${signal} to ${who}, which goes on${why}`;
    case 'gone before':
      return `${paint.dim('gone')}  ${who} ended by itself before the signal`;
    case 'not permitted':
      return `${paint.red('not permitted')}  ${who}${why}`;
    case 'left alone':
      return `${paint.dim('left alone')}  ${who}`;
    case 'would be signalled':
      return `${paint.yellow('dry run')}  ${who} would get ${signal}`;
  }
}

export function placeResultText(place: PlaceResult, paint: Painter): string {
  const where = placeText(place);
  if (place.free) {
    const rest =
      place.lingering === 0
        ? ''
        : `; the kernel still finishes ${count(place.lingering, 'old connection')} there, for which only a server without SO_REUSEADDR has to wait`;
    return `${paint.green('free')}  ${where}${rest}`;
  }
  const holders =
    place.holders.length === 0 ? 'somebody whose process is not visible' : listNames(place.holders);
  return `${paint.red('still taken')}  ${where} by ${holders}`;
}

export function endText({ address, port }: { address: string; port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port === 0 ? '*' : port}`;
}

export function doomedText({ socket, twin, consequence }: DoomedSocket, paint: Painter): string {
  const holder = socket.owners.length === 0 ? '' : `  ${listNames(socket.owners)}`;
  const other = twin === null || twin.owners.length === 0 ? 'the other side' : listNames(twin.owners);
  const lines = [
    `${paint.bold(`${socket.protocol} ${endText(socket.local)} → ${endText(socket.peer)}`)}  ${socket.state}${holder}`,
    `here: ${consequence.here}`,
    `${other}: ${consequence.there}`,
  ];
  return `${lines.join('\n  ')}\n`;
}

export function socketResultText({ socket, outcome, reason }: SocketResult, paint: Painter): string {
  const colour = outcome === 'destroyed' ? paint.green : outcome === 'failed' ? paint.red : paint.yellow;
  const where = `${socket.protocol} ${endText(socket.local)} → ${endText(socket.peer)}`;
  return `${colour(outcome)}  ${where}${reason === null ? '' : `: ${reason}`}`;
}

type Line = Record<string, unknown>;

export function killLines({ plan, signal, results, places }: KillReport): Line[] {
  return [
    ...results.map(({ victim, outcome, reason }) => {
      const { process, because, ...rest } = victim;
      return {
        v: 1,
        kind: 'process',
        ...process,
        ...rest,
        targets: because,
        signal: signal.name,
        outcome,
        reason,
      };
    }),
    ...plan.refusals.map(({ kind, ...rest }) => ({ v: 1, kind: 'refusal', outcome: kind, ...rest })),
    ...plan.missed.map((message) => ({ v: 1, kind: 'target', outcome: 'nothing matched', message })),
    ...plan.notes.map((message) => ({ v: 1, kind: 'note', message })),
    ...places.map((place) => ({ v: 1, kind: 'port', ...place })),
  ];
}

export function socketLines({ plan, results, missed }: KillSocketsReport): Line[] {
  return [
    ...results.map(({ socket, twin, consequence, outcome, reason }) => {
      const { protocol, state, local, peer, owners, cookie } = socket;
      const otherOwners = twin?.owners ?? [];
      return {
        v: 1,
        kind: 'connection',
        protocol,
        state,
        local,
        peer,
        owners,
        otherOwners,
        cookie,
        ...consequence,
        outcome,
        reason,
      };
    }),
    ...plan.notes.map((message) => ({ v: 1, kind: 'note', message })),
    ...(missed === null ? [] : [{ v: 1, kind: 'target', outcome: 'nothing matched', message: missed }]),
  ];
}
