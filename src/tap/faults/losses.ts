/** Which of many things is lost: `share` of them, and after a loss `correlation` more, so that losses come in bursts. */
import type { Attribute, Attributes } from '../fault.ts';
import type { Link } from '../stage.ts';
import { share } from './values.ts';

export const lossAttributes: readonly Attribute[] = [
  { name: 'share', kind: 'share', about: 'how many are lost', otherwise: 0.1 },
  {
    name: 'correlation',
    kind: 'share',
    about: 'how much likelier the next loss is after a loss',
    otherwise: 0,
  },
];

export function createLosses(attributes: Attributes, link: Link): () => boolean {
  const loss = share(attributes, 'share', 0.1);
  const correlation = share(attributes, 'correlation');
  let lost = false;
  return () => {
    lost = link.random() < (lost ? loss + correlation : loss);
    return lost;
  };
}
