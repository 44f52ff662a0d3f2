/** Limits that all processes of the machine, or of this network namespace, share. */
import type { MachineLimits } from '../kernel/limits.ts';
import type { Fact } from '../kernel/sysctls.ts';
import { type Limit, share } from './limit.ts';

type Static = Pick<Limit, 'id' | 'kind' | 'subject' | 'what' | 'whenFull' | 'raise'>;

export function machineWide(machine: MachineLimits): Limit[] {
  const { sysctls, sockets, openFiles } = machine;
  const most: Fact<number> =
    sysctls.tcpMemory.value === null ? sysctls.tcpMemory : { value: sysctls.tcpMemory.value[2], why: null };
  return [
    row(OPEN_FILES, openFiles, sysctls.openFilesMax),
    row(
      TIME_WAIT,
      sockets.timeWait,
      sysctls.timeWaitMax,
      times(machine, 'TcpExt.TCPTimeWaitOverflow', 'closed without TIME-WAIT'),
    ),
    row(
      ORPHANS,
      sockets.orphans,
      sysctls.orphansMax,
      times(machine, 'TcpExt.TCPAbortOnMemory', 'reset for want of room (orphans or TCP memory)'),
    ),
    row(
      TCP_MEMORY,
      sockets.tcpMemory,
      most,
      times(machine, 'TcpExt.TCPMemoryPressures', 'under memory pressure'),
    ),
    row(CONNTRACK, sysctls.conntrackUsed, sysctls.conntrackMax),
  ];
}

function row(what: Static, used: Fact<number>, limit: Fact<number>, happened: string | null = null): Limit {
  const why = used.why ?? limit.why;
  return {
    ...what,
    ...share(used.value, limit.value),
    ...(happened === null ? {} : { happened }),
    ...(why === null ? {} : { notVisible: why }),
  };
}

/** `41 times …, since the namespace began`; null when it never happened or the counter is not there. */
export function times(machine: MachineLimits, counter: string, what: string): string | null {
  const value = machine.counters.value?.get(counter) ?? 0n;
  const name = counter.replace(/^.*\./, '');
  return value > 0n ? `${value} ${what} since the start (${name})` : null;
}

const OPEN_FILES: Static = {
  id: 'open-files',
  kind: 'open files',
  subject: 'the machine',
  what: 'open files',
  whenFull: 'open(), socket() and accept() fail with ENFILE in every program that is not root',
  raise: 'sysctl fs.file-max=N',
};

const TIME_WAIT: Static = {
  id: 'time-wait',
  kind: 'TIME-WAIT',
  subject: 'this network namespace',
  what: 'sockets in TIME-WAIT',
  whenFull:
    'nothing fails: further connections close at once instead of waiting, so late packets may reach a new connection',
  raise: 'sysctl net.ipv4.tcp_max_tw_buckets=N',
};

const ORPHANS: Static = {
  id: 'orphans',
  kind: 'orphans',
  subject: 'the machine',
  what: 'closed connections with data still to send',
  whenFull:
    'the kernel resets closed connections instead of finishing them: the peer loses the last data and reads ECONNRESET',
  raise: 'sysctl net.ipv4.tcp_max_orphans=N; look for peers that no longer answer',
};

const TCP_MEMORY: Static = {
  id: 'tcp-memory',
  kind: 'TCP memory',
  subject: 'the machine',
  what: 'pages of TCP buffers',
  whenFull:
    'buffers shrink, arriving segments are dropped and connections are reset: everything is slow, then ECONNRESET',
  raise:
    'sysctl net.ipv4.tcp_mem="LOW PRESSURE HIGH" in pages; look for connections whose reader has stopped',
};

const CONNTRACK: Static = {
  id: 'conntrack',
  kind: 'conntrack',
  subject: 'this network namespace',
  what: 'tracked connections',
  whenFull:
    'packets of new connections are dropped: connect() hangs until ETIMEDOUT, established connections live on',
  raise: 'sysctl net.netfilter.nf_conntrack_max=N',
};
