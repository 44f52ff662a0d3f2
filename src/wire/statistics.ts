/** A fold over the wire's lane: totals, who talked to whom, and how long each kind of answer took. Memory is bounded. */
import type { Spoken } from './conversation.ts';
import type { Flow } from './flows.ts';
import { type Histogram, histogram, note } from './histogram.ts';
import type { Lane } from './lane.ts';
import { PACKET_NOTES, type PacketNote } from './notes.ts';

/** Beyond these, what is smallest by then is counted together. */
export const MAX_CONVERSATIONS = 10_000;
export const MAX_HOSTS = 10_000;
export const MAX_COMMANDS = 1_000;
const OTHERS = '(others)';

export interface Conversed {
  readonly protocol: string;
  readonly client: string;
  readonly server: string;
  connections: number;
  packets: number;
  /** Payload from the client and from the server. */
  sent: number;
  received: number;
  repeated: number;
  nanoseconds: number;
}

export interface Command {
  readonly protocol: string;
  readonly name: string;
  requests: number;
  replies: number;
  failed: number;
  bytes: number;
  readonly latency: Histogram;
}

export interface Statistics {
  packets: number;
  bytes: number;
  first: number;
  last: number;
  readonly transports: Map<string, { packets: number; bytes: number }>;
  readonly notes: Map<PacketNote, number>;
  /** client address, server address and server port → what they exchanged, over all their connections. */
  readonly conversations: Map<string, Conversed>;
  readonly hosts: Map<string, { packets: number; bytes: number }>;
  readonly commands: Map<string, Map<string, Command>>;
  packet(lane: Lane): void;
  message(spoken: Spoken): void;
  closed(flow: Flow): void;
}

export function createStatistics(): Statistics {
  const noteCounts = new Uint32Array(32);
  const protocols = new Map<number, { packets: number; bytes: number }>();
  let commandCount = 0;
  // Mostly a packet and a message are like the ones before: their counters are at hand.
  let lastKey = Number.NaN;
  let lastCounts = { packets: 0, bytes: 0 };
  let last: Command | null = null;

  const statistics: Statistics = {
    packets: 0,
    bytes: 0,
    first: 0,
    last: 0,
    conversations: new Map(),
    hosts: new Map(),
    commands: new Map(),
    get transports() {
      return new Map([...protocols].map(([key, counts]) => [transportName(key), counts]));
    },
    get notes() {
      return new Map(
        PACKET_NOTES.map((name, index): [PacketNote, number] => [name, noteCounts[index]!]).filter(
          ([, times]) => times > 0,
        ),
      );
    },
    packet({ headers, notes }) {
      if (statistics.packets === 0) {
        statistics.first = headers.at;
      }
      statistics.packets++;
      statistics.bytes += headers.wireLength;
      statistics.last = Math.max(statistics.last, headers.at);
      const key = headers.net === 0 ? 1000 + headers.etherType : headers.protocol;
      if (key !== lastKey) {
        lastKey = key;
        lastCounts = protocols.get(key) ?? { packets: 0, bytes: 0 };
        protocols.set(key, lastCounts);
      }
      lastCounts.packets++;
      lastCounts.bytes += headers.wireLength;
      for (let rest = notes; rest !== 0; rest &= rest - 1) {
        noteCounts[31 - Math.clz32(rest & -rest)]!++;
      }
    },
    message({ message, asked, at }) {
      const name = message.kind === 'reply' ? (asked?.name ?? message.name) : message.name;
      const command = commandOf(message.protocol, name);
      command.bytes += message.bytes;
      if (message.kind === 'reply') {
        command.replies++;
        if (message.failed === true) {
          command.failed++;
        }
        if (asked !== null && message.more !== true) {
          note(command.latency, at - asked.at);
        }
      } else {
        command.requests++;
      }
    },
    closed(flow) {
      const client = flow.ends[flow.clientEnd];
      const server = flow.ends[(1 - flow.clientEnd) as 0 | 1];
      const between = conversation(flow, client.address, `${server.text}`);
      between.connections++;
      between.packets += client.packets + server.packets;
      between.sent += client.payload;
      between.received += server.payload;
      between.repeated += client.repeated + server.repeated;
      between.nanoseconds += Math.max(client.last, server.last) - Math.min(client.first, server.first);
      talked(client.address, client.packets, client.payload);
      talked(server.address, server.packets, server.payload);
    },
  };

  function commandOf(protocol: string, name: string): Command {
    if (last === null || last.name !== name || last.protocol !== protocol) {
      last = lookUp(protocol, name);
    }
    return last;
  }

  function lookUp(protocol: string, name: string): Command {
    let names = statistics.commands.get(protocol);
    if (names === undefined) {
      names = new Map();
      statistics.commands.set(protocol, names);
    }
    let command = names.get(name);
    if (command === undefined) {
      const key = commandCount < MAX_COMMANDS ? name : OTHERS;
      command = names.get(key);
      if (command === undefined) {
        command = { protocol, name: key, requests: 0, replies: 0, failed: 0, bytes: 0, latency: histogram() };
        names.set(key, command);
        commandCount++;
      }
    }
    return command;
  }

  function conversation(flow: Flow, client: string, server: string): Conversed {
    const protocol = flow.protocol === 6 ? 'tcp' : 'udp';
    const full = statistics.conversations.size >= MAX_CONVERSATIONS;
    const key = `${protocol} ${client} ${server}`;
    const known = statistics.conversations.get(key);
    if (known !== undefined) {
      return known;
    }
    const place = full ? OTHERS : key;
    let entry = statistics.conversations.get(place);
    if (entry === undefined) {
      entry = {
        protocol: full ? '' : protocol,
        client: full ? OTHERS : client,
        server: full ? OTHERS : server,
        connections: 0,
        packets: 0,
        sent: 0,
        received: 0,
        repeated: 0,
        nanoseconds: 0,
      };
      statistics.conversations.set(place, entry);
    }
    return entry;
  }

  function talked(address: string, packets: number, bytes: number): void {
    const { hosts } = statistics;
    const key = hosts.has(address) || hosts.size < MAX_HOSTS ? address : OTHERS;
    const entry = hosts.get(key) ?? { packets: 0, bytes: 0 };
    entry.packets += packets;
    entry.bytes += bytes;
    hosts.set(key, entry);
  }

  return statistics;
}

function transportName(key: number): string {
  const names: Record<number, string> = {
    1: 'icmp',
    6: 'tcp',
    17: 'udp',
    58: 'icmpv6',
    132: 'sctp',
    [1000 + 0x0806]: 'arp',
  };
  return names[key] ?? (key >= 1000 ? `ethertype 0x${(key - 1000).toString(16)}` : `ip protocol ${key}`);
}
