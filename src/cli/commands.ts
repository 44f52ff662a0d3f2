/** Every command, in the order the help shows them. A file in this folder that is not named here is an error (scripts/check-lists.mjs). */
import type { Entry } from './entry.ts';

export const commands: readonly Entry[] = [
  {
    name: 'ls',
    summary: 'every socket: state, queues, who holds it (ss, lsof -i and netstat in one)',
    load: () => import('./ls.ts'),
  },
  {
    name: 'watch',
    summary: 'packets as they cross the wire, and what was said in them (tcpdump, but readable)',
    load: () => import('./watch.ts'),
  },
  {
    name: 'open',
    summary: 'the same of a capture file: packets, messages, connections, statistics',
    load: () => import('./open.ts'),
  },
  {
    name: 'tap',
    summary: 'a proxy that shows what is said through it, and can break it on purpose',
    load: () => import('./tap.ts'),
  },
  {
    name: 'replay',
    summary: 'a recorded session once more: as the server, or as the client against a real one',
    load: () => import('./replay.ts'),
  },
  {
    name: 'serve',
    summary: 'servers of every kind, which can misbehave on purpose',
    load: () => import('./serve.ts'),
  },
  {
    name: 'dial',
    summary: 'one end of a conversation, and what happened to it (nc, telnet, openssl s_client, curl, dig)',
    load: () => import('./dial.ts'),
  },
  {
    name: 'load',
    summary: 'many requests or connections at once: how fast, how late, and why it stopped (wrk, hey)',
    load: () => import('./load.ts'),
  },
  {
    name: 'ssh',
    summary: 'commands on other machines, and files to and from them (ssh, scp, sftp)',
    load: () => import('./ssh.ts'),
  },
  {
    name: 'lab',
    summary: 'experiments that make connections fail on purpose, and show why',
    load: () => import('./lab.ts'),
  },
  {
    name: 'run',
    summary: 'a program with its system calls, states and packets side by side (strace, but joined)',
    load: () => import('./run.ts'),
  },
  {
    name: 'kill',
    summary: 'end what listens on a port, by port, program or pid; or destroy one connection',
    load: () => import('./kill.ts'),
  },
  {
    name: 'limits',
    summary: 'how full it is: descriptors, ephemeral ports, accept queues, buckets',
    load: () => import('./limits.ts'),
  },
  {
    name: 'addr',
    summary: 'what a name resolves to, in which order, and who listens there',
    load: () => import('./addr.ts'),
  },
  {
    name: 'abilities',
    summary: 'what this process may do here, and why not',
    load: () => import('./abilities.ts'),
  },
];
