import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Happening, relay, step } from './relay.ts';

const NAMES = [
  'dial',
  'move up',
  'move down',
  'shut server',
  'shut client',
  'reset server',
  'reset client',
  'close',
] as const;

function named(commands: number): string {
  return NAMES.filter((_, bit) => (commands & (1 << bit)) !== 0).join(', ');
}

/** `event → commands` line by line; an event without an arrow must bring no command. */
function transcript(text: string): void {
  const state = relay();
  for (const line of text.trim().split('\n')) {
    const [event = '', wanted = ''] = line.split('→').map((part) => part.trim());
    expect(`${event} → ${named(step(state, event as Happening))}`).toBe(`${event} → ${wanted}`);
  }
}

const OPEN = 'accepted → dial\n dialled\n';

describe('before the target has answered', () => {
  test('data before connect stays with its sender, and moves when the target answers', () => {
    transcript(`
      accepted        → dial
      client readable
      dialled         → move up
      up idle`);
  });
  test('a server that speaks first is heard at once', () => {
    transcript(`
      accepted        → dial
      server readable
      dialled         → move down`);
  });
  test('a target that refuses, or never answers, is a client that is reset', () => {
    transcript(`
      accepted    → dial
      dial failed → reset client
      client readable
      close both`);
  });
  test('the tap may end while it dials', () => {
    transcript(`
      accepted   → dial
      close both → close
      dialled`);
  });
  test('FIN before connect is passed on after connect', () => {
    transcript(`
      accepted        → dial
      client readable
      dialled         → move up
      up ended        → shut server
      server readable → move down
      down ended      → close`);
  });
});

describe('FIN', () => {
  test("the client's FIN shuts the server's side and leaves the other direction open", () => {
    transcript(`${OPEN}
      client readable → move up
      up ended        → shut server
      server readable → move down
      down idle
      server readable → move down
      down ended      → close`);
  });
  test("the server's FIN likewise", () => {
    transcript(`${OPEN}
      server readable → move down
      down ended      → shut client
      client readable → move up
      up idle
      client readable → move up
      up ended        → close`);
  });
  test('after its FIN a direction moves no more', () => {
    transcript(`${OPEN}
      client readable → move up
      up ended        → shut server
      client readable
      server writable`);
  });
  test('both at once close both', () => {
    transcript(`${OPEN}
      client readable → move up
      server readable → move down
      up ended        → shut server
      down ended      → close
      client readable
      server readable`);
  });
});

describe('RST', () => {
  test("the client's RST resets the server", () => {
    transcript(`${OPEN}
      client readable → move up
      up sender reset → reset server, close`);
  });
  test("the server's RST resets the client", () => {
    transcript(`${OPEN}
      server readable   → move down
      down sender reset → reset client, close`);
  });
  test('RST after the own FIN resets the other end as well', () => {
    transcript(`${OPEN}
      client readable → move up
      up ended        → shut server
      server readable → move down
      down sender reset → reset client, close`);
  });
  test('what a server said before its RST is delivered first, also when a write met the RST', () => {
    transcript(`${OPEN}
      client readable   → move up
      up receiver reset → move down
      down goes on      → move down
      down ended        → reset client, close`);
  });
  test('a client that closed everything and is still written to resets the server', () => {
    transcript(`${OPEN}
      client readable     → move up
      up ended            → shut server
      server readable     → move down
      down receiver reset → reset server, close`);
  });
  test('a write that meets RST waits for a blocked other direction', () => {
    transcript(`${OPEN}
      server readable   → move down
      down blocked
      client readable   → move up
      up receiver reset
      client writable   → move down
      down sender reset → reset client, close`);
  });
});

describe('back-pressure', () => {
  test('a receiver that takes nothing stops the sender, and only that direction', () => {
    transcript(`${OPEN}
      client readable → move up
      up blocked
      client readable
      server readable → move down
      down idle
      server writable → move up
      up idle
      server writable`);
  });
  test('the other direction likewise', () => {
    transcript(`${OPEN}
      server readable → move down
      down blocked
      server readable
      client readable → move up
      client writable → move down`);
  });
  test('a long transfer gives others their turn and goes on', () => {
    transcript(`${OPEN}
      client readable → move up
      up goes on      → move up
      up goes on      → move up
      up idle
      up goes on`);
  });
});

test('a fault resets or closes both, once', () => {
  transcript(`${OPEN}
    reset both → reset server, reset client
    reset both
    close both`);
  transcript(`${OPEN}
    close both → close
    up ended`);
});

test('whatever happens in whatever order, both ends are ended exactly once, and nothing moves afterwards', () => {
  const events: Happening[] = [
    'dialled',
    'client readable',
    'server readable',
    'client writable',
    'server writable',
    'up idle',
    'up blocked',
    'up goes on',
    'up ended',
    'up sender reset',
    'up receiver reset',
    'down idle',
    'down blocked',
    'down goes on',
    'down ended',
    'down sender reset',
    'down receiver reset',
    'reset both',
    'close both',
    'dial failed',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 60 }), (happened) => {
      const state = relay();
      step(state, 'accepted');
      let over = false;
      for (const event of [...happened, 'close both' as const]) {
        const commands = step(state, event);
        if (over) {
          expect(commands).toBe(0);
        }
        const ending = (commands & ~(2 | 4 | 8 | 16)) !== 0;
        expect(ending).toBe(!over && state.phase === 'over');
        over ||= ending;
      }
      expect(over).toBe(true);
    }),
  );
});
