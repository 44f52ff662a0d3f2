/** What traced programs do, for a person, a program or a file: `run` and `watch --lanes` share it. */
import type { Event, SessionHeader } from '../session/events.ts';
import { encode } from '../session/ndjson.ts';
import { createLanes } from '../view/lanes/lanes.ts';
import { createSettling } from '../watch/settling.ts';

/** So long the lanes are told nothing about the time: what happened may be under way to us. */
const UNDER_WAY_NS = 70e6;

export interface ProgramDrawing {
  begins(header: SessionHeader): void;
  add(events: readonly Event[]): void;
  /** This process waits for others to come: its calls without a connection belong to the server's side. */
  serves(pid: number): void;
  /** Time passes: what has waited long enough is shown. */
  tick(now: number): void;
  finish(): void;
}

export interface ProgramDrawingOptions {
  readonly json: boolean;
  readonly columns: number;
  readonly colour: boolean;
  readonly put: (lines: readonly string[]) => void;
  /** `-w`. */
  readonly file: { begins(header: SessionHeader): void; events(batch: readonly Event[]): void } | null;
}

export function programDrawing({ json, columns, colour, put, file }: ProgramDrawingOptions): ProgramDrawing {
  const settling = createSettling();
  const lanes = json ? null : createLanes({ columns, colour, hosts: ['client', 'server'] });
  const servers = new Set<number>();

  function show(events: readonly Event[]): void {
    if (events.length === 0) {
      return;
    }
    file?.events(events);
    put(lanes === null ? events.map(jsonOf) : lanes.add(events.filter(isDrawn).map(laneOf)));
  }

  /** Here a lane is an end of the connection, whichever machine it is on. */
  function laneOf(event: Event): Event {
    switch (event.type) {
      case 'syscall':
        return {
          ...event,
          host: event.side ?? (servers.has(event.pid) ? 'server' : 'client'),
          // What it became is told by the path.
          args: event.name === 'execve' ? event.args.slice(0, 1) : event.args,
        };
      case 'state':
      case 'info':
        return { ...event, host: event.side ?? 'client' };
      case 'packet':
        return { ...event, host: event.from ?? 'client' };
      default:
        return event;
    }
  }

  return {
    begins(header) {
      file?.begins(header);
      put(lanes === null ? [encode(header)] : lanes.header());
    },
    add(events) {
      for (const event of events) {
        if (event.type === 'syscall' && SERVES.has(event.name)) {
          servers.add(event.pid);
        }
      }
      settling.add(events);
    },
    serves: (pid) => servers.add(pid),
    tick(now) {
      show(settling.take(now));
      if (lanes !== null) {
        put(lanes.flush(now - UNDER_WAY_NS));
      }
    },
    finish() {
      show(settling.rest());
      if (lanes !== null) {
        put(lanes.flush());
      }
    },
  };
}

/** Who asks for one of these waits for others to come: its other calls belong to that side too. */
const SERVES: ReadonlySet<string> = new Set(['listen', 'accept', 'accept4']);

/** How processes come and go is a shell's business, and what a socket is called is drawn already. */
const QUIET: ReadonlySet<string> = new Set(
  'fork vfork clone clone3 exit_group getsockname getpeername fcntl'.split(' '),
);
const LOOKS: ReadonlySet<string> = new Set(
  'poll ppoll select pselect6 epoll_wait epoll_pwait epoll_pwait2'.split(' '),
);
const GLANCE_NS = 1e6;

/** JSON and recordings have them all. */
function isDrawn(event: Event): boolean {
  if (event.type !== 'syscall') {
    return true;
  }
  const { name, errno, took, result } = event;
  const searched = name === 'execve' && errno === 'ENOENT';
  const nothing = LOOKS.has(name) && result === 0 && took !== null && took < GLANCE_NS;
  return !QUIET.has(name) && !searched && !nothing;
}

/** Without the bytes of packets: those are for -w. */
function jsonOf(event: Event): string {
  if (event.type !== 'packet') {
    return encode(event);
  }
  const { frame: _, ...told } = event;
  return encode(told);
}
