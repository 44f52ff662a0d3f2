/** Numbers and ports as people and C write them. */
import type { Context } from './context.ts';

/** Decimal, 0x hexadecimal, leading-zero octal: strtoul with base 0, which ss uses. */
export function integer(text: string): number | null {
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) {
    return Number.parseInt(text, 16);
  }
  if (/^0[0-7]{0,11}$/.test(text)) {
    return Number.parseInt(text, 8);
  }
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
}

export interface PortRange {
  from: number;
  to: number;
}

export const LAST_PORT = 65535;

/** A part of a port list that is no port: where it stands within the text. */
export interface PortFault {
  at: number;
  length: number;
  message: string;
}

/** `80`, `http`, `8000-8100`, `80,443`; empty or `*` is any port: null. */
export function ports(text: string, context: Context, protocol?: string): PortRange[] | null | PortFault {
  if (text === '' || text === '*') {
    return null;
  }
  const ranges: PortRange[] = [];
  let at = 0;
  for (const part of text.split(',')) {
    const range = portOrRange(part, context, protocol);
    if (typeof range === 'string') {
      return { at, length: Math.max(1, part.length), message: range };
    }
    ranges.push(range);
    at += part.length + 1;
  }
  return ranges;
}

export function isPortFault(value: PortRange[] | null | PortFault): value is PortFault {
  return value !== null && !Array.isArray(value);
}

function portOrRange(part: string, context: Context, protocol: string | undefined): PortRange | string {
  const ends = /^(\d+)-(\d+)$/.exec(part);
  if (ends !== null) {
    const from = Number(ends[1]);
    const to = Number(ends[2]);
    if (to > LAST_PORT) {
      return tooHigh(ends[2]!);
    }
    return from <= to ? { from, to } : `the range ${part} runs backwards`;
  }
  const number = integer(part);
  if (number !== null) {
    return number > LAST_PORT ? tooHigh(part) : { from: number, to: number };
  }
  if (part === '') {
    return 'a port is missing';
  }
  const port =
    protocol === undefined
      ? (context.services(part, 'tcp') ?? context.services(part, 'udp'))
      : context.services(part, protocol);
  return port === undefined ? `'${part}' is neither a port nor a service name` : { from: port, to: port };
}

function tooHigh(text: string): string {
  return `port ${text} is above ${LAST_PORT}`;
}
