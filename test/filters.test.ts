/** The filter language against `ss`: the same rows for a table of filters and for generated ones, in a namespace full of sockets. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXCEPTIONS, FILTERS, REFUSED } from './fixtures/filter-table.ts';
import { generateFilters } from './fixtures/generate-filters.ts';
import { extra, parseInet } from './fixtures/ss-text.ts';
import { startZoo, type Zoo } from './fixtures/zoo.ts';
import { needs } from './needs.ts';

const lab = needs('linux', 'namespace', 'ss', 'ip', 'nsenter', 'bash');
const evaluator = fileURLToPath(new URL('./fixtures/filter-rows.mjs', import.meta.url));

const SEED = 20260101;
const GENERATED = 200;
const TRIES = 10;
/** Hundreds of processes, on a machine that may have other things to do. */
const PATIENCE_MS = 120_000;

/** One shell for all filters; unquoted, so that ss gets the words that a person's shell would give it. */
const ASK_SS = `
set -f
while IFS= read -r filter; do
  ss -tanHOe $filter 2>/dev/null
  printf '= %s\\n' $?
done`;

interface Answer {
  /** Null where the filter was refused. */
  rows: string[] | null;
}

describe.skipIf(lab.missing !== null)(
  `filters beside ss${lab.missing === null ? '' : ` (${lab.missing})`}`,
  () => {
    let zoo: Zoo;

    beforeAll(async () => {
      zoo = await startZoo();
    });

    afterAll(async () => {
      await zoo?.stop();
    });

    async function theirs(filters: readonly string[]): Promise<Map<string, Answer>> {
      const { stdout } = await zoo.run(['bash', '-c', ASK_SS], `${filters.join('\n')}\n`);
      const blocks = stdout.split(/^= (\d+)\n/m);
      return new Map(
        filters.map((filter, at) => {
          const rows = parseInet(blocks[2 * at]!).map(
            (row) =>
              `${row.local.address}#${row.local.port} ${row.peer.address}#${row.peer.port} ${extra(row, 'sk')}`,
          );
          return [filter, { rows: blocks[2 * at + 1] === '0' ? rows.sort() : null }];
        }),
      );
    }

    async function ours(filters: readonly string[]): Promise<Map<string, Answer>> {
      const { stdout, stderr, status } = await zoo.run(
        [process.execPath, evaluator],
        `${filters.join('\n')}\n`,
      );
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const answers = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { filter: string; rows?: string[] });
      return new Map(answers.map(({ filter, rows }) => [filter, { rows: rows?.sort() ?? null }]));
    }

    /** Both answers to each filter, taken while the answer of ss was the same before and after. */
    async function both(filters: readonly string[]): Promise<Map<string, { ss: Answer; us: Answer }>> {
      const settled = new Map<string, { ss: Answer; us: Answer }>();
      let open = filters;
      for (let tried = 0; open.length > 0; tried += 1) {
        if (tried === TRIES) {
          throw new Error(`the sockets did not hold still for: ${open.join('; ')}`);
        }
        const before = await theirs(open);
        const us = await ours(open);
        const after = await theirs(open);
        for (const filter of open) {
          if (JSON.stringify(before.get(filter)) === JSON.stringify(after.get(filter))) {
            settled.set(filter, { ss: after.get(filter)!, us: us.get(filter)! });
          }
        }
        open = open.filter((filter) => !settled.has(filter));
      }
      return settled;
    }

    function differences(answers: Map<string, { ss: Answer; us: Answer }>) {
      return [...answers].flatMap(([filter, { ss, us }]) => {
        if (JSON.stringify(ss) === JSON.stringify(us)) {
          return [];
        }
        const only = (some: Answer, others: Answer) =>
          some.rows?.filter((row) => !others.rows?.includes(row)).slice(0, 3);
        return [
          {
            filter,
            ss: ss.rows?.length ?? 'refused',
            us: us.rows?.length ?? 'refused',
            more: only(us, ss),
            less: only(ss, us),
          },
        ];
      });
    }

    it(
      `${FILTERS.length} written filters choose the same sockets as ss`,
      async () => {
        expect(new Set(FILTERS).size).toBeGreaterThanOrEqual(60);
        const answers = await both(FILTERS);
        expect(differences(answers)).toEqual([]);
        const refused = [...answers].filter(([, { ss }]) => ss.rows === null).map(([filter]) => filter);
        expect(refused).toEqual([]);
      },
      PATIENCE_MS,
    );

    it(
      `${GENERATED} generated filters choose the same sockets as ss`,
      async () => {
        const rows = parseInet((await zoo.run(['ss', '-tanHO'])).stdout);
        const filters = generateFilters(rows, GENERATED, SEED);
        const answers = await both(filters);
        expect(differences(answers), `seed ${SEED}`).toEqual([]);
        // Filters that all choose nothing, or everything, would agree too.
        const telling = [...answers.values()].filter(
          ({ ss }) => ss.rows !== null && ss.rows.length > 0 && ss.rows.length < rows.length,
        );
        expect(telling.length).toBeGreaterThan(GENERATED / 2);
      },
      PATIENCE_MS,
    );

    it.each(EXCEPTIONS)('$filter: $reason', async ({ filter, as }) => {
      const answers = await both([filter, as]);
      expect(answers.get(filter)!.us.rows).not.toBeNull();
      expect(answers.get(filter)!.us.rows).toEqual(answers.get(as)!.ss.rows);
    });

    it('what ss refuses as nonsense is refused here too', async () => {
      const answers = await both(REFUSED);
      expect([...answers].filter(([, { ss, us }]) => ss.rows !== null || us.rows !== null)).toEqual([]);
    });
  },
);
