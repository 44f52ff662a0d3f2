/** Toxiproxy's toxics ↔ our planned faults. */
import { BAD_STREAM, BAD_TYPE, badBody, Refusal, TOXIC_EXISTS } from './api/errors.ts';
import { type Fields, field, fieldsOf, numberField, textField } from './api/fields.ts';
import type { PlannedFault } from './fault.ts';
import { readAttributes, writeAttributes } from './toxic-attributes.ts';
import { readConditions, writeConditions } from './toxic-conditions.ts';
import type { ToxicTypes } from './toxic-types.ts';

/** A new toxic as a client sent it: downstream and for every connection unless it says otherwise. */
export function readToxic(body: unknown, types: ToxicTypes): PlannedFault | Refusal {
  const fields = fieldsOf(body, 'a toxic');
  if (fields instanceof Refusal) {
    return fields;
  }
  const name = textField(fields, 'name', '');
  const typeName = textField(fields, 'type', '');
  const written = textField(fields, 'stream', 'downstream');
  const toxicity = numberField(fields, 'toxicity', 0, 1, 1);
  for (const value of [name, typeName, written, toxicity]) {
    if (typeof value === 'object') {
      return value;
    }
  }
  const stream = streamOf(written as string);
  if (stream === null) {
    return BAD_STREAM;
  }
  const type = types.find(typeName as string);
  if (type === undefined) {
    return BAD_TYPE;
  }
  const attributes = attributeFields(fields);
  if (attributes instanceof Refusal) {
    return attributes;
  }
  const read = readAttributes(attributes, type, null);
  const conditions = readConditions(fields, {});
  if (read instanceof Refusal) {
    return read;
  }
  if (conditions instanceof Refusal) {
    return conditions;
  }
  return {
    name: (name as string) || `${typeName}_${stream}`,
    fault: type.fault.name,
    attributes: read,
    stream,
    toxicity: toxicity as number,
    ...conditions,
  };
}

/** On one proxy: each is asked for every connection. */
export const MOST_TOXICS = 1000;
export const TOO_MANY = new Refusal(400, `a proxy has at most ${MOST_TOXICS} toxics`);

/** Of a list in which each name stands once. */
export function readToxics(list: readonly unknown[], types: ToxicTypes): PlannedFault[] | Refusal {
  if (list.length > MOST_TOXICS) {
    return TOO_MANY;
  }
  const read: PlannedFault[] = [];
  for (const [index, body] of list.entries()) {
    const toxic = readToxic(body, types);
    if (toxic instanceof Refusal) {
      return new Refusal(toxic.status, `${toxic.error} (toxic ${index + 1})`);
    }
    if (read.some(({ name }) => name === toxic.name)) {
      return new Refusal(409, `${TOXIC_EXISTS.error}: ${toxic.name} (toxic ${index + 1})`);
    }
    read.push(toxic);
  }
  return read;
}

/** Attributes and toxicity that are not named stay; name, type and stream cannot be changed and are not looked at. */
export function changeToxic(body: unknown, before: PlannedFault, types: ToxicTypes): PlannedFault | Refusal {
  const type = types.of(before.fault);
  if (type === undefined) {
    return BAD_TYPE;
  }
  const fields = fieldsOf(body, 'a toxic');
  if (fields instanceof Refusal) {
    return fields;
  }
  const toxicity = numberField(fields, 'toxicity', 0, 1, before.toxicity);
  if (typeof toxicity === 'object') {
    return toxicity;
  }
  const given = attributeFields(fields);
  if (given instanceof Refusal) {
    return given;
  }
  const attributes = readAttributes(given, type, before.attributes);
  const conditions = readConditions(fields, before);
  if (attributes instanceof Refusal) {
    return attributes;
  }
  if (conditions instanceof Refusal) {
    return conditions;
  }
  const { name, fault, stream } = before;
  return { name, fault, attributes, stream, toxicity, ...conditions };
}

/** In the order of Toxiproxy's own answer. */
export function writeToxic(planned: PlannedFault, types: ToxicTypes): Record<string, unknown> {
  const type = types.of(planned.fault);
  return {
    attributes: type === undefined ? planned.attributes : writeAttributes(planned.attributes, type),
    name: planned.name,
    type: type?.name ?? planned.fault,
    stream: planned.stream,
    toxicity: planned.toxicity,
    ...writeConditions(planned),
  };
}

const STREAMS = ['upstream', 'downstream', 'both'] as const;

/** Toxiproxy lists its two chains one after the other, each in the order in which toxics were added. */
export function writeToxics(planned: readonly PlannedFault[], types: ToxicTypes): Record<string, unknown>[] {
  return STREAMS.flatMap((stream) => planned.filter((one) => one.stream === stream)).map((one) =>
    writeToxic(one, types),
  );
}

function streamOf(text: string): PlannedFault['stream'] | null {
  return STREAMS.find((stream) => stream === text.toLowerCase()) ?? null;
}

function attributeFields(fields: Fields): Fields | Refusal {
  const given = field(fields, 'attributes');
  return given !== undefined && (typeof given !== 'object' || Array.isArray(given))
    ? badBody('attributes must be an object')
    : fieldsOf(given, 'attributes');
}
