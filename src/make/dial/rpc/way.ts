/** How texts of JSON-RPC travel: over a bare stream, in the bodies of POSTs, or as messages of a WebSocket. */
import { WebSocket } from 'ws';
import { SockscopeError } from '../../../errors.ts';
import type { Dialled } from '../../../kernel/dial-socket.ts';
import { createFrames } from '../../serve/rpc/frames.ts';
import { connectTcp, connectUnix } from '../connect.ts';
import { firstBytes } from '../http/failure.ts';
import type { HttpPlan } from '../http/plan.ts';
import { createHttpClient } from '../http.ts';
import type { DialEar, DialPlan } from '../kind.ts';
import { secure } from '../tls.ts';

export interface WayEar {
  text(text: string): void;
  /** Nothing comes any more; why. */
  ended(why: SockscopeError): void;
}

export interface RpcWay {
  /** With `answered` false nothing will come back. */
  send(text: string, answered: boolean): void;
  /** Everything that was sent is with the operating system, or nobody will take it. */
  drained(): Promise<void>;
  close(): void;
}

const MOST_ANSWER = 64 * 1024 * 1024;

export function failed(name: string, what: string, hint: string): SockscopeError {
  return new SockscopeError(`RPC_${name}`, what, hint, 1);
}

function silentEar(): DialEar {
  const began = process.hrtime.bigint();
  return {
    now: () => Number(process.hrtime.bigint() - began),
    tell() {},
    arrived() {},
    room() {},
    over() {},
  };
}

function notJson(where: string, bytes: Uint8Array, why: string): SockscopeError {
  return failed(
    'NOT_JSON',
    `What ${where} answered is not JSON-RPC: ${why}: ${firstBytes(bytes)}.`,
    'It may speak another protocol; http:// and ws:// have to be written before the address.',
  );
}

function endedWell(where: string): SockscopeError {
  return failed(
    'CLOSED',
    `${where} closed the connection without an answer.`,
    'It may not know what was asked, or speak another protocol; its log may say why.',
  );
}

/** A stream of texts with nothing between them, as Go reads and writes it. */
export async function streamWay(
  plan: DialPlan,
  where: string,
  ear: WayEar,
  cancelled: AbortSignal,
): Promise<RpcWay | SockscopeError> {
  const quiet = silentEar();
  const dialled: Dialled | SockscopeError =
    plan.scheme === 'unix'
      ? await connectUnix(plan, quiet, cancelled)
      : await connectTcp(plan, quiet, cancelled);
  if (dialled instanceof SockscopeError) {
    return dialled;
  }
  const secured = plan.scheme === 'tls' ? await secure(plan, dialled, [], quiet, cancelled) : null;
  if (secured instanceof SockscopeError) {
    return secured;
  }
  const socket = secured?.tls ?? dialled.socket;
  const frames = createFrames(MOST_ANSWER);
  let over = false;
  const end = (why: SockscopeError): void => {
    if (!over) {
      over = true;
      ear.ended(why);
      socket.destroy();
    }
  };
  socket.on('data', (bytes: Buffer) => {
    const wrong = over ? '' : frames.take(bytes, 0, bytes.length, (text) => ear.text(text));
    if (wrong !== '') {
      end(
        notJson(
          where,
          bytes,
          wrong.replace('a request is an', 'an answer is an').replace('a request', 'an answer'),
        ),
      );
    }
  });
  socket.once('end', () =>
    end(
      frames.held === 0
        ? endedWell(where)
        : failed(
            'CUT',
            `${where} closed the connection inside an answer, after ${frames.held} bytes of it.`,
            'Its log may say why.',
          ),
    ),
  );
  socket.on('error', (error: NodeJS.ErrnoException) =>
    end(
      error.code === 'ECONNRESET' || error.code === 'EPIPE'
        ? failed('RESET', `${where} reset the connection.`, '`sockscope watch` shows who sent the RST.')
        : failed('BROKEN', `The connection with ${where} broke: ${error.message}.`, 'Nothing more is known.'),
    ),
  );
  socket.once('close', () => end(endedWell(where)));
  return {
    send: (text) => void (over || socket.write(`${text}\n`)),
    drained: () =>
      new Promise((resolve) => {
        if (over || socket.writableLength === 0) {
          resolve();
          return;
        }
        socket.once('drain', resolve);
        socket.once('close', () => resolve());
      }),
    close() {
      over = true;
      socket.end();
      socket.destroySoon();
    },
  };
}

const NO_CONTENT = new Set([202, 204]);

/** One text in a POST, one in its answer; over a connection that is kept. */
export function httpWay(plan: HttpPlan, where: string, ear: WayEar, cancelled: AbortSignal): RpcWay {
  const client = createHttpClient(plan);
  let running: Promise<void> = Promise.resolve();

  async function post(text: string, answered: boolean): Promise<void> {
    const chunks: Uint8Array[] = [];
    const { failure, status, statusText } = await client.request(
      { head() {}, body: (bytes) => void chunks.push(bytes), exchange() {} },
      cancelled,
      { body: Buffer.from(text) },
    );
    const body = Buffer.concat(chunks);
    if (failure !== null) {
      ear.ended(new SockscopeError(failure.code, failure.message, failure.hint, 1));
    } else if (body.length > 0 && /^\s*[[{]/.test(body.toString('utf8', 0, 100))) {
      ear.text(body.toString());
    } else if (!NO_CONTENT.has(status) && (status >= 300 || body.length > 0)) {
      const shown = body.length === 0 ? 'no body' : firstBytes(body);
      ear.ended(
        failed(
          'HTTP',
          `${where} answered ${status} ${statusText}, and no JSON-RPC: ${shown}.`,
          '`sockscope dial http` shows the whole answer.',
        ),
      );
    } else if (answered) {
      ear.ended(
        failed(
          'EMPTY',
          `${where} answered ${status} without a body.`,
          'It took the call for a notification.',
        ),
      );
    }
  }

  return {
    send(text, answered) {
      running = running.then(() => post(text, answered));
    },
    drained: () => running,
    close: () => client.close(),
  };
}

export async function webSocketWay(
  plan: DialPlan,
  where: string,
  ear: WayEar,
  cancelled: AbortSignal,
): Promise<RpcWay | SockscopeError> {
  const quiet = silentEar();
  const dialled = await connectTcp(plan, quiet, cancelled);
  if (dialled instanceof SockscopeError) {
    return dialled;
  }
  const secured = plan.scheme === 'wss' ? await secure(plan, dialled, ['http/1.1'], quiet, cancelled) : null;
  if (secured instanceof SockscopeError) {
    return secured;
  }
  const duplex = secured?.tls ?? dialled.socket;
  const socket = new WebSocket(where.replace(/^wss:/, 'ws:'), { createConnection: () => duplex as never });
  let over = false;
  const end = (why: SockscopeError): void => {
    if (!over) {
      over = true;
      ear.ended(why);
    }
  };
  socket.on('message', (data) => {
    if (!over) {
      ear.text(String(data));
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) =>
    end(
      failed(
        'WS',
        `${where} does not speak WebSocket: ${error.message}.`,
        '`sockscope dial http` shows what it answers.',
      ),
    ),
  );
  socket.once('close', (code, reason) =>
    end(
      failed(
        'CLOSED',
        `${where} closed the WebSocket without an answer (${code}${reason.length === 0 ? '' : ` ${reason}`}).`,
        'Its log may say why.',
      ),
    ),
  );
  const opened = new Promise<void>((resolve) => {
    socket.once('open', () => resolve());
    socket.once('close', () => resolve());
  });
  const stop = (): void => socket.terminate();
  cancelled.addEventListener('abort', stop, { once: true });
  return {
    send: (text) => void opened.then(() => over || socket.send(text)),
    drained: () => opened.then(() => new Promise((resolve) => setImmediate(resolve))),
    close() {
      over = true;
      cancelled.removeEventListener('abort', stop);
      socket.close();
      // Nobody waits for its good-bye.
      duplex.end();
    },
  };
}
