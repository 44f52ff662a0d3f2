/** The themes of the experiments, as the catalogue calls them. */
import type { Theme } from '../lab/experiment.ts';

export const THEME_WORDS: Readonly<Record<Theme, { readonly title: string; readonly about: string }>> = {
  opening: { title: 'OPENING', about: 'how a connection begins, and how it fails to' },
  closing: { title: 'CLOSING', about: 'how it ends, and what stays behind' },
  errors: { title: 'ERRORS', about: 'the other end is gone: who learns of it, when, and by which errno' },
  queues: { title: 'QUEUES', about: 'what waits in the kernel, and what happens when it is full' },
  data: { title: 'DATA', about: 'how bytes flow, and why they sometimes do not' },
  loss: { title: 'LOSS', about: 'packets that are lost, late or too large' },
  ports: { title: 'PORTS', about: 'who may have which address, and what runs out' },
  udp: { title: 'UDP', about: 'datagrams, and nothing that looks after them' },
  processes: { title: 'PROCESSES', about: 'descriptors, children and signals' },
  programs: { title: 'PROGRAMS', about: 'servers and clients as they are really written' },
};
