/** HTTP's dates (RFC 9110, section 5.6.7): the one form that is written, and the two old ones that are read. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const FIXED = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC850 = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** Milliseconds since 1970, or null for what is no date: `0`, `-1`. `now` decides which century two digits are of. */
export function readDate(text: string | undefined, now: number): number | null {
  if (text === undefined) {
    return null;
  }
  const fixed = FIXED.exec(text);
  if (fixed !== null) {
    return dateOf(fixed[3]!, fixed[2]!, fixed[1]!, fixed[4]!, fixed[5]!, fixed[6]!);
  }
  const old = RFC850.exec(text);
  if (old !== null) {
    const thisYear = new Date(now).getUTCFullYear();
    const year = Math.floor(thisYear / 100) * 100 + Number(old[3]);
    // More than 50 years ahead is the past.
    const meant = year > thisYear + 50 ? year - 100 : year;
    return dateOf(String(meant), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!);
  }
  const c = ASCTIME.exec(text);
  return c === null ? null : dateOf(c[6]!, c[1]!, c[2]!, c[3]!, c[4]!, c[5]!);
}

function dateOf(year: string, month: string, day: string, h: string, m: string, s: string): number | null {
  const at = MONTHS.indexOf(month);
  const [hour, minute, second] = [Number(h), Number(m), Number(s)];
  if (at < 0 || hour > 23 || minute > 59 || second > 60) {
    return null;
  }
  const date = new Date(Date.UTC(Number(year), at, Number(day), hour, minute, second));
  return date.getUTCMonth() === at ? date.getTime() : null;
}

export function dateText(at: number): string {
  return new Date(at).toUTCString();
}
