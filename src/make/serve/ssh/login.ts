/** Who is let in. Passwords are compared and forgotten; no line shows one. */
import { createHash, timingSafeEqual } from 'node:crypto';
import ssh2, { type AuthContext, type Connection, type PublicKeyAuthContext } from 'ssh2';
import type { House } from '../kind.ts';
import { fingerprint, firstOf } from './host-key.ts';
import type { SshPlan } from './plan.ts';
import { plain } from './words.ts';
import { Story } from './work.ts';

export interface LoginDesk {
  readonly house: House;
  readonly plan: SshPlan;
  readonly peer: string;
  readonly client: string;
  readonly software: string;
}

/** Wrong passwords or signatures on one connection. */
const TRIES = 3;
/** An agent offers all keys it has, one after the other; sshd counts these too. */
const KEYS_OFFERED = 20;

/** Calls back with the user's name once somebody has shown that it may come in. */
export function guard(connection: Connection, desk: LoginDesk, welcome: (user: string) => void): void {
  const { house, plan, peer, client, software } = desk;
  const methods: ('publickey' | 'password')[] =
    plan.keys.length > 0 ? ['publickey', 'password'] : ['password'];
  let wrong = 0;
  let offered = 0;
  connection.on('authentication', (context: AuthContext) => {
    const { method } = context;
    if (method === 'none' && !plan.none) {
      // So a client asks which methods there are.
      context.reject(methods);
      return;
    }
    const isOffer = method === 'publickey' && context.signature === undefined;
    const visitor = { house, peer, user: context.username, software };
    const story = new Story(visitor, `login ${plain(context.username)} by ${about(context)}`);
    const refuse = (note: string): void => {
      wrong += isOffer ? 0 : 1;
      offered += isOffer ? 1 : 0;
      // That a key is unknown is only said of those that are tried in earnest, or ssh's way of asking would fill the log.
      if (!isOffer) {
        story.tell('refused', true, note);
      }
      context.reject(methods);
      if (wrong >= TRIES || offered >= KEYS_OFFERED) {
        connection.end();
      }
    };
    if (!isOffer && !house.allows(client)) {
      story.tell('refused', true, 'too many tries');
      context.reject(methods);
      connection.end();
      return;
    }
    if (plan.user !== null && !same(context.username, plan.user)) {
      refuse('another user');
    } else if (plan.none || passes(context, plan)) {
      if (!isOffer) {
        story.tell('accepted');
        welcome(context.username);
      }
      context.accept();
    } else {
      refuse(method === 'password' ? 'wrong password' : method === 'publickey' ? 'unknown key' : '');
    }
  });
}

function about(context: AuthContext): string {
  return context.method === 'publickey' ? `key ${fingerprint(context.key.data)}` : plain(context.method);
}

function passes(context: AuthContext, plan: SshPlan): boolean {
  if (context.method === 'password') {
    return plan.password !== null && same(context.password, plan.password);
  }
  return (
    context.method === 'publickey' &&
    plan.keys.includes(context.key.data.toString('base64')) &&
    signed(context)
  );
}

/** The first time a client only asks whether the key would do. */
function signed({ key, signature, blob, hashAlgo }: PublicKeyAuthContext): boolean {
  if (signature === undefined || blob === undefined) {
    return true;
  }
  const parsed = ssh2.utils.parseKey(key.data);
  return !(parsed instanceof Error) && firstOf(parsed).verify(blob, signature, hashAlgo) === true;
}

/** In the same time, whatever was typed. */
function same(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
