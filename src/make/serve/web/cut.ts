/** What a handler throws when its answer cannot be completed and nobody made a mistake: the answer is cut, and its line says why. */
export class Cut extends Error {
  override readonly name = 'Cut';
}
