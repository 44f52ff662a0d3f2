/** What came is no HTTP/1.1, or stopped coming in the middle: it is answered where that is still possible, and the connection ends. */
import { statusText } from '../../../kernel/web-server.ts';
import type { NodeHouse } from '../kind.ts';
import { rawAnswer } from './refusal.ts';
import type { HttpLine } from './running.ts';

/** Status 0: the connection itself failed. */
export function malformed(house: NodeHouse, line: HttpLine, status: number, why: string): void {
  if (status === 0 || line.ending) {
    line.cut();
    return;
  }
  const waiting = [...line.running];
  const newest = waiting.at(-1);
  if (newest?.request.complete === true && newest.response !== null) {
    // What was asked properly is answered first; then the connection ends.
    newest.response.once('close', () => malformed(house, line, status, why));
    return;
  }
  if (newest === undefined) {
    house.access({
      at: house.now(),
      from: line.peer,
      what: status === 408 ? 'half a request' : 'no request',
      result: String(status),
      fine: true,
      took: 0,
      received: 0,
      sent: 0,
      note: why,
    });
  } else if (waiting.length > 1 || newest.response?.headersSent !== false) {
    line.cut();
    return;
  } else {
    newest.note(why);
    newest.abort(why);
    newest.over(String(status), true);
  }
  line.end(rawAnswer(status, statusText(status).toLowerCase(), ''));
}
