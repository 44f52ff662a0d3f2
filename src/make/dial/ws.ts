/** Messages over WebSocket (RFC 6455): a line is a text message, and a text message is a line. Over TLS as well. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import WebSocket, { type RawData } from 'ws';
import { SockscopeError } from '../../errors.ts';
import { errnoMeaning } from '../../kernel/errno.ts';
import { connectTcp, interrupted } from './connect.ts';
import type { Conversation, DialEar, DialKind, DialPlan } from './kind.ts';
import { secure } from './tls.ts';

const NS_PER_MS = 1e6;
const LF = 10;
const NORMAL = 1000;
const GOING_AWAY = 1001;
const NO_CODE = 1005;
const NO_FRAME = 1006;
/** What may wait in ws before `send` says that it is enough. */
const QUEUED = 256 * 1024;
/** A line longer than this is sent in several messages. */
const MOST_LINE = 1024 * 1024;
const PING_EVERY_MS = 5000;
const CLOSE_PATIENCE_MS = 2000;
const MOST_BODY = 2048;

class WebSocketConversation implements Conversation {
  readonly halfCloses = false;
  readonly #socket: WebSocket;
  readonly #ear: DialEar;
  readonly #binary: boolean;
  readonly #gone: Promise<void>;
  #sent = 0;
  #received = 0;
  #line: Uint8Array = new Uint8Array(0);
  #ours = false;
  #over = false;
  #pinged = 0;
  #pings: NodeJS.Timeout | null = null;

  constructor(socket: WebSocket, plan: DialPlan, ear: DialEar) {
    this.#socket = socket;
    this.#ear = ear;
    this.#binary = plan.binary;
    this.#gone = new Promise((resolve) => {
      socket.once('close', (code: number, reason: Buffer) => {
        resolve();
        this.#closed(code, reason.toString());
      });
    });
    socket.on('message', (data: RawData, isBinary: boolean) => this.#message(data, isBinary));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!this.#over) {
        ear.tell({ type: 'broken', error: error.code ?? 'EPROTO', meaning: error.message, ns: ear.now() });
      }
    });
    if (plan.verbose) {
      socket.on('pong', () => ear.tell({ type: 'latency', took: ear.now() - this.#pinged, ns: ear.now() }));
      this.#ping();
      this.#pings = setInterval(() => this.#ping(), PING_EVERY_MS);
    }
  }

  get pieces(): { sent: number; received: number } {
    return { sent: this.#sent, received: this.#received };
  }

  send(bytes: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) {
      return true;
    }
    if (this.#binary) {
      this.#give(bytes, true);
    } else {
      let rest = this.#line.length === 0 ? bytes : Buffer.concat([this.#line, bytes]);
      for (let end = rest.indexOf(LF); end >= 0; end = rest.indexOf(LF)) {
        this.#give(rest.subarray(0, end), false);
        rest = rest.subarray(end + 1);
      }
      if (rest.length > MOST_LINE) {
        this.#give(rest, false);
        rest = new Uint8Array(0);
      }
      this.#line = rest;
    }
    return this.#socket.bufferedAmount < QUEUED;
  }

  finish(): void {
    if (this.#ours || this.#socket.readyState !== WebSocket.OPEN) {
      return;
    }
    this.flush();
    this.#ours = true;
    this.#ear.tell({ type: 'closing', by: 'you', code: NORMAL, reason: '', ns: this.#ear.now() });
    this.#socket.close(NORMAL);
  }

  /** A last line without its end. */
  flush(): void {
    if (this.#line.length > 0) {
      this.#give(this.#line, false);
      this.#line = new Uint8Array(0);
    }
  }

  hold(on: boolean): void {
    if (on) {
      this.#socket.pause();
    } else {
      this.#socket.resume();
    }
  }

  reset(): void {
    this.#over = true;
    this.#stop();
    this.#socket.terminate();
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#stop();
    this.#socket.resume();
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.close(NORMAL);
    }
    const limit = setTimeout(() => this.#socket.terminate(), CLOSE_PATIENCE_MS);
    await this.#gone;
    clearTimeout(limit);
  }

  #give(bytes: Uint8Array, binary: boolean): void {
    this.#sent += 1;
    // ws masks in place what it is given.
    const waited = this.#socket.bufferedAmount >= QUEUED;
    this.#socket.send(bytes.slice(), { binary }, () => {
      if (!this.#over && (waited || this.#socket.bufferedAmount < QUEUED)) {
        this.#ear.room();
      }
    });
  }

  #message(data: RawData, isBinary: boolean): void {
    this.#received += 1;
    const bytes = Buffer.isBuffer(data)
      ? data
      : Array.isArray(data)
        ? Buffer.concat(data)
        : Buffer.from(data);
    if (isBinary) {
      this.#ear.arrived(this.#binary ? bytes : Buffer.from(`${bytes.toString('hex')}\n`));
    } else {
      this.#ear.arrived(this.#binary ? bytes : Buffer.concat([bytes, Buffer.from('\n')]));
    }
  }

  #ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#pinged = this.#ear.now();
      this.#socket.ping();
    }
  }

  #stop(): void {
    if (this.#pings !== null) {
      clearInterval(this.#pings);
    }
  }

  #closed(code: number, reason: string): void {
    this.#stop();
    if (this.#over) {
      return;
    }
    this.#over = true;
    const ns = this.#ear.now();
    if (code === NO_FRAME) {
      this.#ear.tell({
        type: 'broken',
        error: '1006',
        meaning: 'the connection ended without a close frame',
        ns,
      });
    } else if (!this.#ours) {
      this.#ear.tell({ type: 'closing', by: 'peer', code, reason, ns });
    }
    this.#ear.over(isFailure(code));
  }
}

/** RFC 6455 section 7.4: 1000, 1001 and 1005 are ends in good order, from 3000 on an application says what it means. */
function isFailure(code: number): boolean {
  return code !== NORMAL && code !== GOING_AWAY && code !== NO_CODE && code < 3000;
}

/** What a server says that does not want to speak WebSocket: its status and the first line of its body. */
function firstLine(response: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let body = '';
    const done = (): void =>
      resolve(
        body
          .split(/\r?\n/)
          .find((line) => line.trim() !== '')
          ?.slice(0, 200) ?? '',
      );
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      body += text;
      if (body.length > MOST_BODY || body.includes('\n')) {
        done();
      }
    });
    response.once('end', done);
    response.once('close', done);
    response.once('error', done);
  });
}

function notUpgraded(url: string, what: string): SockscopeError {
  return new SockscopeError(
    'DIAL_WS',
    `${url} does not speak WebSocket: ${what}.`,
    'Look at the path; `sockscope dial http` shows the whole answer.',
    1,
  );
}

function upgrade(
  plan: DialPlan,
  duplex: Duplex,
  ear: DialEar,
  cancelled: AbortSignal,
): Promise<WebSocketConversation | SockscopeError> {
  const began = ear.now();
  const host = plan.host.includes(':') ? `[${plan.host}]` : plan.host;
  const url = `ws://${host}:${plan.port}${plan.path || '/'}`;
  const shown = plan.scheme === 'wss' ? url.replace(/^ws/, 'wss') : url;
  const socket = new WebSocket(url, [], { createConnection: () => duplex as never, perMessageDeflate: true });
  return new Promise((resolve) => {
    const finish = (result: WebSocketConversation | SockscopeError): void => {
      clearTimeout(limit);
      cancelled.removeEventListener('abort', stop);
      socket.off('error', failed);
      if (result instanceof SockscopeError) {
        socket.on('error', () => {});
        socket.terminate();
        duplex.destroy();
      }
      resolve(result);
    };
    const stop = (): void => finish(interrupted());
    const failed = (error: NodeJS.ErrnoException): void =>
      finish(notUpgraded(shown, error.code === undefined ? error.message : errnoMeaning(error.code)));
    const limit = setTimeout(() => finish(notUpgraded(shown, 'it says nothing')), plan.patience / NS_PER_MS);
    cancelled.addEventListener('abort', stop, { once: true });
    socket.once('error', failed);
    socket.once('unexpected-response', (_request, response) => {
      void firstLine(response).then((line) => {
        const status = `${response.statusCode ?? 0} ${response.statusMessage ?? ''}`.trim();
        finish(notUpgraded(shown, `it answered ${status}${line === '' ? '' : `, "${line}"`}`));
      });
    });
    socket.once('open', () => {
      const ns = ear.now();
      ear.tell({ type: 'upgraded', url: shown, subprotocol: socket.protocol, took: ns - began, ns });
      finish(new WebSocketConversation(socket, plan, ear));
    });
  });
}

export const kind: DialKind = {
  name: 'ws',
  schemes: ['ws', 'wss'],
  about: 'messages over WebSocket',
  port: 80,
  async open(plan, ear, cancelled) {
    const dialled = await connectTcp(plan, ear, cancelled);
    if (dialled instanceof SockscopeError) {
      return dialled;
    }
    if (plan.scheme !== 'wss') {
      return upgrade(plan, dialled.socket, ear, cancelled);
    }
    const secured = await secure(plan, dialled, ['http/1.1'], ear, cancelled);
    return secured instanceof SockscopeError ? secured : upgrade(plan, secured.tls, ear, cancelled);
  },
};
