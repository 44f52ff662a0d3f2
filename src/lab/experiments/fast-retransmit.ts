/** A loss in the middle is noticed by what follows it; a loss at the end only by a clock. */
import type { Call, Seen } from '../api.ts';
import { atLeast, is, lasts } from '../checks.ts';
import { defineExperiment } from '../experiment.ts';

const DELAY_MS = 20;
/** Segments of 1448 bytes; 10 may be sent at once. */
const SEGMENT = 1448;

export const experiment = defineExperiment(
  { probe: false },
  {
    name: 'fast-retransmit',
    theme: 'loss',
    question: '',
    answers: {},
    answer: 'c',
    seconds: 1,
    stage: ({ probe }) => ({
      wire: { delayMs: DELAY_MS },
      sysctl: { 'net.ipv4.tcp_early_retrans': probe ? 3 : 0 },
    }),
    async story({ client, server, stage, say }) {
      const listener = await server.listening('*:80');
      const c = await client.connected('server:80');
      const s = await server.accepted(listener);

      async function message(lost: readonly number[]): Promise<{ ms: number; from: number; until: number }> {
        const rule = await stage.wire.drop({ from: 'client', data: true, nth: lost });
        const arrives = server.received(s, 10 * SEGMENT);
        const send = await client.send(c, 10 * SEGMENT);
        const last = await arrives;
        await rule.remove();
        await stage.until('everything to be acknowledged', (seen) => seen.infos('client').at(-1)?.sendQueue === 0);
        return { ms: (last.at + last.took - send.at) / 1e6, from: send.at, until: last.at + last.took };
      }

      await say('Ten segments; the third is lost.');
      const middle = await message([3]);
      await say('Ten segments; the last two are lost.');
      const end = await message([9, 10]);
      return { middle, end };
    },
    expect: ({ middle, end }, seen) => [lasts('', middle.ms, 1, 1), lasts('', end.ms, 1, 1)],
    explanation: '',
    remedy: '',
    references: [],
    twin: { title: '', knobs: { probe: true }, expect: () => [] },
  },
);
