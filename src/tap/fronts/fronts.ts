/** The fronts a tap can have, by the names in its plan. */
import type { Front } from '../plan.ts';
import { connect } from './connect.ts';
import type { FrontSpeaker } from './front.ts';
import { socks5 } from './socks5.ts';

export const fronts: Readonly<Record<Exclude<Front, 'none'>, FrontSpeaker>> = { socks5, connect };
