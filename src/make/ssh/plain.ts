/** Text that a server chose, before it reaches a terminal. */

const CONTROLS = /[^\P{Cc}\n\t]/gu;

/** Without what moves a cursor or changes a colour. */
export function plainText(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(CONTROLS, '');
}

export function plainLine(text: string): string {
  return plainText(text).replace(/\s+/g, ' ').trim();
}
