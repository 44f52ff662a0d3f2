export type Loaded = 1;
export const loadProgram = (_: Uint8Array): Loaded => 1;
export const runFilter = (..._: unknown[]): boolean => true;
