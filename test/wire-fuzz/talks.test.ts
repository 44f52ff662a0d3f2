/** Mutations of what nobody understood would prove nothing: each talk made by hand is read to its end by its decoder. */
import { expect, it } from 'vitest';
import { hear } from '../../src/wire/app/decoder.contract.ts';
import { decoders } from './spoken.ts';
import { craftedTalks } from './talks.ts';

const talks = craftedTalks().flatMap((talk, i) => {
  const decoder = decoders.find(({ name }) => name === (talk.begins ?? talk.protocol));
  return decoder === undefined ? [] : [{ ...talk, decoder, title: `${talk.protocol} ${i}` }];
});

it.each(talks)('$title is understood', ({ decoder, turns, transport, port }) => {
  const others = decoders.filter((one) => one !== decoder);
  const { said, troubles } = hear(decoder, turns, { transport, serverPort: port, others });
  expect(troubles).toEqual([]);
  expect(said.length).toBeGreaterThan(0);
});
