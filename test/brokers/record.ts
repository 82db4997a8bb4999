import { appendFileSync } from 'node:fs';

/** One line of the run's log: a suite used a broker, or could not. Read by `scripts/test.mjs` for its table. */
export interface Use {
  /** The test file, relative to the repository. */
  suite: string;
  broker: string;
  version: string;
  /** `url`, `docker`, `binary`, `embedded`; `missing` when the suite was skipped. */
  source: string;
  /** Why it was not run. */
  why?: string;
}

/** The file that collects the uses; `scripts/test.mjs` names it. */
export const logVariable = 'COMMLIB_BROKER_LOG';
/** The test file that is running; the set-up file of the integration project names it. */
export const suiteVariable = 'COMMLIB_SUITE';

/** Notes that the running suite uses a broker. Does nothing outside `npm test`. */
export function recordUse(use: Omit<Use, 'suite'>): void {
  const log = process.env[logVariable];
  const suite = process.env[suiteVariable];
  if (log === undefined || suite === undefined) return;
  const line: Use = { suite, ...use };
  appendFileSync(log, `${JSON.stringify(line)}\n`);
}
