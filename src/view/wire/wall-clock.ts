/** The time of day of a packet, written straight into bytes: a million lines are a million times the same second. */

const WIDTH = 15;

export interface WallClock {
  /** `14:03:07.118220` at `at` nanoseconds after the session's start; the next free position. */
  write(out: Uint8Array, position: number, at: number): number;
  text(at: number): string;
}

/** `seconds` since 1970 and nanoseconds at which the session began. */
export function wallClock(seconds: number, nanoseconds: number): WallClock {
  let known = Number.NaN;
  const prefix = new Uint8Array(9);
  const scratch = new Uint8Array(WIDTH);

  function write(out: Uint8Array, position: number, at: number): number {
    const total = at + nanoseconds;
    const whole = Math.floor(total / 1e9);
    let rest = ((total - whole * 1e9) / 1000) | 0;
    if (whole !== known) {
      known = whole;
      const date = new Date((seconds + whole) * 1000);
      const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.`;
      for (let i = 0; i < 9; i++) {
        prefix[i] = text.charCodeAt(i);
      }
    }
    for (let i = 0; i < 9; i++) {
      out[position + i] = prefix[i]!;
    }
    for (let i = position + WIDTH - 1; i >= position + 9; i--) {
      const next = (rest / 10) | 0;
      out[i] = 48 + rest - next * 10;
      rest = next;
    }
    return position + WIDTH;
  }

  return {
    write,
    text(at) {
      write(scratch, 0, at);
      return String.fromCharCode(...scratch);
    },
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
