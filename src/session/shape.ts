/** Shapes: what JSON may stand for a type, checked while reading, with the path of whatever did not fit. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Filled in by the shape that refuses; every container around it puts its own key in front of `path`. */
export interface Refusal {
  readonly path: (string | number)[];
  why: string;
}

/** `Required` is false for a field that may be absent. Methods, so that a shape of one event is a shape of the union. */
export interface Shape<T, Required extends boolean = true> {
  readonly required: Required;
  /** Undefined when refused. */
  read(value: unknown, refusal: Refusal): T | undefined;
  write(value: T): Json;
}

type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Shape<Exclude<T[K], undefined>, false>
    : Shape<T[K]>;
};

export function refuse(refusal: Refusal, why: string): undefined {
  refusal.why = why;
  return undefined;
}

export function within<T>(key: string | number, item: T | undefined, refusal: Refusal): T | undefined {
  if (item === undefined) {
    refusal.path.unshift(key);
  }
  return item;
}

export function describe(value: unknown): string {
  if (typeof value === 'string') {
    return `text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  }
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value) ? 'a list' : 'an object';
  }
  return String(value);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function leaf<T extends Json>(expected: string, fits: (value: unknown) => value is T): Shape<T> {
  return {
    required: true,
    read: (value, refusal) =>
      fits(value) ? value : refuse(refusal, `expected ${expected}, got ${describe(value)}`),
    write: (value) => value,
  };
}

export const text = leaf('text', (value) => typeof value === 'string');
export const flag = leaf('true or false', (value) => typeof value === 'boolean');
export const number = leaf('a number', (value): value is number => Number.isFinite(value));
export const integer = leaf('a whole number', (value): value is number => Number.isSafeInteger(value));
export const count = leaf(
  'a whole number from 0',
  (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0,
);

export function oneOf<const T extends string | number>(...choices: readonly T[]): Shape<T> {
  const known: ReadonlySet<unknown> = new Set(choices);
  return leaf(`one of ${choices.join(', ')}`, (value): value is T => known.has(value));
}

/** A number JSON cannot hold exactly, as decimal digits. */
export const bigDecimal: Shape<bigint> = {
  required: true,
  read: (value, refusal) =>
    typeof value === 'string' && /^-?\d{1,1000}$/.test(value)
      ? BigInt(value)
      : refuse(refusal, `expected decimal digits as text, got ${describe(value)}`),
  write: String,
};

export const bytes: Shape<Uint8Array> = {
  required: true,
  read(value, refusal) {
    const buffer = typeof value === 'string' ? Buffer.from(value, 'base64') : null;
    return buffer !== null && buffer.toString('base64') === value
      ? new Uint8Array(buffer)
      : refuse(refusal, `expected base64, got ${describe(value)}`);
  },
  write: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
};

/** `write` as it is, but the field may be absent. */
export function optional<T>(shape: Shape<T>): Shape<T, false> {
  return { ...shape, required: false };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    required: true,
    read: (value, refusal) => (value === null ? null : shape.read(value, refusal)),
    write: (value) => (value === null ? null : shape.write(value)),
  };
}

export function list<T>(shape: Shape<T>): Shape<T[]> {
  return {
    required: true,
    read(value, refusal) {
      if (!Array.isArray(value)) {
        return refuse(refusal, `expected a list, got ${describe(value)}`);
      }
      const items: T[] = [];
      for (const [index, entry] of value.entries()) {
        const item = within(index, shape.read(entry, refusal), refusal);
        if (item === undefined) {
          return undefined;
        }
        items.push(item);
      }
      return items;
    },
    write: (value) => value.map((item) => shape.write(item)),
  };
}

/** Fields are written in the order given; fields that are not named are neither written nor read. */
export function object<T extends object>(fields: Fields<T>): Shape<T> {
  const shapes: [string, Shape<unknown, boolean>][] = Object.entries(fields);
  return {
    required: true,
    read(value, refusal) {
      if (!isRecord(value)) {
        return refuse(refusal, `expected an object, got ${describe(value)}`);
      }
      if (Object.hasOwn(value, '__proto__')) {
        return within('__proto__', refuse(refusal, 'a key we never write'), refusal);
      }
      const result: Record<string, unknown> = {};
      for (const [name, shape] of shapes) {
        if (Object.hasOwn(value, name)) {
          const item = within(name, shape.read(value[name], refusal), refusal);
          if (item === undefined) {
            return undefined;
          }
          result[name] = item;
        } else if (shape.required) {
          return within(name, refuse(refusal, 'missing'), refusal);
        }
      }
      return result as T;
    },
    write(value) {
      const result: Record<string, Json> = {};
      for (const [name, shape] of shapes) {
        const item: unknown = Reflect.get(value, name);
        if (item !== undefined) {
          result[name] = shape.write(item);
        }
      }
      return result;
    },
  };
}
