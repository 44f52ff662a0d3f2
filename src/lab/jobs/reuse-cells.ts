/**
 * Two sockets that want one port, over and over: `{ cells }`. Each has a port of its own, and its answer says whether the second bind
 * succeeds. This happens in a network namespace made for it: some hundred connections are nothing for a host's lane.
 */
import { acceptCall, bindCall, closeCall, connectCall, listenCall, socketCall } from '../../kernel/calls.ts';
import { AF_INET, CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from '../../kernel/calls-flags.ts';
import { realOption, setOption } from '../../kernel/calls-options.ts';
import { errnoName } from '../../kernel/errno.ts';
import { IFF_UP, linkIndex, openRoute, setLinkFlags } from '../../kernel/rtnetlink.ts';
import { closeSockDiag, openSockDiag } from '../../kernel/sockdiag.ts';
import { controlSocket, enterNamespace, namespaceHere, newNamespace } from '../../kernel/transparent.ts';
import type { Values } from '../../wire/value.ts';
import type { Job, JobTools } from '../job.ts';
import { readTable } from '../stage/socket-table.ts';

/**
 * `state` is where the first socket is when the second comes: `bound`, `LISTEN`, or closed and survived by a connection in ESTABLISHED,
 * FIN-WAIT-2 or TIME-WAIT. R in `flags` is SO_REUSEADDR, P is SO_REUSEPORT.
 */
interface Cell {
  readonly protocol: 'tcp' | 'udp';
  readonly state: string;
  readonly first: End;
  readonly second: End;
}

interface End {
  readonly flags: string;
  /** `*` or one of 127.0.0.0/8. */
  readonly address: string;
}

interface Begun {
  readonly cell: Cell;
  readonly port: number;
  /** What shall be open while the second socket tries. */
  readonly open: number[];
}

const FIRST_PORT = 10_000;
const LONGEST_MS = 5000;
const LOOK_EVERY_MS = 5;

export const job: Job = {
  async run(options, tools) {
    const cells = options.cells as unknown as readonly Cell[];
    const home = must('the namespace', namespaceHere());
    must('a new namespace', newNamespace());
    try {
      raiseLoopback();
      return await answers(cells, tools);
    } finally {
      enterNamespace(home);
      closeCall.now(home);
    }
  },
};

function raiseLoopback(): void {
  const route = must('netlink', openRoute());
  const control = must('socket', controlSocket());
  must('the loopback', setLinkFlags(route, linkIndex(control, 'lo'), IFF_UP));
  closeCall.now(route);
  closeCall.now(control);
}

async function answers(cells: readonly Cell[], tools: JobTools): Promise<Values[]> {
  const begun = cells.map((cell, index) => begin(cell, FIRST_PORT + index, tools));
  await reached(begun);
  const said = begun.map((one) => second(one, tools));
  for (const fd of begun.flatMap(({ open }) => open)) {
    closeCall.now(fd);
  }
  return said;
}

function begin(cell: Cell, port: number, tools: JobTools): Begun {
  const { first, state } = cell;
  const fd = bound(cell, first, port, tools);
  must('the first bind', fd.bound);
  if (state === 'bound') {
    return { cell, port, open: [fd.fd] };
  }
  must('the first listen', listenCall.now(fd.fd, 8));
  if (state === 'LISTEN') {
    return { cell, port, open: [fd.fd] };
  }
  const client = must('socket', socketCall.now(AF_INET, SOCK_STREAM | CLOEXEC, 0));
  const there = tools.address(`127.0.0.1:${port}`);
  must('connect', connectCall.now(client, there.address, there.length));
  const child = must('accept', acceptCall.now(fd.fd, 0, 0, CLOEXEC));
  closeCall.now(fd.fd);
  if (state === 'ESTABLISHED') {
    return { cell, port, open: [client, child] };
  }
  closeCall.now(child);
  if (state === 'FIN-WAIT-2') {
    return { cell, port, open: [client] };
  }
  closeCall.now(client);
  return { cell, port, open: [] };
}

function bound({ protocol }: Cell, end: End, port: number, tools: JobTools): { fd: number; bound: number } {
  const type = protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
  const fd = must('socket', socketCall.now(AF_INET, type | CLOEXEC, 0));
  for (const [flag, option] of [
    ['R', 'SO_REUSEADDR'],
    ['P', 'SO_REUSEPORT'],
  ] as const) {
    if (end.flags.includes(flag)) {
      must(option, setOption(fd, realOption(option)!, 1));
    }
  }
  const raw = tools.address(`${end.address}:${port}`);
  return { fd, bound: bindCall.now(fd, raw.address, raw.length) };
}

/** The last FIN and its acknowledgement take their time. */
async function reached(begun: readonly Begun[]): Promise<void> {
  const diag = openSockDiag();
  try {
    const deadline = performance.now() + LONGEST_MS;
    while (!allThere(begun, diag)) {
      if (performance.now() > deadline) {
        throw new Error('the connections of the first sockets do not reach their states');
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  } finally {
    closeSockDiag(diag);
  }
}

function allThere(begun: readonly Begun[], diag: number): boolean {
  const there = new Set(readTable(diag).map(({ local, state }) => `${local.port} ${state}`));
  return begun.every(
    ({ cell: { state }, port }) => state === 'bound' || state === 'LISTEN' || there.has(`${port} ${state}`),
  );
}

/** What bind says, and where both are only bound what listen then says, to the second and to the first. */
function second({ cell, port, open }: Begun, tools: JobTools): { bind: string; listens: string } {
  const { fd, bound: result } = bound(cell, cell.second, port, tools);
  open.push(fd);
  const both = result === 0 && cell.protocol === 'tcp' && cell.state === 'bound';
  const listens = both ? [fd, open[0]!].map((one) => said(listenCall.now(one, 8))) : [];
  return { bind: said(result), listens: listens.join(', ') };
}

const said = (result: number): string => (result < 0 ? errnoName(result) : 'ok');

function must(what: string, result: number): number {
  if (result < 0) {
    throw new Error(`${what} failed with ${errnoName(result)}`);
  }
  return result;
}
