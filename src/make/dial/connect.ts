/** From an address as planned to a socket that is connected, telling every try on the way. */
import { SockscopeError } from '../../errors.ts';
import { type Dialled, type Dialling, dialSocket } from '../../kernel/dial-socket.ts';
import { errnoMeaning, errnoName } from '../../kernel/errno.ts';
import type { Address } from '../../reactor/reactor.ts';
import { getOption, SOCKET_OPTIONS, setOption } from '../../reactor/socket-options.ts';
import { addressesOf, addressText } from './addresses.ts';
import { type Running, race } from './happy-eyeballs.ts';
import type { DialEar, DialPlan } from './kind.ts';
import { ETIMEDOUT, notConnected, optionRefused } from './refusal.ts';

const NS_PER_MS = 1e6;

export function interrupted(): SockscopeError {
  return new SockscopeError(
    'DIAL_INTERRUPTED',
    'Interrupted before anything was connected.',
    'Nothing was sent.',
    1,
  );
}

export async function connectTcp(
  plan: DialPlan,
  ear: DialEar,
  cancelled: AbortSignal,
): Promise<Dialled | SockscopeError> {
  const began = ear.now();
  const addresses = await addressesOf(plan, 'tcp');
  if (addresses instanceof SockscopeError) {
    return addresses;
  }
  if (addresses.length > 1 || addresses[0]!.host !== plan.host) {
    const texts = addresses.map(({ host }) => host);
    ear.tell({ type: 'resolved', name: plan.host, addresses: texts, ns: ear.now() - began });
  }
  return connectAny(plan, addresses, ear, cancelled);
}

export function connectUnix(
  plan: DialPlan,
  ear: DialEar,
  cancelled: AbortSignal,
): Promise<Dialled | SockscopeError> {
  return connectAny(plan, [{ kind: 'unix', path: plan.path }], ear, cancelled);
}

/** The local end for an address of that family: a host of the other family makes the attempt fail, as it should. */
export function sourceFor({ source }: DialPlan, address: Address): Address | null {
  if (source === null || address.kind === 'unix') {
    return null;
  }
  const any = address.host.includes(':') ? '::' : '0.0.0.0';
  return { kind: address.kind, host: source.host === '' ? any : source.host, port: source.port };
}

function prepare({ wishes, lingerZero }: DialPlan, fd: number, refused: (option: string) => void): number {
  for (const [name, value] of Object.entries(wishes)) {
    const result = setOption(fd, name, value);
    if (result < 0) {
      refused(`${name}=${value}`);
      return result;
    }
  }
  return lingerZero ? setOption(fd, 'linger', 0) : 0;
}

/** What the kernel made of the wishes: it doubles buffers, rounds times and clamps windows. */
export function tellOptions(plan: DialPlan, fd: number, ear: DialEar): void {
  for (const [name, wanted] of Object.entries(plan.wishes)) {
    const got = getOption(fd, name);
    const unit = SOCKET_OPTIONS.find((option) => option.name === name)?.unit ?? 'number';
    const error = got < 0 && name !== 'linger' && name !== 'incoming-cpu' ? errnoName(got) : null;
    ear.tell({ type: 'option', name, wanted, got, error, unit });
  }
}

interface Try {
  readonly dialling: Dialling;
  readonly began: number;
}

function connectAny(
  plan: DialPlan,
  addresses: readonly Address[],
  ear: DialEar,
  cancelled: AbortSignal,
): Promise<Dialled | SockscopeError> {
  const tries = new Map<Address, Try>();
  const several = addresses.length > 1;
  let badOption: string | null = null;
  const where = plan.scheme.startsWith('unix')
    ? plan.path
    : addressText({ kind: 'tcp', host: plan.host, port: plan.port });

  const failed = (address: Address, errno: number): void => {
    const one = tries.get(address)!;
    const { state, syns } = one.dialling.state();
    const ns = ear.now();
    const [error, meaning] = [errnoName(errno), errnoMeaning(errno)];
    ear.tell({
      type: 'failed',
      address: addressText(address),
      error,
      meaning,
      state,
      syns,
      took: one.dialling.took(),
      ns,
    });
    tries.delete(address);
  };

  return new Promise((resolve) => {
    const finish = (result: Dialled | SockscopeError): void => {
      clearTimeout(limit);
      cancelled.removeEventListener('abort', stop);
      resolve(result);
    };
    const stop = (): void => {
      racing.cancel();
      finish(interrupted());
    };
    const late = (): void => {
      for (const address of [...tries.keys()]) {
        failed(address, ETIMEDOUT);
      }
      racing.cancel();
      finish(notConnected(plan, where, ETIMEDOUT, true));
    };
    const limit = setTimeout(late, plan.patience / NS_PER_MS);
    const racing: Running = race<Address, Dialled>(addresses, {
      begin(address, done) {
        const began = ear.now();
        if (several) {
          ear.tell({ type: 'try', address: addressText(address), ns: began });
        }
        const source = sourceFor(plan, address);
        const dialling = dialSocket(
          address,
          {
            source,
            prepare: (fd) =>
              prepare(plan, fd, (name) => {
                badOption = name;
              }),
          },
          (result) => {
            if (typeof result !== 'number') {
              const [name, ns] = [address.kind === 'unix' ? '' : plan.host, ear.now()];
              const local = addressText(result.addresses.local);
              ear.tell({
                type: 'connected',
                address: addressText(address),
                name,
                local,
                took: dialling.took(),
                ns,
              });
            }
            done(result);
          },
        );
        tries.set(address, { dialling, began });
        return dialling;
      },
      failed,
      dropped(address) {
        const ns = ear.now();
        ear.tell({
          type: 'dropped',
          address: addressText(address),
          took: tries.get(address)?.dialling.took() ?? 0,
          ns,
        });
      },
      after(ns, run) {
        const timer = setTimeout(run, ns / NS_PER_MS);
        return { cancel: () => clearTimeout(timer) };
      },
      over(winner, errno) {
        if (winner === null) {
          finish(
            badOption === null ? notConnected(plan, where, errno, false) : optionRefused(badOption, errno),
          );
        } else {
          tellOptions(plan, winner.fd, ear);
          finish(winner);
        }
      },
    });
    cancelled.addEventListener('abort', stop, { once: true });
    if (cancelled.aborted) {
      stop();
    }
  });
}
