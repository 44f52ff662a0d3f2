/** What this process may do here: the kernel's table, for the faces. */
export { type Ability, abilities } from '../kernel/abilities.ts';
