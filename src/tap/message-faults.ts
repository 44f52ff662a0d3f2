/** Faults that exist only where a message is seen: the gate does them. They have no stages, only names and attributes. */
import type { Fault } from './fault.ts';

export const messageFaults: readonly Fault[] = [
  {
    name: 'reply',
    about: 'Answers a matching message instead of its server: `reply http 503 when http.path ~ "/pay*"`.',
    attributes: [
      { name: 'protocol', kind: 'word', about: 'of the answer' },
      { name: 'text', kind: 'word', about: 'what it says, as that protocol writes it' },
    ],
  },
  { name: 'close', about: 'Closes the connection in the place of a matching message.', attributes: [] },
];
