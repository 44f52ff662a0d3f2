import { defineConfig } from 'vitest/config';

const long = process.env.SOCKSCOPE_LONG === '1';

/** Pure code, and what cleans up behind itself: its files share a process, which spares each of them half a second of loading. */
const TOGETHER = [
  'src/{wire,session,view,see,reactor,tap,tui,watch}/**/*.test.{ts,tsx}',
  'src/make/{cache,gob,serve,dial,load}/**/*.test.ts',
];

const shared = {
  testTimeout: 30_000,
  hookTimeout: 60_000,
  pool: 'forks',
  // Tests that say they may run beside each other: the lab's. Each has four processes of its own.
  maxConcurrency: 3,
} as const;

const never = ['**/node_modules/**', ...(long ? [] : ['**/*.long.test.ts'])];

export default defineConfig({
  test: {
    // Two cores, and many a test that waits.
    maxWorkers: 3,
    projects: [
      { test: { ...shared, name: 'together', include: TOGETHER, exclude: never, isolate: false } },
      {
        test: {
          ...shared,
          name: 'alone',
          include: ['src/**/*.test.{ts,tsx}', 'test/**/*.test.ts'],
          exclude: [...never, ...TOGETHER],
        },
      },
    ],
  },
});
