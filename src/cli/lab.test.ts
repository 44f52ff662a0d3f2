import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { SockscopeError } from '../errors.ts';
import { THEMES } from '../lab/experiment.ts';
import type { RunExperiment, RunWish } from '../lab/run-types.ts';
import { decode } from '../session/ndjson.ts';
import { painter } from '../view/colour.ts';
import { cellsOf } from '../view/wire/message-line.ts';
import { labCommand } from './lab-command.ts';
import type { LabFace } from './lab-face.ts';
import { closeWaitEvents, fakeLoaders, fakeRun, fakes } from './lab-fixture.ts';
import { type LabFlags, settingsOf } from './lab-flags.ts';
import { openLanes, sides } from './lab-lanes.ts';
import { THEME_WORDS } from './lab-themes.ts';
import { writtenFile } from './written-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockscope-lab-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Setting {
  /** What is typed, line by line; null is the end of the input. Nobody is there without it. */
  readonly typed?: readonly (string | null)[];
  readonly columns?: number;
  readonly run?: RunExperiment;
  readonly colour?: boolean;
  readonly stop?: AbortController;
  readonly lanes?: LabFace['lanes'];
}

interface Heard {
  readonly code: number;
  readonly out: string;
  readonly warned: string;
  readonly asked: string[];
  readonly progress: string[];
  readonly pauses: number[];
  readonly wishes: RunWish[];
}

async function lab(names: readonly string[], flags: LabFlags = {}, setting: Setting = {}): Promise<Heard> {
  const { typed, columns = 100, colour = false, stop = new AbortController() } = setting;
  const wishes: RunWish[] = [];
  const heard = {
    out: '',
    warned: '',
    asked: [] as string[],
    progress: [] as string[],
    pauses: [] as number[],
  };
  const left = [...(typed ?? [])];
  const face: LabFace = {
    run: setting.run ?? fakeRun(0, wishes),
    experiments: fakeLoaders,
    lanes: setting.lanes ?? openLanes,
    paint: painter(colour),
    colour,
    columns,
    terminal: { output: typed !== undefined, input: typed !== undefined },
    print(text) {
      heard.out += text;
    },
    warn(text) {
      heard.warned += `${text}\n`;
    },
    async ask(question) {
      heard.asked.push(question);
      const line = left.shift();
      if (line === undefined) {
        throw new Error(`nothing is left to answer ${question}`);
      }
      return line;
    },
    progress: (text) => void heard.progress.push(text),
    open: (path) => writtenFile(path),
    stop: stop.signal,
    async pause(ms) {
      heard.pauses.push(ms);
    },
    now: () => performance.now(),
  };
  const code = await labCommand(names, flags, face);
  return { code, ...heard, wishes };
}

async function refused(names: readonly string[], flags: LabFlags = {}, setting: Setting = {}) {
  try {
    await lab(names, flags, setting);
  } catch (error) {
    expect(error).toBeInstanceOf(SockscopeError);
    const { code, message, hint, exit } = error as SockscopeError;
    return { code, message, hint, exit };
  }
  throw new Error('it was not refused');
}

describe('the catalogue', () => {
  test('has every experiment on one line, under its theme, in the order of the themes', async () => {
    const { out, code } = await lab([]);
    const lines = out.split('\n');
    expect(code).toBe(0);
    const order = ['OPENING', '  handshake', '  fast-open', 'CLOSING', '  close-wait', 'UDP', '  udp-loss'];
    const rows = order.map((start) => lines.findIndex((line) => line.startsWith(`${start} `)));
    expect(rows.every((row, index) => row >= 0 && (index === 0 || row > rows[index - 1]!))).toBe(true);
    expect(lines[rows[1]!]).toBe('  handshake    2 s  What is seen when it happens?');
    expect(out).toContain('sockscope lab close-wait --twin');
    expect(out).not.toContain('LOSS');
  });

  test('every theme has a title of its own', () => {
    expect(new Set(THEMES.map((theme) => THEME_WORDS[theme].title)).size).toBe(THEMES.length);
  });

  test('--grep looks into names, questions and explanations, whatever their case', async () => {
    const named = (out: string) =>
      fakes.map(({ name }) => name).filter((name) => out.includes(`\n  ${name} `));
    expect(named((await lab([], { grep: 'UDP-L' })).out)).toEqual(['udp-loss']);
    expect(named((await lab([], { grep: 'how many PACKETS' })).out)).toEqual(['handshake']);
    expect(named((await lab([], { grep: 'keeps no state' })).out)).toEqual(['udp-loss']);
    expect(await lab([], { grep: 'quic' })).toMatchObject({
      code: 1,
      out: '',
      warned: 'No experiment speaks of "quic".\n',
    });
  });

  test('--json is one row per line, without the answers', async () => {
    const { out } = await lab([], { json: true });
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ v, type, name }) => [v, type, name])).toEqual(
      fakes.map(({ name }) => [1, 'experiment', name]),
    );
    expect(rows[0].answer).toBeUndefined();
    expect(rows[0].knobs).toEqual({ closes: false, replies: 1 });
  });
});

describe('what is typed wrong', () => {
  test.each([
    ['clos-wait', 'close-wait'],
    ['fastopen', 'fast-open'],
    ['al', 'all'],
  ])('%s: the nearest name is offered', async (typed, near) => {
    expect(await refused([typed])).toMatchObject({ code: 'LAB_UNKNOWN', exit: 2 });
    expect((await refused([typed])).hint).toContain(near);
  });

  test('a name like no other is refused before anything runs', async () => {
    const wishes: RunWish[] = [];
    expect((await refused(['close-wait', 'xyzzy'], {}, { run: fakeRun(0, wishes) })).hint).toContain(
      '--grep',
    );
    expect(wishes).toEqual([]);
  });

  test.each<[LabFlags, string[], string]>([
    [{ twin: true }, [], '--twin goes with'],
    [{ set: ['a=1'] }, [], '--set goes with'],
    [{ predict: 'a' }, ['all'], '--predict does not go with'],
    [{ write: 'x' }, ['close-wait', 'handshake'], '--write is for one'],
    [{ grep: 'x' }, ['close-wait'], '--grep goes with'],
    [{}, ['all', 'handshake'], '`all` already'],
    [{ twin: true, predict: 'a' }, ['close-wait'], 'about the fault'],
    [{ steps: true, json: true }, ['close-wait'], '--steps waits'],
    [{ write: '-', json: true }, ['close-wait'], 'Standard output'],
    [{ steps: true }, ['close-wait'], 'no terminal'],
    [{ predict: 'e' }, ['close-wait'], 'no answer "e"'],
    [{ seed: '-1' }, ['close-wait'], '--seed takes'],
    [{ speed: 'fast' }, ['close-wait'], '--speed takes'],
    [{ speed: '-1' }, ['close-wait'], '--speed takes'],
    [{ speed: '1e9' }, ['close-wait'], '--speed takes'],
    [{ set: ['tcp_retries2'] }, ['close-wait'], '--set takes'],
    [{ set: ['closes=maybe'] }, ['close-wait'], 'closes of close-wait is true or false'],
    [{ set: ['replies=two'] }, ['close-wait'], 'replies of close-wait is a number'],
    [{ set: ['../x=1'] }, ['close-wait'], '--set takes'],
  ])(
    '%j with %j is refused in one sentence, with exit code 2, before anything is shown',
    async (flags, names, words) => {
      const wishes: RunWish[] = [];
      const { message, hint, exit } = await refused(names, flags, { run: fakeRun(0, wishes) });
      expect(message).toContain(words);
      expect(hint).not.toBe('');
      expect(exit).toBe(2);
      expect(wishes).toEqual([]);
    },
  );
});

describe('a prediction', () => {
  test('that is right is told so, and one that is wrong stands beside the answer', async () => {
    const right = await lab(['close-wait'], { predict: 'B' });
    expect(right).toMatchObject({ code: 0, asked: [] });
    expect(right.out).toContain('✓ You were right.\n  b  CLOSE-WAIT');
    const wrong = await lab(['close-wait'], { predict: 'a' });
    expect(wrong.code).toBe(0);
    expect(wrong.out).toMatch(/✗ Not so\.\n {2}you said {2}a {2}TIME-WAIT.*\n {2}it is {5}b {2}CLOSE-WAIT/);
  });

  test('is asked for on a terminal, again after a letter that is no answer', async () => {
    const { asked, out } = await lab(['close-wait'], {}, { typed: ['x', 'yes', 'b'] });
    expect(asked).toHaveLength(3);
    expect(asked[0]).toContain('a, b, c, d');
    expect(out).toContain('✓ You were right.');
  });

  test.each([[['']], [[null]]])('%j: without one the answer is simply told', async (typed) => {
    const { asked, out, code } = await lab(['close-wait'], {}, { typed });
    expect({ asked: asked.length, code }).toEqual({ asked: 1, code: 0 });
    expect(out).toContain('THE ANSWER\n  b  CLOSE-WAIT');
  });

  test('is not asked for with --no-ask, --json, --twin, or where nobody is', async () => {
    const flags: [LabFlags, Setting][] = [
      [{ ask: false }, { typed: [] }],
      [{ json: true }, { typed: [] }],
      [{ twin: true }, { typed: [] }],
      [{}, {}],
    ];
    for (const [flag, setting] of flags) {
      expect((await lab(['close-wait'], flag, setting)).asked).toEqual([]);
    }
  });
});

describe('an outcome', () => {
  test('passed is 0: what was seen, the moment that decides and what to learn are told', async () => {
    const { code, out } = await lab(['close-wait']);
    expect(code).toBe(0);
    for (const words of [
      "THE MOMENT THAT DECIDES  at 0.352 s\n  client's kernel: ESTABLISHED → CLOSE-WAIT (sampled)",
      '✓ the client stays in CLOSE-WAIT',
      'WHY\n  A connection ends in two halves.',
      'WHAT TO DO\n  Close the socket',
      'READ ON\n  RFC 9293',
      'sockscope lab close-wait --twin',
      'Shortened: the day is cut',
      'States were sampled, not traced',
      '✓ 4 of 4 checks passed in 0.4 s',
    ]) {
      expect(out).toContain(words);
    }
  });

  test('failed is 1, and what was seen instead stands there', async () => {
    const { code, out } = await lab(['udp-loss']);
    expect(code).toBe(1);
    expect(out).toMatch(/✗ seven datagrams arrive +seen: 8\n/);
    expect(out).toContain('✗ 1 of 2 checks passed');
  });

  test('skipped is 3 with the reason, broken is 1 with the reason', async () => {
    const skipped = await lab(['fast-open']);
    expect(skipped.code).toBe(3);
    expect(skipped.warned).toContain('this kernel has no net.ipv4.tcp_fastopen');
    const good = fakeRun(0);
    const broken = await lab(
      ['handshake'],
      {},
      {
        run: async (...words) => ({
          ...(await good(...words)),
          how: 'broken',
          why: 'nobody accepted',
          checks: [],
        }),
      },
    );
    expect(broken.code).toBe(1);
    expect(broken.warned).toContain('nobody accepted');
  });

  test('a stage that cannot be built is an error, and no file is left', async () => {
    const path = join(folder, 'none.pcapng');
    const run: RunExperiment = () =>
      Promise.reject(new SockscopeError('LAB_STAGE', 'No stage here.', 'Try as root.', 3));
    expect(await refused(['close-wait'], { write: path }, { run })).toMatchObject({
      code: 'LAB_STAGE',
      exit: 3,
    });
    expect(() => readFileSync(path)).toThrow('ENOENT');
  });

  test('of several names the worst counts, and each is told', async () => {
    const { code, out } = await lab(['handshake', 'fast-open', 'udp-loss']);
    expect(code).toBe(1);
    expect(out).toMatch(/^handshake .*\n\n\nfast-open .*\n\n\nudp-loss /s);
    expect((await lab(['handshake', 'fast-open'])).code).toBe(3);
  });

  test('the twin is told as the remedy, and the wish says so', async () => {
    const { out, wishes } = await lab(['close-wait'], { twin: true });
    expect(wishes[0]?.twin).toBe(true);
    expect(out).toContain('the healthy twin');
    expect(out).toContain('THE REMEDY\n  Close the socket');
    expect(out).not.toContain('THE ANSWER');
  });

  test('--explain-only runs nothing and tells all', async () => {
    const { out, wishes, code } = await lab(['close-wait'], { explainOnly: true });
    expect({ code, wishes }).toEqual({ code: 0, wishes: [] });
    expect(out).toContain('THE ANSWER\n  b  CLOSE-WAIT');
    expect(out).toContain('closes=false replies=1');
    const { out: json } = await lab(['close-wait'], { explainOnly: true, json: true });
    expect(JSON.parse(json)).toMatchObject({
      type: 'experiment',
      answer: 'b',
      references: expect.any(Array),
    });
  });
});

describe('--json', () => {
  test('is a session that our reader reads, and the outcome as its last line', async () => {
    const { out, code } = await lab(['close-wait'], { json: true, predict: 'a', seed: '7' });
    const lines = out.trimEnd().split('\n');
    const last = JSON.parse(lines.pop()!);
    const read = lines.map(decode);
    expect(read.filter(({ ok }) => !ok)).toEqual([]);
    expect(lines).toHaveLength(1 + closeWaitEvents.length);
    expect(lines[0]).toContain('"type":"session"');
    expect(last).toMatchObject({
      v: 1,
      type: 'outcome',
      name: 'close-wait',
      twin: false,
      how: 'passed',
      seed: 7,
      answer: 'b',
      prediction: 'a',
      moment: { type: 'state', to: 'CLOSE-WAIT' },
    });
    expect(code).toBe(0);
  });
});

describe('all', () => {
  test('runs each experiment and then its twin, says what failed, and ends with a count', async () => {
    const { out, code, progress, wishes } = await lab(['all']);
    expect(code).toBe(1);
    expect(out.split('\n').slice(0, 4)).toEqual([
      '  EXPERIMENT  CHECKS     TIME  VERDICT',
      '  close-wait     4/4    0.4 s  ✓ passed',
      '    twin         4/4    0.4 s  ✓ passed',
      '  handshake      4/4    0.4 s  ✓ passed',
    ]);
    expect(out).toContain('– skipped: this kernel has no net.ipv4.tcp_fastopen');
    expect(out).toMatch(/✗ failed\n {4}✗ seven datagrams arrive/);
    expect(out).toMatch(/✗ 8 runs: 4 passed, 2 failed, 2 skipped in \d/);
    expect(wishes.map(({ twin }) => twin)).toEqual([false, true, false, true, false, true, false, true]);
    expect(progress[0]).toMatch(/^1\/8 {2}close-wait, about \d/);
  });

  test('0 when nothing failed, 3 when nothing could run, 1 when nothing is meant', async () => {
    expect((await lab(['all'], { grep: 'handshake' })).code).toBe(0);
    expect((await lab(['all'], { grep: 'fast-open' })).code).toBe(3);
    expect((await lab(['all'], { grep: 'quic' })).code).toBe(1);
  });

  test('--json is one outcome per line', async () => {
    const { out } = await lab(['all'], { json: true });
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows.map(({ type, name, twin }) => `${type} ${name} ${twin}`)).toEqual(
      fakes.flatMap(({ name }) => [`outcome ${name} false`, `outcome ${name} true`]),
    );
  });

  test('a stage that breaks later is one broken row; one that never worked ends it all', async () => {
    const failing = new SockscopeError('LAB_STAGE', 'No memory for a stage.', 'Free some.', 3);
    const good = fakeRun(0);
    const once: RunExperiment = (name, ...rest) =>
      name === 'handshake' ? Promise.reject(failing) : good(name, ...rest);
    const { out, code } = await lab(['all'], {}, { run: once });
    expect(code).toBe(1);
    expect(out).toContain('✗ broken: No memory for a stage.');
    expect(await refused(['all'], {}, { run: () => Promise.reject(failing) })).toMatchObject({
      code: 'LAB_STAGE',
    });
  });

  test('Ctrl-C ends it with what was done so far', async () => {
    const stop = new AbortController();
    const good = fakeRun(0);
    let runs = 0;
    const run: RunExperiment = (...words) => {
      if (++runs === 3) {
        stop.abort('SIGINT');
      }
      return good(...words);
    };
    const { out, code } = await lab(['all'], {}, { run, stop });
    expect(code).toBe(130);
    // The third had begun beside the second, whose end nobody waits for any more.
    expect(out).toMatch(/\n1 of 8 runs: 1 passed in /);
    expect(runs).toBe(3);
  });
});

describe('Ctrl-C in an experiment', () => {
  test('reaches the engine, and what was seen so far is said and recorded', async () => {
    const stop = new AbortController();
    const good = fakeRun(0);
    const run: RunExperiment = (name, wish, handlers) =>
      good(name, wish, {
        ...handlers,
        events(batch) {
          handlers.events(batch);
          if (batch.some(({ type }) => type === 'fate')) {
            stop.abort('SIGTERM');
          }
        },
      });
    const path = join(folder, 'cut.pcapng');
    const { out, warned, code } = await lab(['close-wait', 'handshake'], { json: true }, { run, stop });
    expect(code).toBe(143);
    expect(warned).toMatch(/^Stopped after \d+\.\d s: 1 system call, 1 packet, 1 state change seen\./);
    expect(out).not.toContain('outcome');
    const again = await lab(['close-wait'], { write: path }, { run, stop: new AbortController() });
    expect(again.warned).toContain(`written to ${path}`);
    expect(readFileSync(path).length).toBeGreaterThan(100);
  });

  test('at the question nothing is run', async () => {
    const stop = new AbortController();
    const wishes: RunWish[] = [];
    const typed: (string | null)[] = [null];
    stop.abort('SIGINT');
    const { code } = await lab(['close-wait'], {}, { typed, stop, run: fakeRun(0, wishes) });
    expect({ code, runs: wishes.length }).toEqual({ code: 130, runs: 0 });
  });
});

describe('--steps', () => {
  test('shows what is so far before it asks, and goes on after Enter', async () => {
    const { asked, out, code } = await lab(
      ['close-wait'],
      { steps: true, predict: 'b' },
      { typed: ['', '', ''] },
    );
    expect(code).toBe(0);
    expect(asked.map((text) => text.slice(0, 20))).toEqual([
      '▸ The client connect',
      '▸ The server says go',
      '▸ The client has rea',
    ]);
    expect(out).toContain('4 of 4 checks');
  });

  test.each(['q', null])('%j stops', async (typed) => {
    const { warned, out, code } = await lab(
      ['close-wait'],
      { steps: true, predict: 'b' },
      { typed: ['', typed] },
    );
    expect(code).toBe(0);
    expect(warned).toContain('Stopped after');
    expect(out).not.toContain('checks');
  });
});

describe('--speed', () => {
  test('draws when it is over, waiting as long as it took times the factor', async () => {
    const { pauses, out } = await lab(['close-wait'], { speed: '0.1' });
    const total = pauses.reduce((sum, ms) => sum + ms, 0);
    expect(total).toBeGreaterThan(3900);
    expect(total).toBeLessThan(4001);
    expect(out).toMatch(/FIN.*WHY/s);
    const atOnce = await lab(['close-wait'], { speed: '0' });
    expect(atOnce.pauses).toEqual([]);
    // Live, this call is told when it returns; afterwards it is known to begin before what it waited for.
    const begins = /recv\(5, 4096\) …/;
    expect(atOnce.out).toMatch(begins);
    expect((await lab(['close-wait'])).out).not.toMatch(begins);
  });
});

describe('--set', () => {
  test('a knob of the experiment is turned, anything else is a sysctl of the hosts', async () => {
    const set = ['closes=on', 'replies=2.5', 'tcp_retries2=5', 'net/ipv4/ip_local_port_range=40000 40009'];
    const { wishes } = await lab(['close-wait'], { set });
    expect(wishes[0]).toMatchObject({
      knobs: { closes: true, replies: 2.5 },
      sysctl: { tcp_retries2: 5, 'net.ipv4.ip_local_port_range': '40000 40009' },
    });
  });

  test('in several experiments a knob is only for those that have it', async () => {
    const { wishes } = await lab(['close-wait', 'handshake'], { set: ['replies=3', 'tcp_x=1'] });
    expect(wishes.map(({ knobs, sysctl }) => [knobs, sysctl])).toEqual([
      [{ replies: 3 }, { tcp_x: 1 }],
      [{}, { tcp_x: 1 }],
    ]);
  });

  test('any text is either refused in one sentence or set as it was typed', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(fc.constantFrom('closes', 'replies', 'tcp_x', '__proto__', ''), fc.string())
        .map((one) => one.join('=')),
      fc.tuple(fc.stringMatching(/^[a-z_]+(\.[a-z_]+){0,2}$/), fc.integer()).map((one) => one.join('=')),
    );
    fc.assert(
      fc.property(text, (typed) => {
        let settings: ReturnType<ReturnType<typeof settingsOf>>;
        try {
          settings = settingsOf([typed], fakes)(fakes[0]!);
        } catch (error) {
          expect(error).toBeInstanceOf(SockscopeError);
          expect((error as SockscopeError).exit).toBe(2);
          return;
        }
        const set = [...Object.entries(settings.knobs), ...Object.entries(settings.sysctl)];
        expect(set).toHaveLength(1);
        const [name, value] = set[0]!;
        expect(name).toBe(typed.slice(0, typed.indexOf('=')).trim().replaceAll('/', '.'));
        if (typeof value !== 'boolean') {
          const right = typed.slice(typed.indexOf('=') + 1).trim();
          expect(typeof value === 'number' ? value : String(value)).toBe(
            typeof value === 'number' ? Number(right) : right,
          );
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('no line is wider than the terminal, with colours or without', async () => {
  for (const columns of [40, 60, 80, 100, 140]) {
    for (const names of [[], ['close-wait'], ['udp-loss']]) {
      const { out } = await lab(names, names.length > 0 ? { predict: 'a', speed: '0' } : {}, {
        columns,
        colour: true,
        // The drawing has a test of its own.
        lanes: async () => ({ header: () => [], add: () => [], flush: () => [] }),
      });
      const lines = out.split('\n');
      // Commands to type are not folded: they are copied.
      const wide = lines.filter((line) => cellsOf(line) > columns && !line.includes('sockscope lab'));
      expect(wide).toEqual([]);
    }
  }
});

test('the lanes are those of the client and the server, or of the first two hosts', () => {
  expect(sides(['router', 'server', 'client'])).toEqual(['client', 'server']);
  expect(sides(['a', 'b', 'c'])).toEqual(['a', 'b']);
  expect(sides(['alone'])).toEqual(['alone', 'alone']);
});

test('--help has examples, and the words of the command line reach the run', async () => {
  const { define } = await import('./lab.ts');
  let help = '';
  const command = define(new Command('lab'));
  command.configureOutput({ writeOut: (text) => (help += text) }).exitOverride();
  await expect(command.parseAsync(['--help'], { from: 'user' })).rejects.toThrow();
  expect(help).toContain('sockscope lab close-wait --twin');
  const again = define(new Command('lab')).exitOverride();
  await expect(
    again.parseAsync(['--set', 'a=1', '--set', 'b', 'all', '--no-ask'], { from: 'user' }),
  ).rejects.toMatchObject({ code: 'LAB_SET' });
});
