/** Every decoder there is. */
import { existsSync } from 'node:fs';
import type { Decoder } from '../../src/wire/app/decoder.ts';
import { decoders as listed } from '../../src/wire/app/decoders.ts';

const also: Decoder[] = [];
for (const name of ['memcached', 'mqtt', 'ssh', 'socks', 'proxy', 'lines', 'hex']) {
  const file = new URL(`../../src/wire/app/${name}.ts`, import.meta.url);
  if (existsSync(file)) {
    also.push(((await import(file.pathname)) as { decoder: Decoder }).decoder);
  }
}

export const decoders: readonly Decoder[] = [...new Set([...listed, ...also])];
