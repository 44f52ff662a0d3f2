/** What a message's field or a system call's argument may hold. */
export type Value = null | boolean | number | bigint | string | readonly Value[] | Values;
export interface Values {
  readonly [name: string]: Value;
}
