/**
 * The door to node:http and node:http2 for a client that makes its connections itself: one request after another over a connection
 * that is given, with the moments told that a clock needs.
 */
import { Agent, type IncomingMessage, request as request1, STATUS_CODES } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connect2,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Duplex, Readable } from 'node:stream';

export interface Asking {
  readonly method: string;
  /** As the request line has it. */
  readonly target: string;
  readonly scheme: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Uint8Array | null;
}

export interface AskEar {
  /** The connection takes it from here. */
  sending(): void;
  /** The whole request is with the operating system. */
  sent(): void;
  /** The first byte of any answer. */
  firstByte(): void;
  /** 100, 102 or 103. */
  informational(status: number): void;
}

export interface Answered {
  /** `HTTP/1.1` */
  readonly version: string;
  readonly status: number;
  readonly statusText: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Readable;
  /** Once the body has ended: false when it was cut. */
  complete(): Promise<boolean>;
}

export interface WebTrouble {
  /** Node's code or `CLOSED`: the other side ended the connection in good order. */
  readonly code: string;
  readonly message: string;
  /** What could not be read as HTTP. */
  readonly bytes: Uint8Array | null;
}

export interface WebAsk {
  readonly answered: Promise<Answered | WebTrouble>;
  /** Why the body ended early. */
  trouble(): WebTrouble | null;
  cancel(): void;
}

export interface WebConnection {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2';
  ask(asking: Asking, ear: AskEar): WebAsk;
  /** Another request may go over it. */
  usable(): boolean;
  close(): void;
}

export function isTrouble(what: Answered | WebTrouble): what is WebTrouble {
  return 'code' in what;
}

type NodeError = NodeJS.ErrnoException & { rawPacket?: Uint8Array; reason?: string };

function troubleOf(error: NodeError): WebTrouble {
  // Node has one code for a reset and for a connection that was closed; only the first one was a system call that failed.
  const closed = error.code === 'ECONNRESET' && error.syscall === undefined;
  return {
    code: closed ? 'CLOSED' : (error.code ?? 'EPROTO'),
    message: error.reason ?? error.message,
    bytes: error.rawPacket ?? null,
  };
}

function pairs(raw: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    list.push([raw[at]!, raw[at + 1]!]);
  }
  return list;
}

/** The first of several errors says why; Node's own come after the socket's. */
function firstTrouble(socket: Duplex): () => WebTrouble | null {
  let first: WebTrouble | null = null;
  socket.on('error', (error: NodeError) => {
    first ??= troubleOf(error);
  });
  return () => first;
}

export function overHttp1(socket: Duplex): WebConnection {
  let busy = false;
  let ended = false;
  let given = false;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const makes = agent as unknown as { createConnection(): Duplex | undefined };
  makes.createConnection = () => {
    // A second one is never made: what comes after a broken connection is somebody else's decision.
    const first = given ? undefined : socket;
    given = true;
    return first;
  };
  const ofSocket = firstTrouble(socket);
  socket.once('end', () => {
    ended = true;
  });
  socket.once('close', () => {
    ended = true;
  });

  function ask(asking: Asking, ear: AskEar): WebAsk {
    busy = true;
    let last: WebTrouble | null = null;
    let first = false;
    const request = request1({
      agent,
      host: 'sockscope',
      port: 1,
      method: asking.method,
      path: asking.target,
      headers: asking.fields.flat(),
      setHost: false,
    });
    const heard = (): void => {
      if (!first) {
        first = true;
        ear.firstByte();
      }
    };
    // Before Node's own listener, which reads the whole head.
    request.once('socket', () => {
      socket.prependOnceListener('data', heard);
      ear.sending();
    });
    request.once('finish', () => ear.sent());
    request.on('information', ({ statusCode }) => ear.informational(statusCode));
    const answered = new Promise<Answered | WebTrouble>((resolve) => {
      request.on('error', (error: NodeError) => {
        last ??= ofSocket() ?? troubleOf(error);
        socket.off('data', heard);
        resolve(last);
      });
      const answer = (response: IncomingMessage): void => {
        response.once('end', () => {
          busy = false;
        });
        response.on('error', (error: NodeError) => {
          last ??= ofSocket() ?? troubleOf(error);
        });
        resolve({
          version: `HTTP/${response.httpVersion}`,
          status: response.statusCode ?? 0,
          statusText: response.statusMessage ?? '',
          fields: pairs(response.rawHeaders),
          body: response,
          complete: () => Promise.resolve(response.complete),
        });
      };
      request.once('response', answer);
      request.once('upgrade', (response: IncomingMessage, under: Duplex) => {
        under.destroy();
        resolve({ code: 'UPGRADED', message: `it switched to ${response.headers.upgrade}`, bytes: null });
      });
    });
    request.end(asking.body ?? undefined);
    return { answered, trouble: () => last ?? ofSocket(), cancel: () => request.destroy() };
  }

  return {
    protocol: 'HTTP/1.1',
    ask,
    usable: () => !busy && !ended && !socket.destroyed && socket.writable,
    close() {
      agent.destroy();
      socket.destroy();
    },
  };
}

const HOP_BY_HOP = /^(connection|host|keep-alive|proxy-connection|transfer-encoding|upgrade)$/i;

/** RFC 9113 section 8.3: what stood in the request line has names of its own, and no field may speak of the connection. */
function headersOf({ method, target, scheme, fields }: Asking): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    [constants.HTTP2_HEADER_METHOD]: method,
    [constants.HTTP2_HEADER_PATH]: target,
    [constants.HTTP2_HEADER_SCHEME]: scheme,
  };
  for (const [name, value] of fields) {
    const key = /^host$/i.test(name) ? constants.HTTP2_HEADER_AUTHORITY : name.toLowerCase();
    if (HOP_BY_HOP.test(key)) {
      continue;
    }
    const before = headers[key];
    headers[key] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function fieldsOf(headers: IncomingHttpHeaders): [string, string][] {
  return Object.entries(headers)
    .filter(([name]) => !name.startsWith(':'))
    .flatMap(([name, value]) => [value ?? ''].flat().map((one): [string, string] => [name, one]));
}

export function overHttp2(socket: Duplex, authority: string): WebConnection {
  const session: ClientHttp2Session = connect2(authority, { createConnection: () => socket });
  const ofSocket = firstTrouble(socket);
  let broken: WebTrouble | null = null;
  let going = false;
  session.on('error', (error: NodeError) => {
    broken ??= ofSocket() ?? troubleOf(error);
  });
  // Half open is for HTTP/1.1: here nobody answers any more, and Node would wait for it for ever.
  socket.once('end', () => socket.destroy());
  session.on('goaway', (code) => {
    going = true;
    if (code !== constants.NGHTTP2_NO_ERROR) {
      broken ??= { code: 'GOAWAY', message: `it sent GOAWAY with code ${code}`, bytes: null };
    }
  });

  function ask(asking: Asking, ear: AskEar): WebAsk {
    let last: WebTrouble | null = null;
    let heard = false;
    const first = (): void => {
      if (!heard) {
        heard = true;
        ear.firstByte();
      }
    };
    ear.sending();
    const stream: ClientHttp2Stream = session.request(headersOf(asking), { endStream: asking.body === null });
    const closed = new Promise<void>((resolve) => {
      stream.once('close', resolve);
    });
    const answered = new Promise<Answered | WebTrouble>((resolve) => {
      stream.on('headers', (headers) => {
        first();
        ear.informational(Number(headers[':status']));
      });
      stream.once('response', (headers) => {
        first();
        const status = Number(headers[':status']);
        const statusText = STATUS_CODES[status] ?? '';
        const fields = fieldsOf(headers);
        // Node ends the body of a stream that was reset like any other, and tells the reset afterwards.
        const complete = (): Promise<boolean> =>
          closed.then(() => stream.rstCode === constants.NGHTTP2_NO_ERROR && last === null);
        resolve({ version: 'HTTP/2', status, statusText, fields, body: stream, complete });
      });
      stream.on('error', (error: NodeError) => {
        last ??= broken ?? ofSocket() ?? troubleOf(error);
        resolve(last);
      });
      stream.once('close', () =>
        resolve(
          last ??
            broken ??
            ofSocket() ?? { code: 'CLOSED', message: 'it closed the connection', bytes: null },
        ),
      );
    });
    if (asking.body === null) {
      setImmediate(() => ear.sent());
    } else {
      stream.end(asking.body, () => ear.sent());
    }
    return {
      answered,
      trouble: () => last ?? broken ?? ofSocket(),
      cancel: () => stream.destroy(),
    };
  }

  return {
    protocol: 'HTTP/2',
    ask,
    usable: () => !going && !session.closed && !session.destroyed && !socket.destroyed,
    close() {
      session.destroy();
      socket.destroy();
    },
  };
}

/** CONNECT through a proxy: from then on the socket leads to `target`. A number is the status with which it refused. */
export function openTunnel(
  socket: Duplex,
  target: string,
  fields: readonly (readonly [string, string])[],
  cancelled: AbortSignal,
): Promise<Duplex | number | WebTrouble> {
  return new Promise((resolve) => {
    const asking = request1({
      createConnection: () => socket,
      method: 'CONNECT',
      path: target,
      headers: [['Host', target], ...fields].flat(),
      setHost: false,
    });
    const stop = (): void => {
      asking.destroy();
    };
    cancelled.addEventListener('abort', stop, { once: true });
    const finish = (result: Duplex | number | WebTrouble): void => {
      cancelled.removeEventListener('abort', stop);
      resolve(result);
    };
    asking.once('connect', (response, under: Duplex, head: Buffer) => {
      if (response.statusCode !== 200) {
        under.destroy();
        finish(response.statusCode ?? 0);
        return;
      }
      if (head.length > 0) {
        under.unshift(head);
      }
      finish(under);
    });
    asking.once('response', (response) => {
      response.destroy();
      finish(response.statusCode ?? 0);
    });
    asking.on('error', (error: NodeError) => finish(troubleOf(error)));
    asking.end();
  });
}
