/** `-w` of the lab and of traced programs: the session as a file, opened before the run, closed whatever happens. */
import type { Event, SessionHeader } from '../session/events.ts';
import { eventWords } from '../view/lab/event-words.ts';
import { several } from '../view/units.ts';
import { createSessionFile } from '../watch/session-file.ts';
import type { LabFace } from './lab-face.ts';
import { version } from './version.ts';

export interface Recording {
  begins(header: SessionHeader): void;
  events(batch: readonly Event[]): void;
  /** What came of it, in words; '' for nothing. */
  finish(): string;
}

/** `live`: a real machine's session, not one of the lab's hosts. */
export function openRecording(
  path: string,
  about: string,
  face: Pick<LabFace, 'open'>,
  live = false,
): Recording {
  const target = face.open(path);
  const file = createSessionFile({ version, about, live, write: target.write, words: eventWords });
  let begun = false;
  return {
    begins(header) {
      begun = true;
      file.begins(header);
    },
    events: file.events,
    finish() {
      if (!begun) {
        target.abandon();
        return '';
      }
      const { packets, entries } = file.finish();
      target.close();
      return `${several(packets, 'packet')} and ${several(entries, 'entry', 'entries')} written to ${path}`;
    },
  };
}
