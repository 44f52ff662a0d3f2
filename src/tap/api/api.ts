/** What the routes of the control API work on, and what they answer. */
import { SockscopeError } from '../../errors.ts';
import type { TapControl, TapState } from '../control.ts';
import type { PlannedFault } from '../fault.ts';
import { placeText } from '../place.ts';
import type { Place, TapPlan } from '../plan.ts';
import type { ToxicTypes } from '../toxic-types.ts';
import { writeToxics } from '../toxics.ts';
import { PROXY_NOT_FOUND, type Refusal, TOXIC_NOT_FOUND } from './errors.ts';
import { cannotListen, listenPlace } from './places.ts';

export type NewPlan = (
  name: string,
  listen: string,
  upstream: string,
  enabled: boolean,
) => TapPlan | SockscopeError;

export interface Api {
  readonly control: TapControl;
  readonly types: ToxicTypes;
  readonly newPlan: NewPlan;
  readonly version: string;
  /** The taps with counts as they are now. */
  counted(): Promise<readonly TapState[]>;
}

export interface Call {
  /** The parts of the path that are names. */
  readonly names: readonly string[];
  /** The body's JSON. */
  json(): Promise<unknown>;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export type Route = (api: Api, call: Call) => Promise<Answer | Refusal>;

export const JSON_TYPE = 'application/json';
export const NOTHING: Answer = { status: 204, type: '', body: '' };

export function json(status: number, value: unknown): Answer {
  return { status, type: JSON_TYPE, body: JSON.stringify(value) };
}

/** In the order of Toxiproxy's own answer. */
export function proxyJson(api: Api, state: TapState): Record<string, unknown> {
  return {
    name: state.plan.name,
    listen: placeText(listenPlace(state)),
    upstream: placeText(state.plan.target),
    enabled: state.plan.enabled,
    toxics: writeToxics(state.plan.faults, api.types),
  };
}

export function findProxy({ control }: Api, call: Call): TapState | Refusal {
  return control.find(call.names[0] ?? '') ?? PROXY_NOT_FOUND;
}

export function findToxic(state: TapState, call: Call): PlannedFault | Refusal {
  return state.plan.faults.find(({ name }) => name === call.names[1]) ?? TOXIC_NOT_FOUND;
}

/** What became of a change; `listen`: the place that it may have needed. */
export async function stateOr(
  result: Promise<TapState | SockscopeError>,
  listen: Place,
): Promise<TapState | Refusal> {
  const state = await result;
  return state instanceof SockscopeError ? cannotListen(listen, state) : state;
}
