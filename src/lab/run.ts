/** Runs an experiment in a stage of its own. */
import { SockscopeError } from '../errors.ts';
import type { Outcome, RunExperiment } from './run-types.ts';
import { asError, launchStage } from './stage/launch.ts';

/** `entry`: the built stage. */
export function experimentRunner(entry: string): RunExperiment {
  return async (name, wish, handlers) => {
    const { signal, ...told } = wish;
    signal?.throwIfAborted();
    const stage = await launchStage(entry);
    const ended = new AbortController();
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(stopped()), { once: true, signal: ended.signal });
        stage.onBroken(reject);
        stage.onMessage((message) => {
          switch (message.type) {
            case 'header':
              handlers.begins(message.header);
              break;
            case 'events':
              handlers.events(message.events);
              break;
            case 'step':
              handlers.step?.(message.text).then(() => stage.send({ type: 'go' }), reject);
              break;
            case 'outcome':
              resolve(message.outcome);
              break;
            case 'failed':
              reject(asError(message.error));
              break;
          }
        });
        stage.send({ type: 'experiment', name, wish: told, steps: handlers.step !== undefined });
      });
    } finally {
      ended.abort();
      await stage.close();
    }
  };
}

function stopped(): SockscopeError {
  return new SockscopeError('LAB_STOPPED', 'The experiment was stopped.', 'Run it again.', 1);
}
