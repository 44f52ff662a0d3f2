import { type Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ScpEvent,
  ScpSinkReader,
  ScpSourceReader,
  scpComplaint,
  scpFileLine,
  scpFolderLine,
  scpTimesLine,
} from './scp.ts';
import { type ScpItem, type ScpReceiver, scpSink, scpSource } from './scp-drive.ts';

function eventsOf(
  pieces: readonly Uint8Array[],
  accept: (event: ScpEvent) => boolean = () => true,
): ScpEvent[] {
  const reader = new ScpSinkReader();
  const events: ScpEvent[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let event = reader.next(); event !== null; event = reader.next()) {
      events.push(event);
      if (event.kind === 'file' || event.kind === 'folder') {
        reader.answer(accept(event));
      }
    }
  }
  return events;
}

const text = (...parts: string[]): Uint8Array[] => parts.map((part) => Buffer.from(part, 'latin1'));

describe('what an scp source sends', () => {
  it('is the same events however the bytes were cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 50 }),
        fc.array(fc.nat(200), { maxLength: 8 }),
        (bytes, cuts) => {
          const whole = Buffer.concat([
            scpTimesLine({ modified: 17, read: 18 }),
            scpFolderLine(0o755, 'd'),
            scpFileLine(0o644, bytes.length, "a 'b"),
            bytes,
            Buffer.of(0),
            Buffer.from('E\n'),
            scpComplaint('no such file'),
          ]);
          const marks = [...new Set([0, ...cuts.map((at) => at % whole.length), whole.length])].sort(
            (a, b) => a - b,
          );
          const pieces = marks.slice(1).map((end, index) => whole.subarray(marks[index], end));
          const events = eventsOf(pieces);
          const data = events.flatMap((event) => (event.kind === 'data' ? [event.bytes] : []));
          expect(Buffer.concat(data)).toEqual(Buffer.from(bytes));
          expect(events.filter(({ kind }) => kind !== 'data')).toEqual([
            { kind: 'times' },
            { kind: 'folder', name: 'd', mode: 0o755, times: { modified: 17, read: 18 } },
            { kind: 'file', name: "a 'b", mode: 0o644, size: bytes.length, times: null },
            { kind: 'end', complaint: null },
            { kind: 'leave' },
            { kind: 'complaint', text: 'no such file', fatal: false },
          ]);
        },
      ),
    );
  });

  it.each([
    'C0644 1 ../evil\n',
    'C0644 1 /etc/passwd\n',
    'C0644 1 ..\n',
    'C0644 1 .\n',
    'C0644 1 \n',
    'D0755 0 a/b\n',
    'C0644 1 a\0b\n',
  ])('ends the reading when a name is not fit for a folder: %j', (line) => {
    const events = eventsOf(text(line, 'C0644 1 good\n'));
    expect(events.map(({ kind }) => kind)).toEqual(['broken']);
  });

  it('may call the folder that was asked for a dot, but nothing inside it', () => {
    expect(eventsOf(text('D0755 0 .\nD0755 0 .\n')).map(({ kind }) => kind)).toEqual(['folder', 'broken']);
  });

  it('skips the bytes of nothing that was refused: the source does not send them', () => {
    const events = eventsOf(
      text('C0644 3 a\nC0644 1 b\nx\0'),
      (event) => event.kind === 'file' && event.name === 'b',
    );
    expect(events.map(({ kind }) => kind)).toEqual(['file', 'file', 'data', 'end']);
  });

  it('cannot end a folder that it never began, nor send a line without an end', () => {
    expect(eventsOf(text('E\n')).map(({ kind }) => kind)).toEqual(['broken']);
    expect(eventsOf(text('C'.repeat(10_000))).map(({ kind }) => kind)).toEqual(['broken']);
  });

  it('never throws and never hangs, whatever comes', () => {
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc
        .stringMatching(/^[CDET012][0-9 ]{0,12}[a-z./]{0,4}\n?$/)
        .map((value) => value.replace(/^[012]/, (digit) => String.fromCharCode(Number(digit))))
        .map((value) => new Uint8Array(Buffer.from(value))),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (pieces) => {
        const sent = pieces.reduce((sum, piece) => sum + piece.length, 0);
        const events = eventsOf(pieces);
        expect(events.length).toBeLessThanOrEqual(sent + pieces.length + 1);
        const replies = new ScpSourceReader();
        for (const piece of pieces) {
          replies.push(piece);
          while (replies.next() !== null) {
            // Every reply takes a byte at least, or is the last.
          }
        }
        for (const event of events) {
          if (event.kind === 'file') {
            expect(event.name).not.toMatch(/[/\0]|^\.{0,2}$/);
          }
        }
      }),
    );
  });
});

async function* given(items: readonly ScpItem[]): AsyncGenerator<ScpItem> {
  yield* items;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const file = (name: string, content: string, size = content.length): ScpItem => ({
  kind: 'file',
  name,
  mode: 0o640,
  times: { modified: 1000, read: 2000 },
  size,
  bytes: once(Buffer.from(content)),
});

function memory(refuse: (name: string) => boolean = () => false) {
  const kept: Record<string, string> = {};
  const complaints: string[] = [];
  const path: string[] = [];
  const receiver: ScpReceiver = {
    async file({ name, mode, times }) {
      if (refuse(name)) {
        throw new Error(`${name}: Permission denied`);
      }
      let content = '';
      return {
        write(bytes) {
          content += Buffer.from(bytes).toString();
        },
        async end(complaint) {
          const where = [...path, name].join('/');
          kept[where] =
            complaint === null ? `${content} ${mode.toString(8)} ${times?.modified}` : `! ${complaint}`;
        },
      };
    },
    async folder({ name }) {
      if (refuse(name)) {
        throw new Error(`${name}: Permission denied`);
      }
      path.push(name);
    },
    async leave() {
      path.pop();
    },
    complaint(said) {
      complaints.push(said);
    },
  };
  return { kept, complaints, receiver };
}

async function exchange(items: readonly ScpItem[], refuse?: (name: string) => boolean) {
  const [a, b] = duplexPair() as [Duplex, Duplex];
  const there = memory(refuse);
  const refusals: string[] = [];
  const sink = scpSink(b, there.receiver);
  await scpSource(a, given(items), ({ name, text: said }) => refusals.push(`${name}: ${said}`));
  a.end();
  await sink;
  return { ...there, refusals };
}

describe('our scp source and our scp sink', () => {
  it('carry files, folders, modes and times', async () => {
    const { kept, refusals } = await exchange([
      { kind: 'folder', name: 'd', mode: 0o755, times: null },
      file('one', 'first'),
      file('empty', ''),
      { kind: 'leave' },
      file('two', 'second'),
    ]);
    expect(kept).toEqual({ 'd/one': 'first 640 1000', 'd/empty': ' 640 1000', two: 'second 640 1000' });
    expect(refusals).toEqual([]);
  });

  it('skip what was refused, with everything below it, and go on', async () => {
    const { kept, refusals } = await exchange(
      [
        { kind: 'folder', name: 'no', mode: 0o755, times: null },
        { kind: 'folder', name: 'deeper', mode: 0o755, times: null },
        file('x', 'x'),
        { kind: 'leave' },
        { kind: 'leave' },
        file('not', 'x'),
        file('two', 'second'),
      ],
      (name) => name.startsWith('no'),
    );
    expect(kept).toEqual({ two: 'second 640 1000' });
    expect(refusals).toEqual(['no: no: Permission denied', 'not: not: Permission denied']);
  });

  it('say so when a file became shorter while it was sent, and the sink does not keep it', async () => {
    const { kept } = await exchange([file('short', 'abc', 100_000), file('after', 'x')]);
    expect(kept).toEqual({ short: '! the file became shorter meanwhile', after: 'x 640 1000' });
  });

  it('end with an error when the other side speaks something else', async () => {
    const [a, b] = duplexPair() as [Duplex, Duplex];
    b.end('Welcome to this machine!\n');
    await expect(scpSource(a, given([file('x', 'x')]), () => undefined)).rejects.toThrow(
      /Welcome to this machine/,
    );
  });

  it('tell the target when the stream ends in the middle of a file', async () => {
    const [a, b] = duplexPair() as [Duplex, Duplex];
    const { kept, receiver } = memory();
    a.end('C0644 10 half\nabc');
    await expect(scpSink(b, receiver)).rejects.toThrow(/ended in the middle/);
    expect(kept.half).toMatch(/ended in the middle/);
  });
});
