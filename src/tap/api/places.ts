/** Where a tap listens, compared as Toxiproxy compares it: what did not change must not be restarted. */
import type { SockscopeError } from '../../errors.ts';
import { resolveName } from '../../kernel/resolver.ts';
import type { Address } from '../../reactor/reactor.ts';
import type { TapState } from '../control.ts';
import { placeText } from '../place.ts';
import type { Place } from '../plan.ts';
import { failed, Refusal } from './errors.ts';

export function placeOf(address: Address): Place {
  return address.kind === 'unix'
    ? { kind: 'unix', host: '', port: 0, path: address.path }
    : { kind: address.kind, host: address.host, port: address.port, path: '' };
}

/** Where it really listens; while it does not, what was asked for. */
export function listenPlace(state: TapState): Place {
  return state.address === null ? state.plan.listen : placeOf(state.address);
}

export function samePlace(one: Place, other: Place): boolean {
  return (
    one.kind === other.kind && one.host === other.host && one.port === other.port && one.path === other.path
  );
}

/** Whether it listens there already, `localhost` being 127.0.0.1. Port 0 is always another one. */
export async function listensOn(state: TapState, wanted: Place): Promise<boolean> {
  const now = listenPlace(state);
  if (samePlace(now, wanted)) {
    return true;
  }
  if (now.kind !== wanted.kind || now.kind === 'unix' || now.port !== wanted.port) {
    return false;
  }
  if (wanted.host === state.plan.listen.host) {
    return true;
  }
  const found = await resolveName(wanted.host);
  return Array.isArray(found) && found.some(({ address }) => address === now.host);
}

/** Clients compare Toxiproxy's sentence for a port in use, which is Go's; ours, which names who has it, is the hint. */
export async function cannotListen(place: Place, error: SockscopeError): Promise<Refusal> {
  if (error.code !== 'PORT_IN_USE' || place.kind === 'unix') {
    return failed(error);
  }
  const found = await resolveName(place.host);
  const host = Array.isArray(found)
    ? (found.find(({ family }) => family === 4) ?? found[0])?.address
    : undefined;
  const where = placeText({ ...place, kind: 'tcp', host: host ?? place.host });
  return new Refusal(
    500,
    `listen ${place.kind} ${where}: bind: address already in use`,
    `${error.message} ${error.hint}`,
  );
}
