/** The commands of Redis: their names once in memory, whether a second word belongs to the name, and where the first key is. */
import { latin1 } from './text.ts';

export interface Command {
  readonly name: string;
  /** The second word is part of the name: `CONFIG GET`. */
  readonly family: boolean;
  /** Which argument is the first key; 0: none. */
  readonly key: number;
  /** Where the number of keys is, for commands that say it: the first key follows. */
  readonly count: number;
  /** What is waited for once it is asked. The same object each time: most commands need no more. */
  readonly ask: Ask;
}

/** What a command does to the conversation besides being answered once. */
export type Special =
  | 'plain'
  | 'subscribe'
  | 'unsubscribe'
  | 'monitor'
  | 'multi'
  | 'exec'
  | 'discard'
  | 'psync'
  | 'sync'
  | 'reset';

/** A request that waits for its answer. */
export interface Ask {
  readonly name: string;
  readonly special: Special;
  /** How many replies it gets; -1: the first reply tells. */
  expects: number;
}

const SPECIAL: Readonly<Record<string, Special>> = {
  SUBSCRIBE: 'subscribe',
  PSUBSCRIBE: 'subscribe',
  SSUBSCRIBE: 'subscribe',
  UNSUBSCRIBE: 'unsubscribe',
  PUNSUBSCRIBE: 'unsubscribe',
  SUNSUBSCRIBE: 'unsubscribe',
  MONITOR: 'monitor',
  MULTI: 'multi',
  EXEC: 'exec',
  DISCARD: 'discard',
  PSYNC: 'psync',
  SYNC: 'sync',
  RESET: 'reset',
};

const KEYED =
  'APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN COPY DECR DECRBY DEL DUMP ' +
  'EXISTS EXPIRE EXPIREAT EXPIRETIME GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEOSEARCH GEOSEARCHSTORE GET ' +
  'GETBIT GETDEL GETEX GETRANGE GETSET HDEL HEXISTS HEXPIRE HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN ' +
  'HMGET HMSET HPEXPIRE HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT LCS LINDEX ' +
  'LINSERT LLEN LMOVE LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MOVE MSET MSETNX PERSIST PEXPIRE PEXPIREAT ' +
  'PEXPIRETIME PFADD PFCOUNT PFMERGE PSETEX PTTL RENAME RENAMENX RESTORE RPOP RPOPLPUSH RPUSH RPUSHX SADD SCARD SDIFF ' +
  'SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTER SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP ' +
  'SPUBLISH SRANDMEMBER SREM SSCAN SSUBSCRIBE STRLEN SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE TOUCH TTL TYPE UNLINK WATCH ' +
  'XACK XADD XAUTOCLAIM XCLAIM XDEL XLEN XPENDING XRANGE XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFFSTORE ZINCRBY ' +
  'ZINTERSTORE ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ' +
  'ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ' +
  'ZUNIONSTORE';
const KEYLESS =
  'ASKING AUTH BGREWRITEAOF BGSAVE DBSIZE DISCARD ECHO EXEC FAILOVER FLUSHALL FLUSHDB HELLO INFO KEYS LASTSAVE LOLWUT ' +
  'MIGRATE MONITOR MULTI PING PSUBSCRIBE PSYNC PUBLISH PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE REPLCONF REPLICAOF ' +
  'RESET ROLE SAVE SCAN SELECT SHUTDOWN SLAVEOF SUBSCRIBE SWAPDB SYNC TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF XREAD XREADGROUP';
const FAMILIES =
  'ACL CLIENT CLUSTER COMMAND CONFIG DEBUG FUNCTION LATENCY MODULE PUBSUB SCRIPT SENTINEL SLOWLOG';
/** The key is the argument behind the second word. */
const KEYED_FAMILIES = 'MEMORY OBJECT XGROUP XINFO';
/** Name, and which argument is the number of keys. */
const COUNTED =
  'BLMPOP:2 BZMPOP:2 EVAL:2 EVALSHA:2 EVALSHA_RO:2 EVAL_RO:2 FCALL:2 FCALL_RO:2 LMPOP:1 SINTERCARD:1 ZDIFF:1 ZINTER:1 ' +
  'ZINTERCARD:1 ZMPOP:1 ZUNION:1';

/** Open addressing: no string is made to find one. */
const SLOTS = 2048;
const table: (Command | undefined)[] = new Array(SLOTS).fill(undefined);

function add(name: string, family: boolean, key: number, count = 0): void {
  let hash = 0;
  for (let i = 0; i < name.length; i++) {
    hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
  }
  let slot = hash & (SLOTS - 1);
  while (table[slot] !== undefined) {
    slot = (slot + 1) & (SLOTS - 1);
  }
  table[slot] = { name, family, key, count, ask: { name, special: SPECIAL[name] ?? 'plain', expects: 1 } };
}

for (const name of KEYED.split(' ')) {
  add(name, false, 1);
}
for (const name of KEYLESS.split(' ')) {
  add(name, false, 0);
}
for (const name of FAMILIES.split(' ')) {
  add(name, true, 0);
}
for (const name of KEYED_FAMILIES.split(' ')) {
  add(name, true, 2);
}
for (const pair of COUNTED.split(' ')) {
  const [name, count] = pair.split(':') as [string, string];
  add(name, false, Number(count) + 1, Number(count));
}
add('BITOP', false, 2);

/** The command whose name, in any case, is bytes[from, to). */
export function commandOf(bytes: Uint8Array, from: number, to: number): Command {
  let hash = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    hash = (Math.imul(hash, 31) + (byte >= 97 && byte <= 122 ? byte - 32 : byte)) | 0;
  }
  for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
    const found = table[slot];
    if (found === undefined) {
      const name = upperWord(bytes, from, to);
      return { name, family: false, key: 0, count: 0, ask: { name, special: 'plain', expects: 1 } };
    }
    if (same(found.name, bytes, from, to)) {
      return found;
    }
  }
}

export function known(bytes: Uint8Array, from: number, to: number): boolean {
  return commandNames.has(commandOf(bytes, from, to).name);
}

const commandNames = new Set(table.flatMap((command) => (command === undefined ? [] : [command.name])));

function same(name: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) {
    return false;
  }
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[from + i]!;
    if (name.charCodeAt(i) !== (byte >= 97 && byte <= 122 ? byte - 32 : byte)) {
      return false;
    }
  }
  return true;
}

const LONGEST_NAME = 32;

/** A name nobody knows: upper case, what does not print as `.`, and bounded. */
export function upperWord(bytes: Uint8Array, from: number, to: number): string {
  const end = Math.min(to, from + LONGEST_NAME);
  return (
    latin1(bytes, from, end)
      .replace(/[^\x21-\x7e]/g, '.')
      .toUpperCase() || '(empty)'
  );
}

/** The first key among the arguments, or null. `args` begins behind the command's first word. */
export function keyOf(command: Command, args: readonly string[]): string | null {
  if (command.count > 0 && !(Number(args[command.count - 1]) > 0)) {
    return null;
  }
  switch (command.name) {
    case 'XREAD':
    case 'XREADGROUP': {
      const streams = args.findIndex((arg) => arg.toUpperCase() === 'STREAMS');
      return streams < 0 ? null : (args[streams + 1] ?? null);
    }
    case 'MIGRATE': {
      const keys = args.findIndex((arg) => arg.toUpperCase() === 'KEYS');
      return args[2] !== '' ? (args[2] ?? null) : keys < 0 ? null : (args[keys + 1] ?? null);
    }
    case 'MEMORY':
      return args[0]?.toUpperCase() === 'USAGE' ? (args[1] ?? null) : null;
    default:
      return command.key === 0 ? null : (args[command.key - 1] ?? null);
  }
}
