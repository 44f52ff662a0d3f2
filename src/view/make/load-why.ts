/** Why a load run ended, in one sentence. */
import type { LoadResult } from '../../session/load.ts';
import { count, several } from '../units.ts';

export function loadWhyText({ why, target, requests, kind, descriptors }: LoadResult): string {
  switch (why.code) {
    case 'time':
      return 'the time was up';
    case 'count':
      return `all ${several(requests, nounOf(kind))} were made`;
    case 'interrupted':
      return 'it was interrupted';
    case 'ports': {
      const all = why.to - why.from + 1;
      const states = [
        why.timeWait > 0 ? `${count(why.timeWait)} in TIME_WAIT` : '',
        why.established > 0 ? `${count(why.established)} ESTABLISHED` : '',
        why.other > 0 ? `${count(why.other)} in other states` : '',
      ].filter((part) => part !== '');
      return why.established + why.other === 0
        ? `${count(why.timeWait)} ports to ${target} are in TIME_WAIT, no other is left (EADDRNOTAVAIL; ip_local_port_range has ${count(all)}: ${why.from}–${why.to})`
        : `no port to ${target} is left (EADDRNOTAVAIL): ${states.join(', ')} (ip_local_port_range has ${count(all)}: ${why.from}–${why.to})`;
    }
    case 'descriptors':
      return why.errno === 'EMFILE'
        ? `EMFILE at ${several(why.used, 'descriptor')}: this process may not have more (ulimit -n)`
        : `${why.errno}: the whole machine has no file left (fs.file-max); ${several(descriptors.used ?? 0, 'descriptor')} are ours`;
    case 'accept-queue':
      return `the server's accept queue is full (${count(why.used)}/${count(why.limit)}): ${several(why.hanging, 'connect')} got no answer`;
    case 'refused':
      return `nobody listens on ${target} (ECONNREFUSED)`;
    case 'errno':
      return `${why.errno}: ${why.meaning}`;
    case 'protocol':
      return `what ${target} sent is no answer: ${why.problem}`;
  }
}

/** What is counted. */
export function nounOf(kind: string): string {
  return kind === 'connect' || kind === 'hold' ? 'connection' : 'request';
}
