/** What can be done to taps while they run: the same door for the control API, the keys, SIGHUP and the library. */
import type { SockscopeError } from '../errors.ts';
import type { Address } from '../reactor/reactor.ts';
import type { PlannedFault } from './fault.ts';
import type { TapPlan } from './plan.ts';

export interface TapState {
  readonly plan: TapPlan;
  /** Where it really listens; null while it is disabled. */
  readonly address: Address | null;
  readonly connections: number;
  readonly opened: number;
  readonly fromClient: number;
  readonly fromServer: number;
}

export type Verdict =
  | { readonly verdict: 'go' }
  | { readonly verdict: 'drop' }
  | { readonly verdict: 'edit'; readonly bytes: Uint8Array };

/** Every promise is kept when the change is in force: connections that come later are under it, and those that stand as well. */
export interface TapControl {
  list(): TapState[];
  find(tap: string): TapState | null;
  /** Resolves when it listens (with all its faults in place), or with the error: port in use, unknown name. */
  create(plan: TapPlan): Promise<TapState | SockscopeError>;
  /** `enabled: false` closes the listener and every connection; a changed listen or target restarts it. */
  update(tap: string, change: Partial<TapPlan>): Promise<TapState | SockscopeError>;
  remove(tap: string): Promise<boolean>;
  addFault(tap: string, fault: PlannedFault): Promise<TapState | SockscopeError>;
  updateFault(tap: string, fault: PlannedFault): Promise<TapState | SockscopeError>;
  removeFault(tap: string, name: string): Promise<TapState | SockscopeError>;
  release(id: number, verdict: Verdict): void;
}
