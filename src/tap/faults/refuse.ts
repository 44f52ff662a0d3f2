import type { Fault } from '../fault.ts';
import { GO_ON } from './admission.ts';

export const refuse: Fault = {
  name: 'refuse',
  about: 'Refuses clients as if nobody listened; those it meets by chance or address only are reset at once.',
  attributes: [],
  admit: (_attributes, _link, moment) => (moment === 'accepted' ? { delay: 0, outcome: 'reset' } : GO_ON),
  refuses: true,
};
