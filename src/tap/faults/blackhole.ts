import type { Fault } from '../fault.ts';

export const blackhole: Fault = {
  name: 'blackhole',
  about: 'Swallows everything, the FIN too; the connection stays.',
  attributes: [],
  stream: () => ({ held: 0, data: () => {}, end: () => {}, timer: () => {} }),
  datagram: () => ({ held: 0, datagram: () => {}, timer: () => {} }),
};
