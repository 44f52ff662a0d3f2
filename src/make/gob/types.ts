/** What a gob stream can say about its values: the types of Go's encoding/gob, which every stream describes before it uses them. */

export type GobBasic = 'bool' | 'int' | 'uint' | 'float' | 'bytes' | 'string' | 'complex';

export interface GobField {
  readonly name: string;
  readonly type: GobType;
}

export type GobType =
  | { readonly kind: GobBasic }
  | { readonly kind: 'slice'; readonly elem: GobType }
  | { readonly kind: 'array'; readonly elem: GobType; readonly length: number }
  | { readonly kind: 'map'; readonly key: GobType; readonly elem: GobType }
  | { readonly kind: 'struct'; readonly name: string; readonly fields: readonly GobField[] };

export interface GobComplex {
  readonly real: number;
  readonly imaginary: number;
}

/** Integers beyond 2^53 are bigints; a struct is a record by its fields' names; null is a struct or array behind a nil pointer. */
export type GobValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | GobComplex
  | readonly GobValue[]
  | ReadonlyMap<GobValue, GobValue>
  | GobStruct
  | null;

export interface GobStruct {
  readonly [field: string]: GobValue;
}

/** The numbers that encoding/gob gives its own types. */
export const BASIC_IDS: Readonly<Record<GobBasic, number>> = {
  bool: 1,
  int: 2,
  uint: 3,
  float: 4,
  bytes: 5,
  string: 6,
  complex: 7,
};

/** Types of the stream's own are numbered from here. */
export const FIRST_ID = 65;

export const BOOL: GobType = { kind: 'bool' };
export const INT: GobType = { kind: 'int' };
export const UINT: GobType = { kind: 'uint' };
export const FLOAT: GobType = { kind: 'float' };
export const BYTES: GobType = { kind: 'bytes' };
export const STRING: GobType = { kind: 'string' };
export const COMPLEX: GobType = { kind: 'complex' };

export function sliceOf(elem: GobType): GobType {
  return { kind: 'slice', elem };
}

export function mapOf(key: GobType, elem: GobType): GobType {
  return { kind: 'map', key, elem };
}

export function struct(name: string, fields: Readonly<Record<string, GobType>>): GobType {
  return {
    kind: 'struct',
    name,
    fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
  };
}

export function isBasic(type: GobType): type is { readonly kind: GobBasic } {
  return Object.hasOwn(BASIC_IDS, type.kind);
}
