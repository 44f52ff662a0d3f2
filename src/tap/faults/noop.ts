import type { Fault } from '../fault.ts';
import { passing, passingDatagrams } from './holding.ts';

export const noop: Fault = {
  name: 'noop',
  about: 'Does nothing; bytes take the way they take under a fault.',
  attributes: [],
  stream: () => passing,
  datagram: () => passingDatagrams,
};
