/** HTTP requests with their replies as an HTTP Archive (HAR 1.2), which browsers' developer tools open. */
import type { Flow } from '../../wire/flows.ts';
import { type Heard, heard } from '../../wire/heard.ts';
import type { Value, Values } from '../../wire/value.ts';
import { append, judge, type WireContext, type WireView } from './view.ts';

export interface HarOptions {
  readonly version: string;
  readonly startedAtNs: bigint;
}

/** Requests kept while their reply is awaited, over all connections. */
const MAX_WAITING = 65_536;

export interface HarView extends WireView {
  readonly entries: number;
}

/** The archive is written as it grows: entries go to `out` when they are complete, the end in `finish`. */
export function harView(context: WireContext, options: HarOptions): HarView {
  const { out } = context;
  const matches = judge(context);
  const waiting = new Map<Flow, Map<number | string, Heard>>();
  let kept = 0;
  let entries = 0;

  append(
    out,
    `{"log":{"version":"1.2","creator":{"name":"sockscope","version":${JSON.stringify(options.version)}},"pages":[],"entries":[`,
  );

  function write(request: Heard, reply: Heard | null, flow: Flow): void {
    append(
      out,
      `${entries === 0 ? '\n' : ',\n'}${JSON.stringify(entry(request, reply, flow, options.startedAtNs))}`,
    );
    entries++;
  }

  return {
    done: false,
    get entries() {
      return entries;
    },
    packet() {},
    message(spoken, flow) {
      const { message } = spoken;
      if (message.protocol !== 'http' || message.pair === undefined || message.more === true) {
        return;
      }
      let requests = waiting.get(flow);
      if (message.kind === 'request' && kept < MAX_WAITING) {
        requests ??= new Map();
        waiting.set(flow, requests);
        requests.set(message.pair, heard(spoken, context.reveal));
        kept++;
      } else if (message.kind === 'reply') {
        const request = requests?.get(message.pair);
        const reply = heard(spoken, context.reveal);
        if (request !== undefined) {
          requests?.delete(message.pair);
          kept--;
          if (matches(null, flow, [request, reply])) {
            write(request, reply, flow);
          }
        }
      }
    },
    trouble() {},
    closed(flow) {
      for (const request of waiting.get(flow)?.values() ?? []) {
        kept--;
        if (matches(null, flow, [request])) {
          write(request, null, flow);
        }
      }
      waiting.delete(flow);
    },
    finish() {
      append(out, '\n]}}\n');
    },
  };
}

const VERSIONS: Readonly<Record<string, string>> = { '1.0': 'HTTP/1.0', '1.1': 'HTTP/1.1', '2': 'HTTP/2' };

function entry(request: Heard, reply: Heard | null, flow: Flow, startedAtNs: bigint): object {
  const path = textOf(request.fields.path);
  const host = textOf(request.fields.host) || flow.ends[(1 - flow.clientEnd) as 0 | 1].text;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? path : `http://${host}${path}`;
  const started = new Date(Number((startedAtNs + BigInt(Math.round(request.began))) / 1_000_000n));
  const send = Math.max(0, request.at - request.began);
  const wait = reply === null ? 0 : reply.firstByte;
  const receive = reply === null ? 0 : Math.max(0, reply.latency - reply.firstByte);
  return {
    startedDateTime: started.toISOString(),
    time: (send + wait + receive) / 1e6,
    request: {
      method: textOf(request.fields.method),
      url,
      httpVersion: versionOf(request),
      cookies: [],
      headers: headersOf(request.fields, 'request.header.'),
      queryString: queryOf(url),
      headersSize: -1,
      bodySize: numberOf(request.fields.length, 0),
      ...(request.fields.body === undefined
        ? {}
        : {
            postData: {
              mimeType: textOf(request.fields['request.header.content-type']),
              text: textOf(request.fields.body),
            },
          }),
    },
    response: {
      status: reply === null ? 0 : numberOf(reply.fields.status, 0),
      statusText: reply === null ? '' : textOf(reply.fields.reason),
      httpVersion: versionOf(reply ?? request),
      cookies: [],
      headers: reply === null ? [] : headersOf(reply.fields, 'response.header.'),
      content: {
        size: reply === null ? 0 : numberOf(reply.fields['body.bytes'] ?? reply.fields.length, 0),
        mimeType: textOf(reply?.fields['response.header.content-type']) || 'x-unknown',
        ...(reply?.fields.body === undefined ? {} : { text: textOf(reply.fields.body) }),
      },
      redirectURL: textOf(reply?.fields['response.header.location']),
      headersSize: -1,
      bodySize: reply === null ? -1 : numberOf(reply.fields.length, -1),
    },
    cache: {},
    timings: { send: send / 1e6, wait: wait / 1e6, receive: receive / 1e6 },
    serverIPAddress: flow.ends[(1 - flow.clientEnd) as 0 | 1].address,
    connection: String(flow.stream),
    ...(reply === null ? { comment: 'no reply was seen' } : {}),
  };
}

function versionOf({ fields }: Heard): string {
  const version = textOf(fields.version);
  return VERSIONS[version] ?? (version === '' ? 'HTTP/1.1' : version);
}

function headersOf(fields: Values, prefix: string): { name: string; value: string }[] {
  return Object.entries(fields)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => ({ name: name.slice(prefix.length), value: textOf(value) }));
}

function queryOf(url: string): { name: string; value: string }[] {
  if (!URL.canParse(url)) {
    return [];
  }
  return [...new URL(url).searchParams].map(([name, value]) => ({ name, value }));
}

function textOf(value: Value | undefined): string {
  return value === undefined || value === null ? '' : String(value);
}

function numberOf(value: Value | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
