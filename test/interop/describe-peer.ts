import { describe, expect, test } from 'vitest';
import { recordUse } from '../brokers/record.js';
import { type EnvironmentName, isReady, pythonOf } from './environments.js';

const demanded = (process.env.COMMLIB_PEERS ?? '').split(',').map((name) => name.trim());

/** Why a peer cannot be had, or `undefined` when it is there now. */
async function hindrance(name: EnvironmentName): Promise<string | undefined> {
  const family = name.startsWith('hummingbot') ? 'hummingbot' : 'commlib-py';
  // A whole Hummingbot is a gigabyte and two minutes of compiling: nobody gets it without having asked.
  if (family === 'hummingbot' && !demanded.includes(family) && !(await isReady(name))) {
    return 'not installed; COMMLIB_PEERS=hummingbot installs it (2 minutes, 0.9 GB)';
  }
  try {
    await pythonOf(name);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? 'unknown') : String(error);
  }
}

/**
 * A `describe` that needs a Python peer. Where it cannot be had, the suite is skipped with the reason in its title and in
 * the table at the end of the run, or fails if `COMMLIB_PEERS` names its family (`commlib-py`, `hummingbot`).
 */
export async function describePeer(name: EnvironmentName, body: () => void): Promise<void> {
  const why = await hindrance(name);
  if (why === undefined) {
    describe(`with ${name}`, body);
    return;
  }
  recordUse({ broker: name, version: '-', source: 'missing', why });
  if (demanded.some((family) => family !== '' && name.startsWith(family))) {
    test(`${name} is here, as COMMLIB_PEERS demands`, () => expect.fail(why));
    return;
  }
  console.warn(`not run: the suite with ${name}: ${why}`);
  describe.skip(`with ${name} — not run: ${why}`, body);
}
