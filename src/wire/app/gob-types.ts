/** The types of a gob stream: those that everybody knows, and those it defines itself in terms of them. */

import type { Values } from '../value.ts';
import { shortened } from './text.ts';

export type GobType =
  | {
      readonly kind:
        | 'bool'
        | 'int'
        | 'uint'
        | 'float'
        | 'bytes'
        | 'string'
        | 'complex'
        | 'interface'
        | 'text';
    }
  /** What GobEncode or MarshalBinary made of a value. */
  | { readonly kind: 'opaque'; readonly name: string }
  /** Arrays and slices. */
  | { readonly kind: 'list'; readonly elem: number }
  | { readonly kind: 'map'; readonly key: number; readonly elem: number }
  | {
      readonly kind: 'struct';
      readonly name: string;
      readonly names: readonly string[];
      readonly ids: readonly number[];
    };

const INT = 2;
const STRING = 6;
const COMMON = 18;
const FIELDS = 22;
const OPAQUE = 24;

const basic = (['bool', 'int', 'uint', 'float', 'bytes', 'string', 'complex', 'interface'] as const).map(
  (kind, at): [number, GobType] => [at + 1, { kind }],
);

function struct(name: string, fields: Record<string, number>): GobType {
  return { kind: 'struct', name, names: Object.keys(fields), ids: Object.values(fields) };
}

/** Types are themselves described by values, of these types. */
const known = new Map<number, GobType>([
  ...basic,
  [
    16,
    struct('wireType', {
      ArrayT: 17,
      SliceT: 19,
      StructT: 20,
      MapT: 23,
      GobEncoderT: OPAQUE,
      BinaryMarshalerT: OPAQUE,
      TextMarshalerT: OPAQUE,
    }),
  ],
  [17, struct('arrayType', { CommonType: COMMON, Elem: INT, Len: INT })],
  [COMMON, struct('CommonType', { Name: STRING, Id: INT })],
  [19, struct('sliceType', { CommonType: COMMON, Elem: INT })],
  [20, struct('structType', { CommonType: COMMON, Field: FIELDS })],
  [21, struct('fieldType', { Name: STRING, Id: INT })],
  [FIELDS, { kind: 'list', elem: 21 }],
  [23, struct('mapType', { CommonType: COMMON, Key: INT, Elem: INT })],
  // In Go this one has no number of its own to rely on; nothing refers to it but the type of types.
  [OPAQUE, struct('gobEncoderType', { CommonType: COMMON })],
]);

export function typeOf(own: ReadonlyMap<number, GobType>, id: number): GobType | undefined {
  return known.get(id) ?? own.get(id);
}

/** The type that a value of the type of types describes, or null. */
export function typeFrom(described: Values): GobType | null {
  const kind = Object.keys(described)[0] ?? '';
  const parts = described[kind] as Values;
  const name = String((parts?.CommonType as Values | undefined)?.Name ?? '');
  const key = Number(parts?.Key ?? 0);
  const elem = Number(parts?.Elem ?? 0);
  switch (kind) {
    case 'ArrayT':
    case 'SliceT':
      return { kind: 'list', elem };
    case 'MapT':
      return { kind: 'map', key, elem };
    case 'StructT': {
      const fields = (parts.Field ?? []) as Values[];
      return {
        kind: 'struct',
        name: shortened(name, 256),
        names: fields.map((field) => shortened(String(field.Name ?? ''), 256)),
        ids: fields.map((field) => Number(field.Id ?? 0)),
      };
    }
    case 'GobEncoderT':
    case 'BinaryMarshalerT':
      return { kind: 'opaque', name };
    case 'TextMarshalerT':
      return { kind: 'text' };
    default:
      return null;
  }
}
