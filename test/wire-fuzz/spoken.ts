/** Every decoder there is. */
export { decoders } from '../../src/wire/app/decoders.ts';
