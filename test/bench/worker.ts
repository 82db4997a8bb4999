/**
 * One subject in one scenario, in a process of its own. It says `{"event":"ready"}`, then answers each line
 * `{"settleMs":…,"ms":…}` of its standard input with one measurement, and ends with the end of that input or at SIGTERM.
 */
import { createInterface } from 'node:readline';
import { callLoad, type Measured, StreamLoad } from './load.js';
import { makeReceipt } from './order.js';
import { startProfile } from './profile.js';
import { scenarios } from './scenarios.js';
import type { BenchSubject } from './subject.js';

/** Topics of its own: the others are connected to the same broker. */
const channel = `bench/c${process.pid}`;
const [name = '', scenarioId = '', url = '', profile] = process.argv.slice(2);

async function makeSubject(): Promise<BenchSubject> {
  // Only what is measured is loaded.
  if (name === 'raw') return (await import('./subjects/raw.js')).rawSubject(url, channel);
  const { librarySubject } = await import('./subjects/library.js');
  return librarySubject(url, channel, name === 'commlib+zod');
}

async function makeRun(): Promise<(ms: number) => Promise<Measured>> {
  const scenario = scenarios.find((one) => one.id === scenarioId);
  if (scenario === undefined) throw new Error(`no scenario ${scenarioId}`);
  const subject = await makeSubject();
  if (scenario.kind === 'rpc') {
    const call = await subject.rpc(makeReceipt);
    return (ms) => callLoad(call, scenario.inFlight, ms);
  }
  const load = new StreamLoad(scenario.window);
  load.publish = await subject.stream(scenario.qos, load.onOrder);
  return (ms) => load.run(ms);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const run = await makeRun();
say({ event: 'ready' });
let endProfile: (() => Promise<void>) | undefined;
let runs = 0;
process.on('SIGTERM', async () => {
  await endProfile?.();
  process.exit(0);
});
for await (const line of createInterface({ input: process.stdin })) {
  // The first run only warms up.
  if (profile && ++runs === 2) endProfile = await startProfile(profile);
  const { settleMs, ms } = JSON.parse(line);
  // While the others ran, the processor's caches went cold, and collections at rest threw away what the compiler had
  // learnt of objects of which none was left. So no collection is forced here, and every run has a lead that is not counted.
  await run(settleMs);
  say({ event: 'measured', ...(await run(ms)) });
}
process.exit(0);
