/** A tap's recording as pcapng, without any privilege: packets made around the bytes, what was said in them as comments, the rest as journal entries. */
import { hostname, release, type as systemName } from 'node:os';
import { emptyOut, type Out } from '../../wire/bytes-out.ts';
import { LINK } from '../../wire/headers.ts';
import type { Heard } from '../../wire/heard.ts';
import {
  writeInterface,
  writeJournal,
  writePacket,
  writeSecrets,
  writeSection,
  writeStatistics,
} from '../../wire/pcapng-writer.ts';
import { errnoText } from '../errno-text.ts';
import type { Observation } from '../observation.ts';
import { addressText, tapEvents } from '../to-events.ts';
import { createSynthesis } from './synthesis.ts';

/** Handed to `write` when so much has gathered. */
const PAGE = 64 * 1024;
/** Of a pipeline's messages, so many are written beside the packet that completed them. */
const MAX_COMMENTS = 100;
const MAX_SUMMARY = 1000;
/** Each loss is counted; the first ones are also described. */
const MAX_LOSS_NOTES = 1000;
/** Each tap is an interface of its own in the file; those beyond share the last one. */
const MAX_INTERFACES = 256;

export interface TapRecorderOptions {
  readonly version: string;
  readonly write: (bytes: Uint8Array) => void;
  /** The wall clock at which `at` is 0. */
  readonly startedAt: { readonly seconds: number; readonly nanoseconds: number };
  /** Secrets are as they are in messages. */
  readonly reveal: boolean;
  /** The program that holds an address (`127.0.0.1:40000`), as `redis-cli pid 77`; '' when nobody knows. */
  readonly ownerOf?: (address: string) => string;
}

export interface TapRecorder {
  /** In their order. `connections` and `bytes` must be wanted of the engine; with `messages` they become comments. */
  observe(observation: Observation): void;
  /** A line of SSLKEYLOGFILE, before the bytes that it opens. */
  secrets(keyLogLine: string): void;
  /** Everything so far goes to `write`: what is cut off here can be read. */
  flush(): void;
  finish(): void;
}

interface Last {
  readonly index: number;
  of: Observation;
  frame: Uint8Array;
  length: number;
  comments: string[] | undefined;
  unsaid: number;
}

export function createTapRecorder(options: TapRecorderOptions): TapRecorder {
  const { startedAt, write } = options;
  const out: Out = emptyOut(2 * PAGE);
  const events = tapEvents(0);
  const interfaces = new Map<string, number>();
  /** Messages are told after the bytes that completed them: their packet waits for them. */
  let last: Last | null = null;
  let packets = 0;
  let dropped = 0;
  let latest = 0;
  let seconds = 0;
  let nanoseconds = 0;

  writeSection(out, {
    application: `sockscope ${options.version}`,
    os: `${systemName()} ${release()}`,
    hardware: hostname(),
    comment: `recorded by sockscope tap; ${options.reveal ? 'secrets are as they were' : 'secrets in comments are masked'}`,
  });

  function date(at: number): void {
    const total = startedAt.nanoseconds + Math.max(0, Math.floor(at));
    const whole = Math.floor(total / 1e9);
    seconds = startedAt.seconds + whole;
    nanoseconds = total - whole * 1e9;
    latest = Math.max(latest, at);
  }

  function interfaceOf(tap: string): number {
    const known = interfaces.get(tap);
    if (known !== undefined) {
      return known;
    }
    const index = Math.min(interfaces.size, MAX_INTERFACES - 1);
    if (interfaces.size < MAX_INTERFACES) {
      writeInterface(out, { linkType: LINK.raw, snapLength: 0, name: `tap ${tap}` });
      interfaces.set(tap, index);
    }
    return index;
  }

  function put(): void {
    if (last === null) {
      return;
    }
    const { index, of, frame, length, comments, unsaid } = last;
    if (unsaid > 0) {
      comments?.push(`… and ${unsaid} more messages`);
    }
    date(of.at);
    writePacket(out, index, seconds, nanoseconds, frame, 0, length, length, comments);
    packets++;
    last = null;
    if (out.length > PAGE) {
      hand();
    }
  }

  function hand(): void {
    if (out.length > 0) {
      write(out.bytes.subarray(0, out.length));
      out.length = 0;
    }
  }

  function note(seen: Observation, text: string, priority: '4' | '5' | '6'): void {
    put();
    date(seen.at);
    const event = events.line(seen);
    writeJournal(out, seconds, nanoseconds, [
      ['MESSAGE', text],
      ['PRIORITY', priority],
      ['SYSLOG_IDENTIFIER', 'sockscope'],
      ...('tap' in seen ? [['SOCKSCOPE_TAP', seen.tap] as const] : []),
      ...('connection' in seen ? [['SOCKSCOPE_CONNECTION', String(seen.connection)] as const] : []),
      ...(event === null || seen.type === 'bytes' ? [] : [['SOCKSCOPE_EVENT', event] as const]),
    ]);
    if (out.length > PAGE) {
      hand();
    }
  }

  function said(seen: Extract<Observation, { type: 'message' }>): void {
    const text = saidText(seen.heard);
    const { of } = last ?? {};
    if (of?.type !== 'bytes' || of.tap !== seen.tap || of.connection !== seen.connection) {
      // Completed by the end of a stream, not by bytes.
      note(seen, text, '6');
    } else if (last !== null) {
      last.comments ??= [];
      if (last.comments.length < MAX_COMMENTS) {
        last.comments.push(text);
      } else {
        last.unsaid++;
      }
    }
  }

  const synthesis = createSynthesis(
    {
      frame(of, frame, length, comments) {
        put();
        last = { index: interfaceOf('tap' in of ? of.tap : ''), of, frame, length, comments, unsaid: 0 };
      },
      lost(of, why) {
        dropped++;
        if (dropped <= MAX_LOSS_NOTES) {
          note(of, why, '4');
        }
      },
    },
    { ownerOf: options.ownerOf ?? (() => ''), errnoText },
  );

  return {
    observe(seen) {
      if (seen.type === 'message') {
        said(seen);
        return;
      }
      const text = noted(seen);
      if (text !== null) {
        note(seen, text, seen.type === 'lost' ? '4' : '5');
      }
      synthesis.observe(seen);
    },
    secrets(line) {
      put();
      writeSecrets(out, line.endsWith('\n') ? line : `${line}\n`);
    },
    flush() {
      put();
      hand();
    },
    finish() {
      put();
      // A file without an interface is a file that some readers refuse; and the counts need one.
      if (interfaces.size === 0) {
        interfaceOf('none');
      }
      date(latest);
      writeStatistics(out, 0, seconds, nanoseconds, { received: packets + dropped, dropped });
      hand();
    },
  };
}

function saidText({ side, protocol, summary, asked, latency }: Heard): string {
  const short = summary.length > MAX_SUMMARY ? `${summary.slice(0, MAX_SUMMARY)}…` : summary;
  const after = asked === null ? '' : `  ${(latency / 1e6).toFixed(3)} ms after ${asked}`;
  return `${side === 'client' ? '→' : '←'} ${protocol} ${short}${after}`;
}

/** What no packet can tell. */
function noted(seen: Observation): string | null {
  switch (seen.type) {
    case 'fault':
      return `${where(seen)}: broken on purpose: ${seen.what}`;
    case 'held':
      return `${where(seen)}: held: ${seen.heard.summary.slice(0, MAX_SUMMARY)}`;
    case 'released':
      return `${where(seen)}: let go: ${seen.verdict}`;
    case 'trouble':
      return `${where(seen)}: not understood from the ${seen.from}: ${seen.why}`;
    case 'lost':
      return `${seen.count} observations were lost: ${seen.why}`;
    case 'standing':
      return `tap ${seen.tap}, ${addressText(seen.listens)}: ${seen.state}${seen.why === '' ? '' : `: ${seen.why}`}`;
    default:
      return null;
  }
}

function where({ tap, connection }: { readonly tap: string; readonly connection: number }): string {
  return `tap ${tap} #${connection}`;
}
