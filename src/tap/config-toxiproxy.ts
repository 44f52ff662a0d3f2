/** Toxiproxy's own configuration file: a list of proxies. Their toxics, which Toxiproxy itself passes over, are read as well. */
import { Refusal } from './api/errors.ts';
import { orderTap, USUAL_WISHES } from './config-defaults.ts';
import { fieldsOf, listOf, placeField, textField, yesField } from './config-fields.ts';
import { type ConfigNode, type Problems, plainOf } from './config-source.ts';
import type { TapRead } from './config-tap.ts';
import type { PlannedFault } from './fault.ts';
import { faults } from './faults.ts';
import { isPlaceError, readPlace } from './place.ts';
import { toxicTypes } from './toxic-types.ts';
import { readToxic } from './toxics.ts';

const KEYS = ['name', 'listen', 'upstream', 'enabled', 'toxics'];

export function readProxy(node: ConfigNode, problems: Problems): TapRead | null {
  const before = problems.list.length;
  const fields = fieldsOf(node, KEYS, 'a proxy', problems);
  if (fields === null) {
    return null;
  }
  const misspelt = problems.list.length > before;
  const name = textField(fields.get('name'), problems);
  const target = placeField(fields.get('upstream'), 'target', problems);
  const listen = fields.has('listen') ? placeField(fields.get('listen'), 'listen', problems) : nextFree();
  const enabled = yesField(fields.get('enabled'), problems) ?? true;
  const toxics = toxicsOf(listOf(fields.get('toxics'), problems), problems);
  for (const needed of ['name', 'upstream']) {
    if (!misspelt && !fields.has(needed)) {
      problems.add(node.offset, `this proxy has no ${needed}`, 'A proxy has name, listen and upstream.');
    }
  }
  if (problems.list.length > before || name === null || target === null || listen === null) {
    return null;
  }
  const ordered = orderTap(listen, target);
  if ('error' in ordered) {
    problems.add(node.offset, ordered.error, ordered.hint);
    return null;
  }
  const plan = { ...ordered.plan, name, enabled, faults: toxics, wishes: USUAL_WISHES };
  const at = (key: string): number => fields.get(key)?.value.offset ?? node.offset;
  return { plan, named: true, nameAt: at('name'), listenAt: at('listen') };
}

function nextFree() {
  const place = readPlace('127.0.0.1:0', 'listen');
  return isPlaceError(place) ? null : place;
}

function toxicsOf(nodes: readonly ConfigNode[], problems: Problems): PlannedFault[] {
  const types = toxicTypes(faults);
  const read: PlannedFault[] = [];
  for (const node of nodes) {
    const toxic = readToxic(plainOf(node), types);
    if (toxic instanceof Refusal) {
      const hint = `A toxic has name, type, stream, toxicity and attributes. Types: ${faults.map((one) => types.of(one.name)!.name).join(', ')}.`;
      problems.add(node.offset, toxic.error, hint);
    } else if (read.some((one) => one.name === toxic.name)) {
      problems.add(node.offset, `two toxics are called ${toxic.name}`, 'Give each a name of its own.');
    } else {
      read.push(toxic);
    }
  }
  return read;
}
