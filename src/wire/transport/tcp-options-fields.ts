/** Every TCP option by name. https://www.iana.org/assignments/tcp-parameters */
import type { Headers } from '../headers.ts';
import { big, bits, type Draft, flag, hex, hex16, named, num, put, u16, type Words } from '../link/fields.ts';
import { FAST_OPEN_EXID, LARGEST_SHIFT, OPTION } from './tcp-options.ts';

const NAMES: Readonly<Record<number, string>> = {
  0: 'end of options',
  1: 'no operation',
  2: 'maximum segment size',
  3: 'window scale',
  4: 'SACK permitted',
  5: 'SACK',
  6: 'echo',
  7: 'echo reply',
  8: 'timestamps',
  9: 'partial order connection permitted',
  10: 'partial order service profile',
  11: 'connection count',
  12: 'connection count new',
  13: 'connection count echo',
  14: 'alternate checksum request',
  15: 'alternate checksum data',
  18: 'trailer checksum',
  19: 'MD5 signature',
  20: 'SCPS capabilities',
  27: 'quick start response',
  28: 'user timeout',
  29: 'authentication (TCP-AO)',
  30: 'multipath TCP',
  34: 'fast open',
  69: 'encryption negotiation (TCP-ENO)',
  172: 'accurate ECN order 0',
  174: 'accurate ECN order 1',
  253: 'experiment 253',
  254: 'experiment 254',
};

/** Every option as fields of the TCP layer. */
export function tcpOptionFields(d: Draft, h: Headers): void {
  const { bytes, optionsEnd: end } = h;
  let at = h.optionsAt;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION.end) {
      put(d, 'tcp.options.eol', true, NAMES[kind]!, at, at + 1);
      return;
    }
    if (kind === OPTION.nop) {
      put(d, 'tcp.options.nop', true, NAMES[kind]!, at, at + 1);
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) {
      put(d, 'tcp.options.malformed', kind, `${optionName(kind)} with a length of ${length}`, at, end);
      return;
    }
    optionFields(d, kind, at, at + length);
    at += length;
  }
}

function optionName(kind: number): string {
  return NAMES[kind] ?? `option ${kind}`;
}

function optionFields(d: Draft, kind: number, at: number, end: number): void {
  const length = end - at;
  const body = at + 2;
  put(d, 'tcp.options.kind', kind, optionName(kind), at, at + 1);
  switch (kind) {
    case OPTION.mss:
      if (length === 4) {
        num(d, 'tcp.options.mss', body, 2);
        return;
      }
      break;
    case OPTION.windowScale:
      if (length === 3) {
        num(d, 'tcp.options.wscale', body, 1, shiftText);
        return;
      }
      break;
    case OPTION.sackPermitted:
      if (length === 2) {
        put(d, 'tcp.options.sack_perm', true, 'yes', at, end);
        return;
      }
      break;
    case OPTION.sack:
      if (length >= 10 && length % 8 === 2) {
        for (let block = body; block < end; block += 8) {
          num(d, 'tcp.options.sack_le', block, 4);
          num(d, 'tcp.options.sack_re', block + 4, 4);
        }
        return;
      }
      break;
    case OPTION.timestamps:
      if (length === 10) {
        num(d, 'tcp.options.timestamp.tsval', body, 4);
        num(d, 'tcp.options.timestamp.tsecr', body + 4, 4);
        return;
      }
      break;
    case OPTION.md5:
      if (length === 18) {
        hex(d, 'tcp.options.md5.digest', body, end);
        return;
      }
      break;
    case OPTION.userTimeout:
      if (length === 4) {
        userTimeout(d, body);
        return;
      }
      break;
    case OPTION.authentication:
      if (length >= 4) {
        num(d, 'tcp.options.ao.keyid', body, 1);
        num(d, 'tcp.options.ao.rnextkeyid', body + 1, 1);
        hex(d, 'tcp.options.ao.mac', body + 2, end);
        return;
      }
      break;
    case OPTION.multipath:
      if (length >= 3) {
        multipathFields(d, body, end);
        return;
      }
      break;
    case OPTION.fastOpen:
      fastOpen(d, at, body, end);
      return;
    case OPTION.experiment1:
    case OPTION.experiment2:
      if (length >= 4) {
        experiment(d, at, end);
        return;
      }
      break;
  }
  hex(d, 'tcp.options.data', body, end);
}

const shiftText: Words = (shift) => `${shift} (times ${2 ** Math.min(shift, LARGEST_SHIFT)})`;

function fastOpen(d: Draft, at: number, cookie: number, end: number): void {
  if (cookie === end) {
    put(d, 'tcp.options.tfo.request', true, 'asks for a cookie', at, end);
  } else {
    hex(d, 'tcp.options.tfo.cookie', cookie, end);
  }
}

/** RFC 5482: the highest bit says minutes instead of seconds. */
function userTimeout(d: Draft, at: number): void {
  const value = u16(d.bytes, at);
  const minutes = value >= 0x8000;
  const seconds = minutes ? (value & 0x7fff) * 60 : value;
  put(d, 'tcp.options.user_to', seconds, `${value & 0x7fff} ${minutes ? 'minutes' : 'seconds'}`, at, at + 2);
}

/** RFC 6994: two bytes of identifier, or four; nobody can tell which without knowing the experiment. */
function experiment(d: Draft, at: number, end: number): void {
  const id = num(d, 'tcp.options.experimental.exid', at + 2, 2, hex16);
  if (id === FAST_OPEN_EXID) {
    fastOpen(d, at, at + 4, end);
  } else {
    hex(d, 'tcp.options.experimental.data', at + 4, end);
  }
}

const CAPABLE = 0;
const JOIN = 1;
const SIGNAL = 2;

const SUBTYPES = named({
  [CAPABLE]: 'MP_CAPABLE',
  [JOIN]: 'MP_JOIN',
  [SIGNAL]: 'DSS',
  3: 'ADD_ADDR',
  4: 'REMOVE_ADDR',
  5: 'MP_PRIO',
  6: 'MP_FAIL',
  7: 'MP_FASTCLOSE',
  8: 'MP_TCPRST',
  15: 'MP_EXPERIMENTAL',
});

/** RFC 8684 section 3. Lengths tell the forms of a subtype apart. */
function multipathFields(d: Draft, at: number, end: number): void {
  const length = end - at + 2;
  const name = 'tcp.options.mptcp';
  const subtype = bits(d, `${name}.subtype`, at, 1, 4, 15, SUBTYPES);
  if (subtype === CAPABLE && (length === 4 || length === 12 || length >= 20)) {
    bits(d, `${name}.version`, at, 1, 0, 15);
    if (length >= 12) {
      big(d, `${name}.sendkey`, at + 2);
    }
    if (length >= 20) {
      big(d, `${name}.recvkey`, at + 10);
    }
  } else if (subtype === JOIN && length === 12) {
    num(d, `${name}.addrid`, at + 1, 1);
    num(d, `${name}.recvtok`, at + 2, 4);
    num(d, `${name}.sendrand`, at + 6, 4);
  } else if (subtype === JOIN && length === 16) {
    num(d, `${name}.addrid`, at + 1, 1);
    hex(d, `${name}.sendtrunchmac`, at + 2, at + 10);
    num(d, `${name}.sendrand`, at + 10, 4);
  } else if (subtype === SIGNAL && length >= 4) {
    sequenceFields(d, name, at + 1, end);
  } else {
    hex(d, `${name}.data`, at + 1, end);
  }
}

function sequenceFields(d: Draft, name: string, at: number, end: number): void {
  const present = d.bytes[at]!;
  flag(d, `${name}.datafin`, at, 16);
  let next = at + 1;
  const long = (bit: number) => (present & bit ? 8 : 4);
  for (const [field, has, size] of [
    ['rawdataack', 1, long(2)],
    ['rawdataseqno', 4, long(8)],
  ] as const) {
    if (!(present & has) || next + size > end) {
      continue;
    }
    if (size === 8) {
      big(d, `${name}.${field}`, next);
    } else {
      num(d, `${name}.${field}`, next, 4);
    }
    next += size;
  }
  if (present & 4 && next + 6 <= end) {
    num(d, `${name}.subflowseqno`, next, 4);
    num(d, `${name}.datalvllen`, next + 4, 2);
  }
}
