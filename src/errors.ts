/** The one error class that people see: a stable code, what happened, what to do. Everything else is a bug and prints a stack. */
export type ExitCode = 1 | 2 | 3;

export class SockscopeError extends Error {
  readonly code: string;
  /** One sentence: what the person can do about it. */
  readonly hint: string;
  /** 1 finding or failed expectation, 2 usage, 3 not possible here. */
  readonly exit: ExitCode;

  constructor(code: string, message: string, hint: string, exit: ExitCode, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SockscopeError';
    this.code = code;
    this.hint = hint;
    this.exit = exit;
  }
}
