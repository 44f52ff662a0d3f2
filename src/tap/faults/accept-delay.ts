import type { Fault } from '../fault.ts';
import { GO_ON } from './admission.ts';
import { amount, MS } from './values.ts';

export const acceptDelay: Fault = {
  name: 'accept-delay',
  about: 'Leaves a new client waiting before the target is dialled.',
  attributes: [{ name: 'delayMs', kind: 'duration', about: 'for how long' }],
  admit: (attributes, _link, moment) =>
    moment === 'accepted' ? { delay: amount(attributes, 'delayMs') * MS, outcome: 'go on' } : GO_ON,
};
