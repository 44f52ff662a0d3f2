/** From the name in a URL to a connected socket: resolved, then raced (RFC 8305), both measured apart. */
import { SockscopeError } from '../../../errors.ts';
import { type Dialled, type Dialling, dialSocket } from '../../../kernel/dial-socket.ts';
import { errnoMeaning, errnoName } from '../../../kernel/errno.ts';
import type { Address, SocketWishes } from '../../../reactor/reactor.ts';
import { setOption } from '../../../reactor/socket-options.ts';
import type { HttpTry } from '../../../session/http-exchange.ts';
import { addressesOf, addressText } from '../addresses.ts';
import { interleave, race } from '../happy-eyeballs.ts';
import type { DialPlan } from '../kind.ts';
import type { RequestClock } from './clock.ts';
import type { WayPlan } from './plan.ts';

const NS_PER_MS = 1e6;
const EPERM = -1;
const ENOENT = -2;
const EACCES = -13;
const ECONNREFUSED = -111;

export interface Connected {
  readonly dialled: Dialled;
  readonly addresses: readonly string[];
  readonly tries: readonly HttpTry[];
}

/** What the sentences of `dial` need to know of a plan. */
export function asDialPlan({ tls, family }: WayPlan, host: string, port: number): DialPlan {
  return {
    scheme: 'tls',
    host,
    port,
    path: '',
    family,
    source: null,
    wishes: {},
    patience: 0,
    lingerZero: false,
    verbose: false,
    binary: false,
    tls,
    terminal: null,
  };
}

async function resolved(
  way: WayPlan,
  host: string,
  port: number,
  { signal }: RequestClock,
): Promise<readonly Address[] | SockscopeError | null> {
  const known = way.known.find((one) => one.host === host.toLowerCase() && one.port === port);
  if (known !== undefined) {
    return interleave(
      known.addresses.map((each): Address & { host: string } => ({ kind: 'tcp', host: each, port })),
    );
  }
  const asking = addressesOf(asDialPlan(way, host, port), 'tcp');
  // getaddrinfo cannot be called back; whoever waits for it can.
  return new Promise((resolve) => {
    const stop = (): void => resolve(null);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) {
      stop();
    }
    void asking.then((found) => {
      signal.removeEventListener('abort', stop);
      resolve(found);
    });
  });
}

function refusal(where: string, tries: readonly HttpTry[], errno: number, path: string): SockscopeError {
  if (path !== '') {
    const what =
      errno === ENOENT
        ? `There is no socket ${path}.`
        : errno === ECONNREFUSED
          ? `Nobody listens on ${path}: the file is there, its server is not.`
          : `${path} cannot be connected to: ${errnoMeaning(errno)} (${errnoName(errno)}).`;
    const hint =
      errno === EACCES || errno === EPERM
        ? '`ls -l` shows whose it is.'
        : '`sockscope ls unix` shows the sockets that are served.';
    return new SockscopeError('HTTP_CONNECT', what, hint, 1);
  }
  const all = tries.map(({ address, outcome }) => `${address} ${outcome}`).join(', ');
  return errno === ECONNREFUSED
    ? new SockscopeError(
        'HTTP_REFUSED',
        `${where} refused: nobody listens there${tries.length > 1 ? ` (${all})` : ''}.`,
        `\`sockscope addr ${where}\` shows who listens on that port, and where.`,
        1,
      )
    : new SockscopeError(
        'HTTP_CONNECT',
        `${where} cannot be reached: ${tries.length > 1 ? all : `${errnoMeaning(errno)} (${errnoName(errno)})`}.`,
        '`ip route get` shows where it would go.',
        1,
      );
}

/** Null: the clock says why. */
export async function connectFor(
  way: WayPlan,
  host: string,
  port: number,
  clock: RequestClock,
): Promise<Connected | SockscopeError | null> {
  let addresses: readonly Address[] = [{ kind: 'unix', path: way.socket }];
  if (way.socket === '') {
    clock.begin('resolve');
    const found = await resolved(way, host, port, clock);
    if (found === null || found instanceof SockscopeError) {
      return found;
    }
    addresses = found;
  }
  clock.begin('connect');
  return connectAny(addresses, way.sockopt, addressText({ kind: 'tcp', host, port }), way.socket, clock);
}

/** 0, or the first -errno. */
function setOptions(fd: number, wishes: SocketWishes): number {
  for (const [name, value] of Object.entries(wishes)) {
    const result = setOption(fd, name, value);
    if (result < 0) {
      return result;
    }
  }
  return 0;
}

function connectAny(
  addresses: readonly Address[],
  sockopt: SocketWishes,
  where: string,
  path: string,
  clock: RequestClock,
): Promise<Connected | SockscopeError | null> {
  const tries: HttpTry[] = [];
  const running = new Map<Address, Dialling>();
  let answered = 0;
  const tell = (address: Address, outcome: string): void => {
    tries.push({ address: addressText(address), outcome, ns: running.get(address)?.took() ?? 0 });
  };
  return new Promise((resolve) => {
    const finish = (result: Connected | SockscopeError | null): void => {
      clock.signal.removeEventListener('abort', stop);
      resolve(result);
    };
    const racing = race<Address, Dialled>(addresses, {
      begin(address, done) {
        const dialling = dialSocket(
          address,
          { source: null, prepare: (fd) => setOptions(fd, sockopt) },
          (result) => {
            if (typeof result !== 'number') {
              // What comes between the kernel's answer and this line is not the network's.
              answered = Math.min(clock.now(), begun + dialling.took());
              tell(address, 'connected');
            }
            done(result);
          },
        );
        const begun = clock.now();
        running.set(address, dialling);
        return dialling;
      },
      failed: (address, errno) =>
        tell(address, errno === ECONNREFUSED ? 'refused' : `${errnoMeaning(errno)} (${errnoName(errno)})`),
      dropped: (address) => tell(address, 'slower'),
      after(ns, run) {
        const timer = setTimeout(run, ns / NS_PER_MS);
        return { cancel: () => clearTimeout(timer) };
      },
      over(winner, errno) {
        if (winner !== null) {
          clock.end(answered);
        }
        finish(
          winner === null
            ? refusal(where, tries, errno, path)
            : { dialled: winner, addresses: path === '' ? addresses.map(addressText) : [], tries },
        );
      },
    });
    const stop = (): void => {
      racing.cancel();
      finish(null);
    };
    clock.signal.addEventListener('abort', stop, { once: true });
    if (clock.signal.aborted) {
      stop();
    }
  });
}
