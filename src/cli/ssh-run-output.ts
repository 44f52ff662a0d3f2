/** What is shown of commands on hosts: as it comes, with a prefix per line, or as JSON. */
import { finished, type Writable } from 'node:stream';
import type { SockscopeError } from '../errors.ts';
import type { SshConnection } from '../make/ssh/connection.ts';
import { lineSink } from '../make/ssh/lines.ts';
import { type Ending, statusOf } from '../make/ssh/run.ts';
import { durationText } from '../session/quantities.ts';
import { type Colour, painter, wantsColour } from '../view/colour.ts';
import { paint, print, warn } from './output.ts';

export interface Outcome {
  readonly name: string;
  readonly status: number;
  /** For the summary. */
  readonly words: string;
  readonly ms: number;
}

export interface HostOutput {
  readonly out: Writable;
  readonly err: Writable;
  connected(connection: SshConnection, ms: number): void;
  ended(ending: Ending, ms: number): Promise<Outcome>;
  failed(error: SockscopeError, ms: number): Outcome;
}

export interface OutputWish {
  readonly deadlineMs: number | null;
}

const COLOURS: readonly Colour[] = ['cyan', 'green', 'magenta', 'yellow', 'blue'];
/** As ssh(1) says it. */
const NOT_REACHED = 255;

function ending(end: Ending, { deadlineMs }: OutputWish): { words: string; sentence: string | null } {
  switch (end.kind) {
    case 'exit':
      return { words: `exit ${end.status}`, sentence: null };
    case 'signal':
      return { words: end.signal, sentence: `the command was ended by ${end.signal}` };
    case 'deadline': {
      const after = durationText((deadlineMs ?? 0) * 1e6);
      const then = end.gone ? 'was ended' : 'could not be ended: it may still run there';
      return { words: 'deadline', sentence: `the command did not end within ${after} and ${then}` };
    }
    case 'lost':
      return { words: 'lost', sentence: `the connection was lost: ${end.why}` };
  }
}

function outcome(name: string, end: Ending, words: string, ms: number): Outcome {
  return { name, status: statusOf(end), words, ms };
}

export function alone(name: string, wish: OutputWish): HostOutput {
  return {
    out: process.stdout,
    err: process.stderr,
    connected() {},
    async ended(end, ms) {
      const { words, sentence } = ending(end, wish);
      if (sentence !== null) {
        warn(`sockscope: ${name}: ${sentence}.`);
      }
      return outcome(name, end, words, ms);
    },
    failed(error, ms) {
      if (error.exit !== 1) {
        throw error;
      }
      // 1 would look like the command's own status.
      warn(`${paint.bold('sockscope:')} ${error.message}\n${error.hint}`);
      return { name, status: NOT_REACHED, words: error.code, ms };
    },
  };
}

export function prefixed(name: string, index: number, wish: OutputWish): HostOutput {
  const colour = COLOURS[index % COLOURS.length]!;
  const sink = (stream: NodeJS.WriteStream): Writable => {
    const colours = painter(wantsColour(stream.isTTY === true, process.env));
    const prefix = Buffer.from(colours[colour](`${name}: `));
    const end = Buffer.from('\n');
    return lineSink((line) => {
      const whole = line[line.length - 1] === end[0];
      stream.write(Buffer.concat(whole ? [prefix, line] : [prefix, line, end]));
    });
  };
  const out = sink(process.stdout);
  const err = sink(process.stderr);
  return {
    out,
    err,
    connected() {},
    async ended(end, ms) {
      await Promise.all([closed(out), closed(err)]);
      const { words, sentence } = ending(end, wish);
      if (sentence !== null) {
        warn(`${name}: ${sentence}.`);
      }
      return outcome(name, end, words, ms);
    },
    failed(error, ms) {
      warn(`${name}: ${error.message}\n${name}: ${error.hint}`);
      return { name, status: NOT_REACHED, words: error.code, ms };
    },
  };
}

export function asJson(name: string, wish: OutputWish): HostOutput {
  const put = (type: string, fields: object): void => {
    print(`${JSON.stringify({ v: 1, type, host: name, ...fields })}\n`);
  };
  const sink = (stream: 'stdout' | 'stderr'): Writable =>
    lineSink((line) => {
      const text = line.toString('utf8');
      // What is no text is not bent into one.
      put('output', {
        stream,
        ...(Buffer.from(text).equals(line) ? { text } : { base64: line.toString('base64') }),
      });
    });
  const out = sink('stdout');
  const err = sink('stderr');
  return {
    out,
    err,
    connected({ user, host, port, hostKey }, ms) {
      put('connected', { address: host, port, user, hostKey, ms });
    },
    async ended(end, ms) {
      await Promise.all([closed(out), closed(err)]);
      const { words, sentence } = ending(end, wish);
      put('end', {
        how: end.kind,
        status: statusOf(end),
        ...(end.kind === 'signal' ? { signal: end.signal } : {}),
        ...(sentence === null ? {} : { why: sentence }),
        ms,
      });
      return outcome(name, end, words, ms);
    },
    failed(error, ms) {
      put('failed', { code: error.code, why: error.message, hint: error.hint, ms });
      return { name, status: NOT_REACHED, words: error.code, ms };
    },
  };
}

function closed(sink: Writable): Promise<void> {
  return new Promise((resolve) => {
    finished(sink, () => resolve());
    sink.end();
  });
}

/** One line per host, on standard error: standard output is the commands'. */
export function summary(outcomes: readonly Outcome[]): void {
  const paint = painter(wantsColour(process.stderr.isTTY === true, process.env));
  const names = Math.max(...outcomes.map(({ name }) => name.length));
  const words = Math.max(...outcomes.map((one) => one.words.length));
  for (const { name, status, words: how, ms } of outcomes) {
    const line = `${name.padEnd(names)}  ${how.padEnd(words)}  ${(ms / 1000).toFixed(1).padStart(6)} s`;
    warn(status === 0 ? paint.dim(line) : paint.red(line));
  }
}
