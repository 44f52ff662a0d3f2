/** Peers for tests of the epoll reactor: both ends of every connection live in one reactor, so nothing depends on timing. */
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import type { EpollReactor } from '../src/reactor/epoll.ts';
import {
  type Address,
  AGAIN,
  type Listener,
  type ListenerEvents,
  type ListenOptions,
  type Stream,
  type StreamEvents,
} from '../src/reactor/reactor.ts';

export const LOOPBACK: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };
export const bytes = (text: string) => new TextEncoder().encode(text);

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function fdOf(stream: Stream): number {
  return (stream as unknown as { fd: number }).fd;
}

export function ok<T>(value: T | number): T {
  if (typeof value === 'number') {
    throw new Error(`errno ${value}`);
  }
  return value;
}

/** Turns until it is so, or for ten seconds. */
export function until(reactor: EpollReactor, condition: () => boolean): void {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error('it did not come to that');
    }
    reactor.turn(20);
  }
}

/** Listener events of somebody to whom only connections matter. */
export function accepting(accepted: (stream: Stream) => StreamEvents | null): ListenerEvents {
  return { accepted, paused() {}, resumed() {} };
}

/** What a stream was told and gave: text, 'FIN', or an errno. */
export class Ear implements StreamEvents {
  heard: (string | number)[] = [];
  result: number | null = null;
  told = 0;
  room = 0;
  readonly #into = new Uint8Array(65536);

  connected(_stream: Stream, result: number): void {
    this.result = result;
  }

  readable(stream: Stream): void {
    this.told++;
    for (;;) {
      const got = stream.read(this.#into, 0, this.#into.length);
      if (got === AGAIN) {
        return;
      }
      this.heard.push(
        got > 0 ? new TextDecoder().decode(this.#into.subarray(0, got)) : got === 0 ? 'FIN' : got,
      );
      if (got <= 0) {
        return;
      }
    }
  }

  writable(): void {
    this.room++;
  }
}

/** Hears that something came, and reads nothing. */
export class Deaf extends Ear {
  override readable(): void {
    this.told++;
  }
}

export interface Pair {
  listener: Listener;
  client: Stream;
  clientEar: Ear;
  server: Stream;
  serverEar: Ear;
}

export function pair(
  reactor: EpollReactor,
  address: Address = LOOPBACK,
  options: ListenOptions = {},
  serverEar: Ear = new Ear(),
  clientEar: Ear = new Ear(),
): Pair {
  let server: Stream | null = null;
  const listener = ok(
    reactor.listen(
      address,
      options,
      accepting((stream) => {
        server = stream;
        return serverEar;
      }),
    ),
  );
  const client = ok(reactor.connect(listener.address, {}, clientEar));
  until(reactor, () => server !== null && clientEar.result !== null);
  expect(clientEar.result).toBe(0);
  return { listener, client, clientEar, server: server!, serverEar };
}

export function say(stream: Stream, text: string): void {
  expect(stream.write(bytes(text), 0, bytes(text).length)).toBe(bytes(text).length);
}
