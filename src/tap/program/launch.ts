/** The parent's side of `tap -- CMD`: starts the stage, hears what the program wants, and says what became of it. */
import { rmSync } from 'node:fs';
import { SockscopeError } from '../../errors.ts';
import { errnoName } from '../../kernel/errno.ts';
import { closeDescriptor, messagePair, receiveMessage, sendMessage } from '../../kernel/fd-passing.ts';
import { lookOutside } from '../../kernel/outside.ts';
import { inhabitants } from '../../kernel/program-owner.ts';
import {
  findCommand,
  mayMakeNamespaces,
  spawnStage,
  whyNoUserNamespace,
} from '../../kernel/spawn-program.ts';
import {
  type DatagramFailure,
  decode,
  type Endpoint,
  encode,
  encodeDatagram,
  type FromStage,
  type ToStage,
  type Verdict,
  type Wanted,
} from './messages.ts';
import { createSites, type Reported, type Site } from './sites.ts';

export type { DatagramFailure, Endpoint, Verdict } from './messages.ts';
export type { Reported, Site } from './sites.ts';

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The file that runs cli/tap-stage.ts. */
  readonly stageEntry: string;
  /** node-hook.cjs; null: no source lines. */
  readonly hook: string | null;
}

/** A connection or a flow of datagrams that the program wants. */
export interface Request extends Wanted {
  /** The line of a Node program that asked for it. */
  readonly site: Site | null;
}

export interface Handlers {
  started(pid: number): void;
  /** Waits for `verdict`. Until then the program's connect(2) waits too. */
  dial(request: Request): void;
  /** After the verdict `go`: the program's end of it, non-blocking. The descriptor is the receiver's to close. */
  accepted(id: number, fd: number): void;
  /** The program gave up before it was accepted: whatever was dialled for it can go. */
  abandoned(id: number): void;
  flow(request: Request): void;
  /** Borrowed bytes. */
  datagram(flow: number, bytes: Uint8Array): void;
  flowEnded(flow: number): void;
  /** All TCP listeners of the program, whenever they change. Nobody outside reaches them but through `enter`. */
  listening(at: readonly Endpoint[], site: (port: number) => Reported | null): void;
  /** The answer to `enter`: a connected, non-blocking descriptor, or -errno. */
  entered(id: number, fd: number): void;
  exited(code: number | null, signal: NodeJS.Signals | null): void;
  /** It could not be started, or the tap broke; the program is over. Instead of `exited`. */
  failed(error: SockscopeError): void;
  trouble(text: string): void;
}

export interface Program {
  verdict(id: number, verdict: Verdict): void;
  /** What came back for a flow. */
  send(flow: number, bytes: Uint8Array): void;
  fail(flow: number, failure: DatagramFailure): void;
  /** Connects from inside to one of the program's own listeners; `id` is the caller's. */
  enter(id: number, host: string, port: number): void;
  kill(signal: NodeJS.Signals): void;
  /** Ends the program and all that belongs to it, now. `exited` or `failed` still comes. */
  close(): void;
}

const EAGAIN = 11;
const RETRY_MS = 2;
/** Orders that wait because the stage is busy. */
const MOST_WAITING = 65_536;

export function launch(options: LaunchOptions, handlers: Handlers): Program | SockscopeError {
  const refusal = refuse(options.command);
  if (refusal !== null) {
    return refusal;
  }
  const asRootOfItsOwn = !mayMakeNamespaces();
  const forbidden = asRootOfItsOwn ? whyNoUserNamespace() : null;
  if (forbidden !== null) {
    return noNamespaces(forbidden);
  }
  const pair = messagePair();
  if (typeof pair === 'number') {
    return broken(`no socket pair: ${errnoName(-pair)}`);
  }
  const [ours, theirs] = pair;
  const sites = options.hook === null ? null : createSites();
  const stage = spawnStage({
    entry: options.stageEntry,
    words: [options.command, ...options.args],
    channel: theirs,
    asRootOfItsOwn,
    environment: environmentOfStage(),
  });
  closeDescriptor(theirs);

  const waiting: Buffer[] = [];
  let retry: NodeJS.Timeout | null = null;
  let open = true;
  let namespace = 0;
  let over = false;
  /** Said once the stage is gone, so that nothing is left when the caller hears of it. */
  let ending: (() => void) | null = null;

  function flush(): void {
    retry = null;
    let sent = 0;
    // Anything but "no room now" will not go better next time.
    while (sent < waiting.length && open && sendMessage(ours, waiting[sent]!) !== -EAGAIN) {
      sent++;
    }
    waiting.splice(0, sent);
    retry = waiting.length > 0 && open ? setTimeout(flush, RETRY_MS) : null;
  }

  function tell(message: ToStage): void {
    if (open && waiting.length < MOST_WAITING) {
      waiting.push(encode(message));
      if (retry === null) {
        flush();
      }
    }
  }

  /** Once. */
  function finish(say: () => void): void {
    if (!over) {
      over = true;
      open = false;
      clearTimeout(retry ?? undefined);
      closeDescriptor(ours);
      if (sites !== null) {
        sites.close();
        rmSync(sites.folder, { recursive: true, force: true });
      }
      say();
    }
  }

  function hear(): void {
    while (open) {
      const message = receiveMessage(ours);
      if (message === null || typeof message === 'number') {
        return;
      }
      const said = decode<FromStage>(message.bytes);
      if (said !== null) {
        pass(said, message.fd);
      }
    }
  }

  function pass(said: FromStage | { type: 'datagram'; flow: number; payload: Buffer }, fd: number): void {
    switch (said.type) {
      case 'started':
        namespace = said.namespace;
        handlers.started(said.pid);
        break;
      case 'dial':
        handlers.dial({ ...wanted(said), site: sites?.connecting(said.pid, said.port) ?? null });
        break;
      case 'flow':
        handlers.flow({ ...wanted(said), site: null });
        break;
      case 'accepted':
        handlers.accepted(said.id, fd);
        break;
      case 'entered':
        handlers.entered(said.id, said.result < 0 ? said.result : fd);
        break;
      case 'abandoned':
        handlers.abandoned(said.id);
        break;
      case 'datagram':
        handlers.datagram(said.flow, said.payload);
        break;
      case 'flowEnded':
        handlers.flowEnded(said.id);
        break;
      case 'listening':
        handlers.listening(said.at, (port) => sites?.listening(port) ?? null);
        break;
      case 'exited':
        ending = () => handlers.exited(said.code, said.signal);
        break;
      case 'failed':
        ending = () => handlers.failed(failure(said.step, said.errno));
        break;
      case 'trouble':
        handlers.trouble(said.text);
        break;
    }
  }

  stage.onBell(hear);
  stage.onError((error) => finish(() => handlers.failed(broken(error.message))));
  stage.onExit((code, signal) => {
    hear();
    const early = (): void => {
      endInhabitants(namespace);
      handlers.failed(broken(`the stage ended early (${signal ?? `exit ${code}`})`));
    };
    finish(ending ?? early);
  });

  const { addresses, source4, source6, loopback6, settings } = lookOutside();
  tell({
    type: 'order',
    environment: environmentOfProgram(options.hook, sites?.path ?? null),
    user: asRootOfItsOwn ? { uid: process.getuid!(), gid: process.getgid!() } : null,
    addresses,
    source4,
    source6,
    loopback6,
    settings,
    folder: sites?.folder ?? '',
  });

  return {
    verdict: (id, verdict) => tell({ type: 'verdict', id, verdict }),
    send(flow, bytes) {
      // A datagram for which there is no room is lost, as on any network.
      if (open && waiting.length === 0) {
        sendMessage(ours, encodeDatagram(flow, bytes));
      }
    },
    fail: (id, failure) => tell({ type: 'fail', id, failure }),
    enter: (id, host, port) => tell({ type: 'enter', id, host, port }),
    kill: (signal) => tell({ type: 'kill', signal }),
    close: () => tell({ type: 'kill', signal: 'SIGKILL' }),
  };
}

function wanted({ id, family, host, port, from, pid, name }: Wanted): Wanted {
  return { id, family, host, port, from, pid, name };
}

/** What Node would take personally; the program gets it back. */
const FOR_NODE = /^NODE_/;

function environmentOfStage(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOR_NODE.test(name)));
}

function environmentOfProgram(hook: string | null, path: string | null): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (FOR_NODE.test(name) && value !== undefined) {
      environment[name] = value;
    }
  }
  if (hook !== null && path !== null) {
    const before = environment.NODE_OPTIONS === undefined ? '' : `${environment.NODE_OPTIONS} `;
    environment.NODE_OPTIONS = `${before}--require ${quoted(hook)}`;
    environment.SOCKSCOPE_TAP_SITES = path;
  }
  return environment;
}

/** NODE_OPTIONS splits at blanks outside double quotes, and knows backslashes inside them (node_options.cc, ParseNodeOptionsEnvVar). */
function quoted(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`;
}

/** The stage was killed: what it can no longer end would stay in a network that leads nowhere. */
function endInhabitants(namespace: number): void {
  for (const pid of namespace === 0 ? [] : inhabitants(namespace)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone already
    }
  }
}

function refuse(command: string): SockscopeError | null {
  if (process.platform !== 'linux') {
    return new SockscopeError(
      'TAP_PROGRAM_LINUX',
      `Leading a program's traffic through a tap takes Linux; here is ${process.platform}.`,
      'Give the tap a port: sockscope tap LISTEN TARGET.',
      3,
    );
  }
  const found = findCommand(command);
  if ('path' in found) {
    return null;
  }
  return new SockscopeError(
    'NO_PROGRAM',
    found.why === 'missing' ? `There is no program ${command}.` : `${command} may not be executed.`,
    'Give the command as you would type it without sockscope.',
    2,
  );
}

function noNamespaces(why: string): SockscopeError {
  return new SockscopeError(
    'NO_NAMESPACES',
    `This user may not make a network namespace: ${why}.`,
    'Run as root, or allow it; or give the tap a port: sockscope tap LISTEN TARGET.',
    3,
  );
}

function failure(step: string, errno: number): SockscopeError {
  return new SockscopeError(
    'STAGE_FAILED',
    `The program's own network could not be made: ${step} failed with ${errnoName(errno)}.`,
    'Containers often forbid this; run on the machine itself, or give the tap a port: sockscope tap LISTEN TARGET.',
    3,
  );
}

function broken(what: string): SockscopeError {
  return new SockscopeError('STAGE_BROKE', `The tap around the program broke: ${what}.`, 'Run it again.', 3);
}
