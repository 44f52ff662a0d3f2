/** The display filter: one small language for packets, messages and connections, live and in files. */
import { parse, type Vocabulary } from './parse.ts';
import type { Subject } from './subject.ts';
import type { Fault } from './tokens.ts';

export interface DisplayFilter {
  readonly matches: (subject: Subject) => boolean;
  /** Whether messages must be kept until their packet is judged. */
  readonly needsMessages: boolean;
  readonly needsOwners: boolean;
}

export function displayFilter(text: string, vocabulary: Vocabulary): DisplayFilter | Fault {
  const parsed = parse(text, vocabulary);
  if ('message' in parsed) {
    return parsed;
  }
  const { test } = parsed;
  return {
    needsMessages: parsed.needsMessages,
    needsOwners: parsed.needsOwners,
    matches(subject) {
      const { messages } = subject;
      if (messages.length === 0) {
        subject.message = null;
        return test(subject);
      }
      // All conditions must hold for one and the same message.
      for (const message of messages) {
        subject.message = message;
        if (test(subject)) {
          return true;
        }
      }
      return false;
    },
  };
}
