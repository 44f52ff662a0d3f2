/** `-w` of the lab: the session as a file, opened before the run, closed whatever happens. */
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

export function openRecording(path: string, about: string, face: LabFace): Recording {
  const target = face.open(path);
  const file = createSessionFile({ version, about, write: target.write, words: eventWords });
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
