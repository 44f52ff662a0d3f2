/** Bytes over TCP. */
import type { Socket } from 'node:net';
import { SockscopeError } from '../../errors.ts';
import type { Dialled } from '../../kernel/dial-socket.ts';
import { streamOf } from '../../kernel/net-streams.ts';
import { connectTcp } from './connect.ts';
import type { DialEar, DialKind } from './kind.ts';
import { StreamConversation, type StreamOptions } from './stream.ts';

export function goneOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
    } else {
      socket.once('close', () => resolve());
    }
  });
}

export function converse(
  { socket, addresses }: Dialled,
  ear: DialEar,
  options?: StreamOptions,
): StreamConversation {
  return new StreamConversation(
    streamOf(socket, null, addresses, socket),
    goneOf(socket),
    ear,
    options,
  ).begin();
}

export const kind: DialKind = {
  name: 'tcp',
  schemes: ['tcp'],
  about: 'bytes over TCP',
  port: 0,
  async open(plan, ear, cancelled) {
    const dialled = await connectTcp(plan, ear, cancelled);
    return dialled instanceof SockscopeError ? dialled : converse(dialled, ear);
  },
};
