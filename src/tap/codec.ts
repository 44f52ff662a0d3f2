/** Observations as records for the ring between two threads. Bytes have a short form: a recording is mostly made of them. */
import { deserialize, serialize } from 'node:v8';
import type { Bytes, Observation } from './observation.ts';

const OTHER = 0;
const BYTES = 1;
/** kind, side, length of the tap's name, connection, at. */
const HEAD = 16;

const buffer = { bytes: new Uint8Array(65_536 * 2), view: new DataView(new ArrayBuffer(0)) };
buffer.view = new DataView(buffer.bytes.buffer);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The record lies in a buffer that the next call uses again. */
export function encodeObservation(observation: Observation): Uint8Array {
  if (observation.type === 'bytes') {
    return encodeBytes(observation);
  }
  const made = serialize(observation);
  room(1 + made.length);
  buffer.bytes[0] = OTHER;
  buffer.bytes.set(made, 1);
  return buffer.bytes.subarray(0, 1 + made.length);
}

function encodeBytes({ at, tap, connection, from, bytes }: Bytes): Uint8Array {
  room(HEAD + 3 * tap.length + bytes.length);
  const name = encoder.encodeInto(tap, buffer.bytes.subarray(HEAD)).written;
  buffer.bytes[0] = BYTES;
  buffer.bytes[1] = from === 'client' ? 0 : 1;
  buffer.view.setUint16(2, name, true);
  buffer.view.setUint32(4, connection, true);
  buffer.view.setFloat64(8, at, true);
  buffer.bytes.set(bytes, HEAD + name);
  return buffer.bytes.subarray(0, HEAD + name + bytes.length);
}

function room(length: number): void {
  if (buffer.bytes.length < length) {
    buffer.bytes = new Uint8Array(2 * length);
    buffer.view = new DataView(buffer.bytes.buffer);
  }
}

/** `record` may be used again afterwards. */
export function decodeObservation(record: Uint8Array, from: number, to: number): Observation {
  if (record[from] === OTHER) {
    return deserialize(Buffer.from(record.slice(from + 1, to)));
  }
  const view = new DataView(record.buffer, record.byteOffset + from, to - from);
  const name = view.getUint16(2, true);
  return {
    type: 'bytes',
    at: view.getFloat64(8, true),
    tap: decoder.decode(record.slice(from + HEAD, from + HEAD + name)),
    connection: view.getUint32(4, true),
    from: record[from + 1] === 0 ? 'client' : 'server',
    bytes: record.slice(from + HEAD + name, to),
  };
}
