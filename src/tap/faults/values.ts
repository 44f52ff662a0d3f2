/** Attributes as numbers a stage can count with. They come from people and over HTTP, so a strange one is the nearest sane one. */
import type { Attribute, Attributes } from '../fault.ts';

export const MS = 1e6;
export const US = 1e3;

/** Not negative, not NaN. */
export function amount(attributes: Attributes, name: string, otherwise = 0): number {
  const value = attributes[name];
  return typeof value === 'number' && value >= 0 ? value : otherwise;
}

/** 0 to 1. */
export function share(attributes: Attributes, name: string, otherwise = 0): number {
  return Math.min(1, amount(attributes, name, otherwise));
}

export function word(attributes: Attributes, name: string, otherwise: string): string {
  const value = attributes[name];
  return typeof value === 'string' ? value : otherwise;
}

export const AFTER_BYTES: Attribute = {
  name: 'afterBytes',
  kind: 'size',
  about: 'exactly so many bytes are passed before',
  otherwise: 0,
};

export const AFTER_MS: Attribute = {
  name: 'afterMs',
  kind: 'duration',
  about: 'how long after the first data',
  otherwise: 0,
};
