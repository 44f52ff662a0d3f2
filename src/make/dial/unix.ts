/** Bytes over a UNIX socket, by its path or its abstract name. */
import { SockscopeError } from '../../errors.ts';
import { connectUnix } from './connect.ts';
import type { DialKind } from './kind.ts';
import { converse } from './tcp.ts';

export const kind: DialKind = {
  name: 'unix',
  schemes: ['unix'],
  about: 'bytes over a UNIX socket',
  port: 0,
  async open(plan, ear, cancelled) {
    const dialled = await connectUnix(plan, ear, cancelled);
    return dialled instanceof SockscopeError ? dialled : converse(dialled, ear);
  },
};
