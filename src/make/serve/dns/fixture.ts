/** What the tests of the DNS server and of its client stand on. */
import type { AddressInfo } from 'node:net';
import { createNodeReactor, type NodeReactor } from '../../../reactor/node.ts';
import { kind } from '../dns.ts';
import type { Access, Common } from '../kind.ts';
import { createLedger } from '../ledger.ts';
import { openRawHost } from '../raw-host.ts';
import { nameText, shortName } from './name.ts';
import type { DnsPlan } from './plan.ts';
import { BY_CODE, type Field, type Piece, type ZoneRecord } from './record.ts';
import { checkZone, type ZoneData } from './zone-check.ts';
import { type Files, readZoneFile } from './zone-file.ts';

const COMMON: Common = {
  maxConnections: 0,
  idleNs: 0,
  maxBody: 0,
  rate: 0,
  drainNs: 1e9,
  backlog: 0,
  wishes: {},
  misbehaviour: null,
};

export interface Served {
  readonly port: number;
  readonly reactor: NodeReactor;
  readonly lines: Access[];
  readonly said: string[];
  close(): Promise<void>;
}

/** The server of the program, on Node's loop in this process, on a port for both UDP and TCP. */
export async function serveDns(plan: Partial<DnsPlan>, common: Partial<Common> = {}): Promise<Served> {
  const reactor = createNodeReactor();
  const lines: Access[] = [];
  const said: string[] = [];
  const ledger = createLedger({
    common: { ...COMMON, ...common },
    wantsLines: true,
    now: () => reactor.now(),
    seen: new Int32Array(1).fill(1e6),
    lines: (more) => lines.push(...more),
    say: (text) => said.push(text),
    later: (_ms, run) => setImmediate(run),
  });
  const host = openRawHost({ kind: 'udp', host: '127.0.0.1', port: 0 }, 'udp', {
    kind,
    plan: { zones: [], forward: null, udpSize: 1232, warnings: [], ...plan },
    ledger,
    reactor,
    reusePort: false,
    listenSecurely: null,
  });
  if (typeof host === 'number') {
    await reactor.close();
    throw new Error(`cannot listen: ${host}`);
  }
  return {
    port: (host.address as unknown as AddressInfo).port,
    reactor,
    lines,
    said,
    async close() {
      host.close();
      await reactor.close();
    },
  };
}

/** Files that are only named here. */
export function filesOf(files: Readonly<Record<string, string>>): Files {
  return {
    read: (path) => {
      const text = files[path];
      return text === undefined ? { error: 'cannot be read: ENOENT' } : Buffer.from(text).toString('latin1');
    },
    beside: (_from, name) => name,
  };
}

export function faultsOf(text: string, files: Readonly<Record<string, string>> = {}): string[] {
  const read = readZoneFile('z', null, filesOf({ z: text, ...files }));
  const all = read.faults.length > 0 ? read.faults : checkZone('z', read.records).faults;
  return all.map(({ file, line, column, sentence }) => `${file}:${line}:${column}: ${sentence}`);
}

export function warningsOf(text: string): string[] {
  const read = readZoneFile('z', null, filesOf({ z: text }));
  return checkZone('z', read.records).warnings.map(({ line, sentence }) => `${line}: ${sentence}`);
}

/** A zone without a fault. */
export function zoneFrom(text: string, files: Readonly<Record<string, string>> = {}): ZoneData {
  const read = readZoneFile('z', null, filesOf({ z: text, ...files }));
  const checked = checkZone('z', read.records);
  if (read.faults.length > 0 || checked.zone === null) {
    throw new Error(JSON.stringify([...read.faults, ...checked.faults]));
  }
  return checked.zone;
}

/** A record as a line of a zone file. */
export function recordText({ name, type, ttl, data }: ZoneRecord): string {
  const [word, { fields }] = BY_CODE.get(type)!;
  const texts = data.map((piece, i) => pieceText(fields[i] ?? fields.at(-1)!, piece));
  return `${nameText(name)} ${ttl} IN ${word} ${texts.join(' ')}`;
}

/** `www.example.test A 192.0.2.1`, as tests compare them. */
export function shortText(record: ZoneRecord): string {
  return `${shortName(record.name)} ${recordText(record).split(' ').slice(3).join(' ')}`;
}

function pieceText(field: Field, piece: Piece): string {
  if (typeof piece !== 'string') {
    return nameText(piece.name);
  }
  const codes = Array.from(piece, (character) => character.charCodeAt(0));
  switch (field) {
    case 'ip4':
      return codes.join('.');
    case 'ip6':
      return codes
        .map((code) => code.toString(16).padStart(2, '0'))
        .join('')
        .replace(/(....)(?=.)/g, '$1:');
    case 'tag':
      return piece.slice(1);
    case 'text':
      return quoted(piece);
    case 'strings':
      return quoted(piece.slice(1));
    default:
      return String(codes.reduce((sum, code) => sum * 256 + code, 0));
  }
}

function quoted(text: string): string {
  const safe = (code: number): boolean => code >= 32 && code < 127 && code !== 34 && code !== 92;
  const escaped = Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    return safe(code) ? character : `\\${String(code).padStart(3, '0')}`;
  });
  return `"${escaped.join('')}"`;
}
