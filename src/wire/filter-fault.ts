/** A capture filter that cannot be understood: a plain value. The caret goes under [from, to) of the filter's text. */
export interface FilterFault {
  message: string;
  /** One sentence: what to write instead. */
  hint: string;
  from: number;
  to: number;
}

export interface Span {
  from: number;
  to: number;
}

export function filterFault({ from, to }: Span, message: string, hint: string): FilterFault {
  return { message, hint, from, to };
}

export function isFilterFault(value: unknown): value is FilterFault {
  return typeof value === 'object' && value !== null && 'hint' in value && 'message' in value;
}
