/** Every protocol we read, each a file of its own. The order decides between equals; the last two take what nobody else wants. */
import type { Decoder } from './decoder.ts';
import { decoder as dns } from './dns.ts';
import { decoder as gorpc } from './gorpc.ts';
import { decoder as hex } from './hex.ts';
import { decoder as http1 } from './http1.ts';
import { decoder as http2 } from './http2.ts';
import { decoder as jsonrpc } from './jsonrpc.ts';
import { decoder as line } from './line.ts';
import { decoder as lines } from './lines.ts';
import { decoder as memcached } from './memcached.ts';
import { decoder as mqtt } from './mqtt.ts';
import { decoder as mysql } from './mysql.ts';
import { decoder as postgres } from './postgres.ts';
import { decoder as proxy } from './proxy.ts';
import { decoder as redis } from './redis.ts';
import { decoder as socks } from './socks.ts';
import { decoder as ssh } from './ssh.ts';
import { decoder as tls } from './tls.ts';
import { decoder as websocket } from './websocket.ts';

export const decoders: readonly Decoder[] = [
  http1,
  http2,
  websocket,
  tls,
  ssh,
  redis,
  postgres,
  mysql,
  memcached,
  mqtt,
  dns,
  socks,
  proxy,
  jsonrpc,
  gorpc,
  line,
  lines,
  hex,
];

/** protocol → what its messages' fields are called, for filters and --fields. */
export function vocabulary(all: readonly Decoder[]): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>();
  for (const decoder of all) {
    for (const [protocol, fields] of Object.entries(decoder.speaks)) {
      words.set(protocol, [...new Set([...(words.get(protocol) ?? []), ...fields])]);
    }
  }
  return words;
}
