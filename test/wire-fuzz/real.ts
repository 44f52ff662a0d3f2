/** What real programs say to each other: the connections of a scene, in the order in which the bytes crossed. */

import { readFileSync } from 'node:fs';
import type { Turn } from '../../src/wire/app/decoder.contract.ts';
import type { Flow } from '../../src/wire/flows.ts';
import { createLane } from '../../src/wire/lane.ts';
import { createReader } from '../../src/wire/pcapng.ts';
import { played, sceneNeeds } from '../wire/played.ts';
import { decoders } from './spoken.ts';
import type { Talk } from './talks.ts';

const SCENES: Readonly<Record<string, readonly string[]>> = {
  http1: ['nginx', 'curl'],
  http2: ['nginx', 'curl', 'nghttp', 'nghttpd'],
  redis: ['redis-server', 'redis-cli', 'redis-benchmark'],
  dns: ['dig', 'dnsmasq'],
  tls: ['openssl'],
  ssh: ['ssh', 'sshd', 'ssh-keygen'],
};
const MOST_TALKS = 40;
const MOST_BYTES = 40_000;

/** Of as many scenes as this machine can play. */
export async function realTalks(): Promise<Talk[]> {
  const talks: Talk[] = [];
  for (const [name, programs] of Object.entries(SCENES)) {
    if (sceneNeeds(...programs) === null) {
      const scene = await played(name);
      talks.push(...talksOf(scene.file));
      scene.forget();
    }
  }
  return talks;
}

function talksOf(file: string): Talk[] {
  const turns = new Map<Flow, Turn[]>();
  const sizes = new Map<Flow, number>();
  const protocols = new Map<Flow, string>();
  const lane = createLane(
    {
      packet() {},
      message: ({ decoder }, flow) => protocols.set(flow, decoder.name),
      trouble() {},
      closed() {},
      bytes(flow, side, bytes, from, to) {
        const size = (sizes.get(flow) ?? 0) + to - from;
        sizes.set(flow, size);
        if (size < MOST_BYTES) {
          turns.set(flow, [...(turns.get(flow) ?? []), { side, bytes: bytes.slice(from, to) }]);
        }
      },
    },
    { decoders, messages: true, checksums: false },
  );
  const reader = createReader({
    packet: (bytes, from, to, wireLength) => lane.frame(bytes, from, to, wireLength, lane.count, 1),
    trouble(_, sentence) {
      throw new Error(sentence);
    },
  });
  const bytes = new Uint8Array(readFileSync(file));
  reader.end(bytes.length - reader.push(bytes, 0, bytes.length));
  lane.finish();
  return [...turns].slice(0, MOST_TALKS).map(([flow, said]) => ({
    protocol: protocols.get(flow) ?? 'unknown',
    transport: flow.protocol === 6 ? 'tcp' : 'udp',
    port: flow.ends[1 - flow.clientEnd]!.port,
    turns: said,
  }));
}
