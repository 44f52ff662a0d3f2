/** /proxies, /proxies/{proxy}, /populate and /reset. */
import { SockscopeError } from '../../errors.ts';
import type { TapState } from '../control.ts';
import type { PlannedFault } from '../fault.ts';
import { placeText } from '../place.ts';
import type { TapPlan } from '../plan.ts';
import { readToxics } from '../toxics.ts';
import {
  type Answer,
  type Api,
  type Call,
  findProxy,
  JSON_TYPE,
  json,
  NOTHING,
  proxyJson,
  stateOr,
} from './api.ts';
import { badBody, failed, missingField, PROXY_EXISTS, PROXY_NOT_FOUND, Refusal } from './errors.ts';
import { fieldsOf, listField, textField, yesField } from './fields.ts';
import { listenPlace, listensOn, samePlace } from './places.ts';

/** Toxiproxy listens on every address when it is told nothing; here a page of the outside world should not find that. */
const LISTEN_UNSAID = '127.0.0.1:0';

interface Wanted {
  readonly name: string;
  readonly listen: string | null;
  readonly upstream: string | null;
  readonly enabled: boolean | null;
  readonly toxics: readonly unknown[];
}

function readWanted(body: unknown): Wanted | Refusal {
  const fields = fieldsOf(body, 'a proxy');
  if (fields instanceof Refusal) {
    return fields;
  }
  const name = textField(fields, 'name', '');
  const listen = textField(fields, 'listen', null);
  const upstream = textField(fields, 'upstream', null);
  const enabled = yesField(fields, 'enabled', null);
  const toxics = listField(fields, 'toxics');
  for (const value of [name, listen, upstream, enabled, toxics]) {
    if (value instanceof Refusal) {
      return value;
    }
  }
  return { name, listen, upstream, enabled, toxics } as Wanted;
}

export async function listProxies(api: Api): Promise<Answer> {
  const states = api.control.list().map((state) => [state.plan.name, state] as const);
  // Written by hand: an object would put names that are numbers first.
  const members = states
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, state]) => `${JSON.stringify(name)}:${JSON.stringify(proxyJson(api, state))}`);
  return { status: 200, type: JSON_TYPE, body: `{${members.join(',')}}` };
}

export async function showProxy(api: Api, call: Call): Promise<Answer | Refusal> {
  const state = findProxy(api, call);
  return state instanceof Refusal ? state : json(200, proxyJson(api, state));
}

export async function createProxy(api: Api, call: Call): Promise<Answer | Refusal> {
  const body = await call.json();
  const wanted = body instanceof Refusal ? body : readWanted(body);
  if (wanted instanceof Refusal) {
    return wanted;
  }
  const missing = missingIn(wanted);
  if (missing !== null) {
    return missingField(missing);
  }
  const faults = readToxics(wanted.toxics, api.types);
  if (faults instanceof Refusal) {
    return faults;
  }
  if (api.control.find(wanted.name) !== null) {
    return PROXY_EXISTS;
  }
  const plan = planFor(api, wanted, faults);
  const state = plan instanceof Refusal ? plan : await stateOr(api.control.create(plan), plan.listen);
  return state instanceof Refusal ? state : json(201, proxyJson(api, state));
}

export async function updateProxy(api: Api, call: Call): Promise<Answer | Refusal> {
  const before = findProxy(api, call);
  if (before instanceof Refusal) {
    return before;
  }
  const body = await call.json();
  const wanted = body instanceof Refusal ? body : readWanted(body);
  if (wanted instanceof Refusal) {
    return wanted;
  }
  const change = await changeTo(api, before, wanted);
  if (change instanceof Refusal) {
    return change;
  }
  const state =
    Object.keys(change).length === 0
      ? before
      : await stateOr(api.control.update(before.plan.name, change), change.listen ?? before.plan.listen);
  return state instanceof Refusal ? state : json(200, proxyJson(api, state));
}

export async function deleteProxy(api: Api, call: Call): Promise<Answer | Refusal> {
  return (await api.control.remove(call.names[0] ?? '')) ? NOTHING : PROXY_NOT_FOUND;
}

/** All are looked at before one is made; when one cannot listen, those before it stand and are answered with the error. */
export async function populate(api: Api, call: Call): Promise<Answer | Refusal> {
  const body = (await call.json()) ?? [];
  if (body instanceof Refusal) {
    return withProxies(body, null);
  }
  if (!Array.isArray(body)) {
    return withProxies(badBody('the proxies must be a list'), null);
  }
  const orders: { wanted: Wanted; faults: PlannedFault[] }[] = [];
  for (const [index, one] of body.entries()) {
    const wanted = readWanted(one);
    if (wanted instanceof Refusal) {
      return withProxies(wanted, null);
    }
    const missing = missingIn(wanted);
    if (missing !== null) {
      return withProxies(missingField(`${missing} at proxy ${index + 1}`), null);
    }
    const faults = readToxics(wanted.toxics, api.types);
    if (faults instanceof Refusal) {
      return withProxies(new Refusal(faults.status, `${faults.error} at proxy ${index + 1}`), null);
    }
    orders.push({ wanted, faults });
  }
  const made: Record<string, unknown>[] = [];
  for (const { wanted, faults } of orders) {
    const state = await addOrReplace(api, wanted, faults);
    if (state instanceof Refusal) {
      return withProxies(state, made);
    }
    made.push(proxyJson(api, state));
  }
  return json(201, { proxies: made });
}

/** Everything enabled and nothing broken. */
export async function reset({ control }: Api): Promise<Answer | Refusal> {
  for (const { plan } of control.list()) {
    if (!plan.enabled || plan.faults.length > 0) {
      const state = await stateOr(control.update(plan.name, { enabled: true, faults: [] }), plan.listen);
      if (state instanceof Refusal) {
        return state;
      }
    }
  }
  return NOTHING;
}

function missingIn({ name, upstream }: Wanted): string | null {
  return name === '' ? 'name' : upstream === null || upstream === '' ? 'upstream' : null;
}

function planFor(api: Api, wanted: Wanted, faults: readonly PlannedFault[]): TapPlan | Refusal {
  const { name, listen, upstream, enabled } = wanted;
  const plan = api.newPlan(name, listen || LISTEN_UNSAID, upstream ?? '', enabled ?? true);
  return plan instanceof SockscopeError ? failed(plan) : { ...plan, faults };
}

async function changeTo(api: Api, before: TapState, wanted: Wanted): Promise<Partial<TapPlan> | Refusal> {
  const enabled = wanted.enabled ?? before.plan.enabled;
  const change: { -readonly [key in keyof TapPlan]?: TapPlan[key] } = {};
  if (wanted.listen !== null || wanted.upstream !== null) {
    const listen = wanted.listen ?? placeText(listenPlace(before));
    const upstream = wanted.upstream ?? placeText(before.plan.target);
    const plan = planFor(api, { ...wanted, name: before.plan.name, listen, upstream, enabled }, []);
    if (plan instanceof Refusal) {
      return plan;
    }
    if (wanted.listen !== null && !(await listensOn(before, plan.listen))) {
      change.listen = plan.listen;
    }
    if (!samePlace(plan.target, before.plan.target)) {
      change.target = plan.target;
    }
  }
  if (enabled !== before.plan.enabled) {
    change.enabled = enabled;
  }
  // A port that was found for it is its own until it is deleted, or sent elsewhere.
  if (Object.keys(change).length > 0 && change.listen === undefined && before.address !== null) {
    change.listen = listenPlace(before);
  }
  return change;
}

/** One that is there and listens where it should is left as it is, only given the toxics that were sent with it. */
async function addOrReplace(
  api: Api,
  wanted: Wanted,
  faults: readonly PlannedFault[],
): Promise<TapState | Refusal> {
  const plan = planFor(api, wanted, faults);
  if (plan instanceof Refusal) {
    return plan;
  }
  const before = api.control.find(plan.name);
  if (before === null) {
    return stateOr(api.control.create(plan), plan.listen);
  }
  if (samePlace(before.plan.target, plan.target) && (await listensOn(before, plan.listen))) {
    return addToxics(api, before, faults);
  }
  const { listen, target, enabled } = plan;
  return stateOr(api.control.update(plan.name, { listen, target, enabled, faults }), listen);
}

async function addToxics(
  { control }: Api,
  before: TapState,
  faults: readonly PlannedFault[],
): Promise<TapState | Refusal> {
  const { name, listen } = before.plan;
  let state: TapState | Refusal = before;
  for (const fault of faults) {
    const old = before.plan.faults.find((one) => one.name === fault.name);
    if (old !== undefined && (old.fault !== fault.fault || old.stream !== fault.stream)) {
      state = await stateOr(control.removeFault(name, fault.name), listen);
      if (state instanceof Refusal) {
        return state;
      }
      state = await stateOr(control.addFault(name, fault), listen);
    } else {
      const put = old === undefined ? control.addFault : control.updateFault;
      state = await stateOr(put.call(control, name, fault), listen);
    }
    if (state instanceof Refusal) {
      return state;
    }
  }
  return state;
}

/** Toxiproxy answers a failed populate with the error and with what it had made. */
function withProxies(refusal: Refusal, proxies: readonly unknown[] | null): Answer {
  return json(refusal.status, { ...refusal.toJSON(), proxies });
}
