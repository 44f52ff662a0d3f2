import { defineConfig } from 'vitest/config';

const long = process.env.SOCKSCOPE_LONG === '1';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', ...(long ? [] : ['**/*.long.test.ts'])],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    // Tests that say they may run beside each other: the lab's. Each has four processes of its own.
    maxConcurrency: 3,
  },
});
