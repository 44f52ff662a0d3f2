/** /proxies/{proxy}/toxics and /proxies/{proxy}/toxics/{toxic}. */
import { changeToxic, MOST_TOXICS, readToxic, TOO_MANY, writeToxic, writeToxics } from '../toxics.ts';
import { type Answer, type Api, type Call, findProxy, findToxic, json, NOTHING, stateOr } from './api.ts';
import { Refusal, TOXIC_EXISTS } from './errors.ts';

export async function listToxics(api: Api, call: Call): Promise<Answer | Refusal> {
  const state = findProxy(api, call);
  return state instanceof Refusal ? state : json(200, writeToxics(state.plan.faults, api.types));
}

export async function showToxic(api: Api, call: Call): Promise<Answer | Refusal> {
  const state = findProxy(api, call);
  const toxic = state instanceof Refusal ? state : findToxic(state, call);
  return toxic instanceof Refusal ? toxic : json(200, writeToxic(toxic, api.types));
}

/** 200, not 201: so does Toxiproxy. */
export async function createToxic(api: Api, call: Call): Promise<Answer | Refusal> {
  const before = findProxy(api, call);
  if (before instanceof Refusal) {
    return before;
  }
  const body = await call.json();
  const toxic = body instanceof Refusal ? body : readToxic(body, api.types);
  if (toxic instanceof Refusal) {
    return toxic;
  }
  if (before.plan.faults.some(({ name }) => name === toxic.name)) {
    return TOXIC_EXISTS;
  }
  if (before.plan.faults.length >= MOST_TOXICS) {
    return TOO_MANY;
  }
  const state = await stateOr(api.control.addFault(before.plan.name, toxic), before.plan.listen);
  return state instanceof Refusal ? state : json(200, writeToxic(toxic, api.types));
}

export async function updateToxic(api: Api, call: Call): Promise<Answer | Refusal> {
  const proxy = findProxy(api, call);
  const before = proxy instanceof Refusal ? proxy : findToxic(proxy, call);
  if (proxy instanceof Refusal || before instanceof Refusal) {
    return before as Refusal;
  }
  const body = await call.json();
  const toxic = body instanceof Refusal ? body : changeToxic(body, before, api.types);
  if (toxic instanceof Refusal) {
    return toxic;
  }
  const state = await stateOr(api.control.updateFault(proxy.plan.name, toxic), proxy.plan.listen);
  return state instanceof Refusal ? state : json(200, writeToxic(toxic, api.types));
}

export async function deleteToxic(api: Api, call: Call): Promise<Answer | Refusal> {
  const proxy = findProxy(api, call);
  const toxic = proxy instanceof Refusal ? proxy : findToxic(proxy, call);
  if (proxy instanceof Refusal || toxic instanceof Refusal) {
    return toxic as Refusal;
  }
  const state = await stateOr(api.control.removeFault(proxy.plan.name, toxic.name), proxy.plan.listen);
  return state instanceof Refusal ? state : NOTHING;
}
