/** What is said to whom asked. `closes`: and then the connection ends, as the request wished. */
export interface Made {
  readonly bytes: Uint8Array;
  readonly closes: boolean;
}
