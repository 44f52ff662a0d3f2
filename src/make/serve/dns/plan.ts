/** What was typed becomes zones that were read, checked and may be served. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { SockscopeError } from '../../../errors.ts';
import type { Typed } from '../kind.ts';
import type { Upstream } from './forward.ts';
import { keyOf, type Name, ROOT, readNameText, shortName } from './name.ts';
import { checkZone, type ZoneData } from './zone-check.ts';
import { type Fault, type Files, readZoneFile } from './zone-file.ts';

/** What crosses the internet in one piece (dnsflagday.net/2020). */
const UDP_SIZE = 1232;
const LEAST_UDP = 512;
const MOST_UDP = 65_507;
const MOST_FAULTS = 20;
const MOST_FILE = 64 * 1024 * 1024;

export interface DnsPlan {
  readonly zones: readonly ZoneData[];
  readonly forward: Upstream | null;
  readonly udpSize: number;
  readonly warnings: readonly string[];
}

export function dnsPlan({ words, options }: Typed): DnsPlan {
  const forward = options.forward === undefined ? null : readServer(String(options.forward), '--forward');
  if (words.length === 0 && forward === null) {
    throw usage(
      'Which zone is to be served is missing.',
      'Name a zone file: sockscope serve dns example.zone.',
    );
  }
  const origins = listed(options.origin).map(readOrigin);
  if (origins.length > words.length) {
    throw usage(
      `There are more origins than zone files: ${origins.length} and ${words.length}.`,
      'Give --origin once for each file, in their order.',
    );
  }
  const zones: ZoneData[] = [];
  const faults: Fault[] = [];
  const warnings: Fault[] = [];
  for (const [i, path] of words.entries()) {
    const read = readZoneFile(path, origins[i] ?? null, DISK);
    faults.push(...read.faults);
    // A zone that could not be read as a whole would seem to lack what it has.
    if (read.faults.length === 0) {
      const checked = checkZone(path, read.records);
      faults.push(...checked.faults);
      warnings.push(...checked.warnings);
      if (checked.zone !== null) {
        const key = keyOf(checked.zone.origin);
        if (zones.some(({ origin }) => keyOf(origin) === key)) {
          faults.push({
            file: path,
            line: 0,
            column: 0,
            sentence: `the zone ${shortName(key)} is there twice`,
          });
        }
        zones.push(checked.zone);
      }
    }
  }
  if (faults.length > 0) {
    throw new SockscopeError('DNS_ZONE', listOf(faults), 'Repair what is said above and start again.', 1);
  }
  return { zones, forward, udpSize: readUdpSize(options.udpSize), warnings: warnings.map(faultText) };
}

/** `file:line:column: sentence`, as compilers do and editors understand. */
export function faultText({ file, line, column, sentence }: Fault): string {
  return `${file}${line === 0 ? '' : `:${line}:${column}`}: ${sentence}`;
}

function listOf(faults: readonly Fault[]): string {
  const lines = faults.slice(0, MOST_FAULTS).map(faultText);
  const more = faults.length - lines.length;
  return `${[...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n')}`;
}

export const DISK: Files = {
  read(path) {
    try {
      const { size } = statSync(path);
      if (!statSync(path).isFile()) {
        return { error: 'is not a file' };
      }
      if (size > MOST_FILE) {
        return { error: `has more than ${MOST_FILE / 2 ** 20} MiB, too much for a zone here` };
      }
      return readFileSync(path, 'latin1');
    } catch (error) {
      return { error: `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}` };
    }
  },
  beside: (from, name) => resolve(dirname(from), name),
};

function readOrigin(text: string): Name {
  const name = readNameText(text, ROOT);
  if (typeof name !== 'string') {
    throw usage(`--origin ${text} is no name: ${name.error}.`, 'Write it like --origin example.org.');
  }
  return name;
}

function readUdpSize(given: unknown): number {
  if (given === undefined) {
    return UDP_SIZE;
  }
  const size = /^\d{1,5}$/.test(String(given)) ? Number(given) : Number.NaN;
  if (!(size >= LEAST_UDP && size <= MOST_UDP)) {
    throw usage(
      `--udp-size ${String(given)} cannot be.`,
      `It is a number of bytes from ${LEAST_UDP} to ${MOST_UDP}; ${UDP_SIZE} when nothing is said.`,
    );
  }
  return size;
}

/** `192.0.2.53`, `192.0.2.53:5353`, `[2001:db8::53]:5353`. */
export function readServer(text: string, option: string): Upstream {
  const [, six, sixPort] = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  const [, four, fourPort] = /^([\d.]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = six ?? four ?? text;
  const port = Number(sixPort ?? fourPort ?? 53);
  if (isIP(host) === 0 || port < 1 || port > 65_535) {
    throw usage(
      `${option} ${text} is no address of a server.`,
      'Give an address, because its name would have to be looked up: 192.0.2.53, 127.0.0.1:5301 or [::1]:53.',
    );
  }
  return { host, port };
}

function listed(given: unknown): string[] {
  return given === undefined ? [] : Array.isArray(given) ? given.map(String) : [String(given)];
}

function usage(message: string, hint: string): SockscopeError {
  return new SockscopeError('DNS_WORDS', message, hint, 2);
}
