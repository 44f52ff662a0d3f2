/** What a gate does to which messages. */
import type { Side } from '../../wire/app/decoder.ts';
import { displayFilter } from '../../wire/display/filter.ts';
import type { Vocabulary } from '../../wire/display/parse.ts';
import type { Subject } from '../../wire/display/subject.ts';
import { tokenize } from '../../wire/display/tokens.ts';
import type { Heard } from '../../wire/heard.ts';
import type { PlannedFault, When } from '../fault.ts';
import { type Reply, readReply } from '../replies/replies.ts';
import type { TextError } from '../rewrite-text.ts';
import { readSet, type SetRuleParsed } from '../set/set.ts';

export type Action =
  | { readonly do: 'hold' | 'drop' | 'reset' | 'close' | 'stall' }
  | { readonly do: 'delay'; readonly nanoseconds: number }
  | { readonly do: 'reply'; readonly reply: Reply }
  | { readonly do: 'set'; readonly set: SetRuleParsed }
  | { readonly do: 'hand over'; readonly fault: PlannedFault };

export interface Rule {
  readonly name: string;
  /** Whose messages are looked at. With `both`, a request that matched counts once: its reply is not looked at. */
  readonly from: Side | 'both';
  matches(heard: Heard): boolean;
  readonly action: Action;
  /** One per rule of a tap, shared by its connections: make the rules once per tap. */
  readonly counter: Counter | null;
}

export interface Counter {
  matched: number;
  /** When the first that counts was; -1 before. */
  since: number;
  readonly when: When;
}

/** Whether this match is one that the rule acts on. `now`: monotonic nanoseconds. */
export function counts(counter: Counter, now: number): boolean {
  const { nth, every, lasts } = counter.when;
  counter.matched++;
  if (every !== undefined && counter.matched % every !== 0) {
    return false;
  }
  if (nth !== undefined && (lasts === undefined ? counter.matched !== nth : counter.matched < nth)) {
    return false;
  }
  if (counter.since < 0) {
    counter.since = now;
  }
  return lasts === undefined || now - counter.since <= lasts;
}

/** Fields that are of requests, or that replies only repeat: a filter of these need not wait for replies. */
const ASKED =
  /^(?:request|(?:http\.)?(?:method|path(?:\.raw)?|host|request\.header\..+)|(?:redis\.)?(?:command|key|args)|(?:postgres\.)?(?:query|statement|portal|parameters)|(?:mysql\.)?(?:command|query)|(?:memcached\.)?(?:command|key|keys)|dns\.(?:question|type|class)|http|redis|postgres|mysql|memcached|dns)$/;
const ANSWERED =
  /^(?:reply|latency|firstbyte|failed|(?:http\.)?(?:status|reason|response\.header\..+)|(?:redis\.)?(?:reply|error|error\.code|queued))$/;

interface Filtered {
  readonly from: Side | 'both';
  matches(heard: Heard): boolean;
}

function filtered(text: string, vocabulary: Vocabulary): Filtered | TextError {
  const filter = displayFilter(text, vocabulary);
  if ('message' in filter) {
    const { message, at, expected } = filter;
    return { why: `${message} Possible here: ${expected.join(', ')}.`, at };
  }
  const subject: Subject = { lane: null, flow: null, messages: [], message: null, owners: () => [] };
  return {
    from: sideOf(text, vocabulary),
    matches(heard) {
      subject.messages = [heard];
      return filter.matches(subject);
    },
  };
}

/** Which side's messages it can be about, by the fields it names. */
function sideOf(text: string, vocabulary: Vocabulary): Side | 'both' {
  const tokens = tokenize(text);
  if (!Array.isArray(tokens)) {
    return 'both';
  }
  let names = 0;
  let asked = 0;
  let answered = 0;
  for (let i = 0; i < tokens.length; i++) {
    const { kind, text: word } = tokens[i]!;
    if (kind === 'string' || word === 'contains') {
      // A string behind an operator is its value; alone it may be anywhere.
      if (tokens[i - 1]?.kind !== 'operator') {
        return 'both';
      }
    } else if (kind === 'word' && tokens[i - 1]?.kind !== 'operator') {
      const name = word.split(':', 1)[0]!.toLowerCase();
      const alone = vocabulary.has(name) || tokens[i - 1]?.kind === 'not';
      names++;
      asked += ASKED.test(name) && !(alone && tokens.length <= 3) ? 1 : 0;
      answered += ANSWERED.test(name) ? 1 : 0;
    }
  }
  if (names > 0 && asked === names) {
    return 'client';
  }
  // With `or` or `not`, a request may match as well.
  const plain = !tokens.some(({ kind }) => kind === 'or' || kind === 'not');
  return answered > 0 && plain ? 'server' : 'both';
}

/** `--hold FILTER`. */
export function holdRule(text: string, vocabulary: Vocabulary): Rule | TextError {
  const filter = filtered(text, vocabulary);
  return 'why' in filter
    ? filter
    : {
        name: `hold ${text}`,
        from: filter.from,
        matches: filter.matches,
        action: { do: 'hold' },
        counter: null,
      };
}

/** `--set …`. */
export function setRule(text: string): Rule | TextError {
  const set = readSet(text);
  if ('why' in set) {
    return set;
  }
  // Replies that their requests choose: both sides are looked at.
  return {
    name: `set ${text}`,
    from: set.from,
    matches: set.matches,
    action: { do: 'set', set },
    counter: null,
  };
}

/** A planned fault that has a `when`. Those whose toxicity, client or connections leave a connection out are not given to its gate. */
export function faultRule(planned: PlannedFault, vocabulary: Vocabulary): Rule | TextError {
  const when = planned.when!;
  const filter = filtered(when.filter, vocabulary);
  if ('why' in filter) {
    return filter;
  }
  const action = actionOf(planned);
  if ('why' in action) {
    return action;
  }
  const wished =
    planned.stream === 'upstream' ? 'client' : planned.stream === 'downstream' ? 'server' : 'both';
  return {
    name: planned.name,
    from: action.do === 'reply' ? 'client' : wished === 'both' ? filter.from : wished,
    matches: filter.matches,
    action,
    counter: { matched: 0, since: -1, when },
  };
}

/** What acts on one message the gate does itself; all else begins with the message and is a stage of the chain. */
function actionOf(planned: PlannedFault): Action | TextError {
  const { fault, attributes } = planned;
  // Everything else is zero, off or a word: nothing was asked for beyond what the gate does.
  const plain = Object.entries(attributes).every(
    ([key, value]) => key === 'delayMs' || typeof value !== 'number' || value === 0 || /^wave/.test(key),
  );
  switch (fault) {
    case 'reply': {
      const text = `${attributes.protocol ?? ''} ${attributes.text ?? ''}`;
      const reply = readReply(text);
      return 'why' in reply ? reply : { do: 'reply', reply };
    }
    case 'hold':
    case 'close':
      return { do: fault };
    case 'drop':
      return { do: 'drop' };
    case 'reset':
      return plain ? { do: 'reset' } : { do: 'hand over', fault: planned };
    case 'stall':
      return plain ? { do: 'stall' } : { do: 'hand over', fault: planned };
    case 'latency':
      return plain && typeof attributes.delayMs === 'number' && (attributes.waveAmplitudeMs ?? 0) === 0
        ? { do: 'delay', nanoseconds: attributes.delayMs * 1e6 }
        : { do: 'hand over', fault: planned };
    default:
      return { do: 'hand over', fault: planned };
  }
}
