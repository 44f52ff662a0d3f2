/** SIGHUP reads the configuration again: what is new begins, what is gone ends, what changed is changed. */
import { SockscopeError } from '../errors.ts';
import { loadConfig } from '../tap/config.ts';
import { compareConfigs } from '../tap/config-compare.ts';
import type { OrderedTap } from '../tap/config-defaults.ts';
import type { Taps } from '../tap/taps.ts';
import { several } from '../view/units.ts';
import { warn } from './output.ts';

/** Until the answer is called. A file that cannot be read changes nothing. */
export function reloadOnHangup(taps: Taps, file: string, begun: readonly OrderedTap[]): () => void {
  let current = begun;
  let busy = Promise.resolve();

  async function reload(): Promise<void> {
    const config = await loadConfig(file);
    if (config instanceof SockscopeError) {
      warn(`${config.message}\n${config.hint}\nNothing was changed.`);
      return;
    }
    const { added, removed, changed } = compareConfigs({ taps: current }, config);
    const troubles: SockscopeError[] = [];
    for (const { name } of removed) {
      await taps.remove(name);
    }
    for (const { searches, ...plan } of added) {
      const made = searches ? await taps.createFree(plan) : await taps.create(plan);
      if (made instanceof SockscopeError) {
        troubles.push(made);
      }
    }
    for (const { searches: _, ...plan } of changed) {
      const made = await taps.update(plan.name, plan);
      if (made instanceof SockscopeError) {
        troubles.push(made);
      }
    }
    current = config.taps;
    for (const { message, hint } of troubles) {
      warn(`${message} ${hint}`);
    }
    warn(
      `read ${file} again: ${several(added.length, 'tap')} added, ${removed.length} removed, ${changed.length} changed`,
    );
  }

  const hangup = (): void => {
    busy = busy.then(reload);
  };
  process.on('SIGHUP', hangup);
  return () => {
    process.off('SIGHUP', hangup);
  };
}
