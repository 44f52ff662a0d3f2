/** Observations as the lines of --json: the session's vocabulary where it has a word, rows of their own elsewhere. */
import type { Address } from '../reactor/reactor.ts';
import { encode } from '../session/ndjson.ts';
import type { Observation } from './observation.ts';

/** Connections whose names are kept; UDP flows and forgotten ones are told by tap and number. */
const MAX_KNOWN = 100_000;

export function addressText(address: Address): string {
  if (address.kind === 'unix') {
    return address.path === '' ? 'unix:' : `unix:${address.path}`;
  }
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

export interface TapEvents {
  /** A line without its newline; null: JSON has nothing to say of it. */
  line(observation: Observation): string | null;
}

export function tapEvents(netns: number): TapEvents {
  const ids = new Map<string, string>();

  function idOf({ tap, connection }: { tap: string; connection: number }): string {
    return ids.get(`${tap} ${connection}`) ?? `tap/${tap}#${connection}`;
  }

  function row(type: string, observation: { readonly at: number }, rest: object): string {
    return JSON.stringify({ v: 1, type, at: Math.round(observation.at), ...rest }, plain);
  }

  return {
    line(seen) {
      switch (seen.type) {
        case 'message': {
          const { heard } = seen;
          return encode({
            type: 'message',
            at: Math.round(heard.at),
            connection: idOf(seen),
            from: heard.side,
            protocol: heard.protocol,
            summary: heard.summary,
            fields: heard.fields,
            bytes: heard.bytes,
            ...(heard.askedAt < 0 ? {} : { latencyOf: Math.round(heard.askedAt) }),
          });
        }
        case 'fault':
          return encode({
            type: 'fault',
            at: Math.round(seen.at),
            connection: idOf(seen),
            ...(seen.from === null ? {} : { side: seen.from }),
            what: seen.what,
            on: seen.tap,
          });
        case 'lost':
          return encode({
            type: 'lost',
            at: Math.round(seen.at),
            source: 'tap',
            count: seen.count,
            why: seen.why,
          });
        // Secrets are for the recording that wants them, not for a log.
        case 'key':
          return null;
        case 'opened': {
          const client = addressText(seen.client);
          const entered = addressText(seen.entered);
          const id = `tcp/${netns}/${client}>${entered}#${seen.connection}`;
          if (ids.size >= MAX_KNOWN) {
            ids.clear();
          }
          ids.set(`${seen.tap} ${seen.connection}`, id);
          return row('opened', seen, {
            connection: id,
            tap: seen.tap,
            number: seen.connection,
            client,
            entered,
          });
        }
        case 'dialled':
          return row('dialled', seen, {
            connection: idOf(seen),
            source: addressText(seen.source),
            target: addressText(seen.target),
            took: seen.took,
          });
        case 'ended': {
          const id = idOf(seen);
          ids.delete(`${seen.tap} ${seen.connection}`);
          const { how, by, fromClient, fromServer, took } = seen;
          return row('ended', seen, { connection: id, how, by, fromClient, fromServer, took });
        }
        case 'bytes':
          return row('bytes', seen, {
            connection: idOf(seen),
            from: seen.from,
            base64: Buffer.from(seen.bytes).toString('base64'),
          });
        case 'standing':
          return row('standing', seen, {
            tap: seen.tap,
            listens: addressText(seen.listens),
            state: seen.state,
            why: seen.why,
          });
        case 'held':
          return row('held', seen, {
            connection: idOf(seen),
            id: seen.id,
            protocol: seen.heard.protocol,
            summary: seen.heard.summary,
            base64: Buffer.from(seen.bytes).toString('base64'),
          });
        case 'dial-failed':
        case 'trouble':
        case 'half-closed':
        case 'released': {
          const { type, at, connection: _, ...rest } = seen;
          return row(type, { at }, { connection: idOf(seen), ...rest });
        }
      }
    },
  };
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
