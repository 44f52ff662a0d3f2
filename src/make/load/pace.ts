/**
 * Which request may begin, and since when it counts. Without a rate: the next one when one is answered. With a rate each is due at a
 * fixed time, whatever became of the others, and counts from then: a server that stands still for a second is charged for every
 * request that should have been made in it (coordinated omission).
 */
import type { Share } from './plan.ts';

export interface Pace {
  /**
   * The moment from which the next request counts; -1: none is to begin now. `idle`: a connection was free all the time, so what the
   * timer came late (epoll_wait counts milliseconds) is our own and nobody is charged for it.
   */
  begin(now: number, idle: boolean): number;
  /** A request that began could not be made; another one will be. */
  giveBack(): void;
  /** When the next request is due; -1: nobody waits for a time. */
  due(): number;
  /** No more will begin. */
  finished(): boolean;
  late(): number;
}

/** One tick of the timer, and a little. */
const OWN_SLACK_NS = 2e6;

export function createPace(share: Share, start: number): Pace {
  const limit = share.requests === 0 ? Number.POSITIVE_INFINITY : share.requests;
  let left = limit;
  return share.rate === 0 ? closed() : open();

  function closed(): Pace {
    return {
      begin(now) {
        if (left === 0) {
          return -1;
        }
        left--;
        return now;
      },
      giveBack: () => void left++,
      due: () => -1,
      finished: () => left === 0,
      late: () => 0,
    };
  }

  function open(): Pace {
    const interval = 1e9 / share.rate;
    let number = 0;
    let again = 0;
    let late = 0;
    const nextDue = (): number => start + share.offsetNs + number * interval;
    return {
      begin(now, idle) {
        if (left === 0) {
          return -1;
        }
        if (again > 0) {
          again--;
          left--;
          return now;
        }
        const due = nextDue();
        if (due > now) {
          return -1;
        }
        number++;
        left--;
        if (idle && now - due <= OWN_SLACK_NS) {
          return now;
        }
        late++;
        return due;
      },
      giveBack() {
        left++;
        again++;
      },
      due: () => (left === 0 ? -1 : nextDue()),
      finished: () => left === 0,
      late: () => late,
    };
  }
}
