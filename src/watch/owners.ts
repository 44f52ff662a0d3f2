/** Who holds the ends of a connection that packets were seen of, on this machine. Asked once per connection. */
import { socketInode, walkDescriptors } from '../kernel/descriptors.ts';
import { type Owners, scanOwners } from '../kernel/owners.ts';
import { closeSockDiag, openSockDiag } from '../kernel/sockdiag.ts';
import { lookupSocket } from '../kernel/socket-lookup.ts';
import type { Owner } from '../wire/display/subject.ts';
import type { Flow } from '../wire/flows.ts';

/** Reading every program's descriptors takes milliseconds: it may take this share of the time. */
const SHARE = 0.05;
const KNOWN_INODES = 65_536;

/** A socket may not be there yet when its first packet is seen; one that is not there after so many looks is elsewhere. */
const TRIES = 4;

interface Answer {
  owner: Owner | null;
  tries: number;
}

export interface FlowOwners {
  of(flow: Flow, end: 0 | 1): Owner | null;
  close(): void;
}

export function flowOwners(now: () => number): FlowOwners {
  const diag = openSockDiag();
  const known = new Map<number, Owner | null>();
  /** Everything the last scan saw: listeners, and connections that were there before us. */
  let latest: Owners | null = null;
  const asked = new WeakMap<Flow, [Answer, Answer]>();
  let nextScan = Number.NEGATIVE_INFINITY;
  let nextWalk = Number.NEGATIVE_INFINITY;

  function scan(): void {
    const began = now();
    if (began < nextScan) {
      return;
    }
    if (known.size > KNOWN_INODES) {
      known.clear();
    }
    latest = scanOwners();
    for (const inode of wanted) {
      known.set(inode, scanned(inode));
    }
    wanted.clear();
    const took = now() - began;
    nextScan = began + took + took / SHARE;
  }
  const wanted = new Set<number>();

  function scanned(inode: number): Owner | null {
    const [first] = latest?.ownersOf(inode) ?? [];
    return first === undefined ? null : { pid: first.pid, program: first.name };
  }

  /** A new connection is mostly held by who listens on its port: one program's descriptors are soon read. */
  function atTheListener(flow: Flow, end: 0 | 1, inode: number): Owner | null {
    const began = now();
    const local = flow.ends[end];
    const nobody = new Uint8Array(local.bytes.length);
    const listener =
      flow.protocol === 6 && began >= nextWalk
        ? lookupSocket(diag, 6, local.bytes, local.port, nobody, 0)
        : null;
    const holder = listener === null ? null : (known.get(listener.inode) ?? scanned(listener.inode));
    if (holder === null) {
      return null;
    }
    let found = false;
    walkDescriptors(holder.pid, (_, bytes, length) => {
      found = socketInode(bytes, length) === inode;
      return !found;
    });
    const took = now() - began;
    nextWalk = began + took + took / SHARE;
    return found ? holder : null;
  }

  function look(flow: Flow, end: 0 | 1): Owner | null {
    const local = flow.ends[end];
    const peer = flow.ends[(1 - end) as 0 | 1];
    const socket = lookupSocket(
      diag,
      flow.protocol === 6 ? 6 : 17,
      local.bytes,
      local.port,
      peer.bytes,
      peer.port,
    );
    if (socket === null || socket.inode === 0) {
      return null;
    }
    const before = known.get(socket.inode);
    if (before !== undefined) {
      return before;
    }
    const owner = scanned(socket.inode) ?? atTheListener(flow, end, socket.inode);
    if (owner !== null) {
      known.set(socket.inode, owner);
      return owner;
    }
    wanted.add(socket.inode);
    scan();
    return known.get(socket.inode) ?? null;
  }

  if (diag >= 0) {
    scan();
  }

  return {
    of(flow, end) {
      let ends = asked.get(flow);
      if (ends === undefined) {
        ends = [
          { owner: null, tries: 0 },
          { owner: null, tries: 0 },
        ];
        asked.set(flow, ends);
      }
      const answer = ends[end];
      if (answer.owner === null && answer.tries < TRIES && diag >= 0) {
        answer.tries++;
        answer.owner = look(flow, end);
      }
      return answer.owner;
    },
    close() {
      if (diag >= 0) {
        closeSockDiag(diag);
      }
    },
  };
}
