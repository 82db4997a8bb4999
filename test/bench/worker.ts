/**
 * One subject in one scenario, in a process of its own. It says `{"event":"ready"}`, then answers each line
 * `{"settleMs":…,"ms":…}` of its standard input with one measurement, and ends with the end of that input or at SIGTERM.
 */
import { createInterface } from 'node:readline';
import { callLoad, type Run, StreamLoad } from './load.js';
import { makeReceipt } from './order.js';
import { startProfile } from './profile.js';
import { isTransport, scenarios, type Transport } from './scenarios.js';
import type { BenchSubject } from './subject.js';

const [subject = '', transportName = '', scenarioId = '', url = '', peers = '', profile = ''] =
  process.argv.slice(2);
/** Topics of its own: the others are connected to the same broker. */
const options = { url, channel: `bench/c${process.pid}` };

async function makeSubject(transport: Transport): Promise<BenchSubject> {
  // Only what is measured is loaded.
  switch (subject) {
    case 'commlib':
    case 'commlib+zod': {
      const { librarySubject } = await import('./subjects/library.js');
      return librarySubject(transport, options, subject === 'commlib+zod');
    }
    case 'nestjs':
      return (await import('./subjects/nestjs.js')).nestjs(transport, options, peers);
    case 'moleculer':
      return (await import('./subjects/moleculer.js')).moleculer(transport, options, peers);
    default:
      return rawSubject(transport);
  }
}

async function rawSubject(transport: Transport): Promise<BenchSubject> {
  switch (transport) {
    case 'mqtt':
      return (await import('./subjects/raw/mqtt.js')).rawMqtt(options);
    case 'amqp':
      return (await import('./subjects/raw/amqp.js')).rawAmqp(options);
    case 'redis':
      return (await import('./subjects/raw/redis.js')).rawRedis(options, subject === 'raw');
    case 'kafka':
      return (await import('./subjects/raw/kafka.js')).rawKafka(options);
  }
}

async function makeRun(): Promise<(ms: number) => Promise<Run>> {
  const scenario = scenarios.find((one) => one.id === scenarioId);
  if (scenario === undefined) throw new Error(`no scenario ${scenarioId}`);
  if (!isTransport(transportName)) throw new Error(`no transport ${transportName}`);
  const made = await makeSubject(transportName);
  if (scenario.kind === 'rpc') {
    const call = await made.rpc(scenario, makeReceipt);
    return (ms) => callLoad(call, scenario.inFlight, ms);
  }
  const load = new StreamLoad(scenario.window);
  load.publish = await made.stream(scenario, load.onOrder);
  return (ms) => load.run(ms);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const MIB = 1024 * 1024;

const run = await makeRun();
const atRest = process.memoryUsage.rss() / MIB;
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
  const measured = await run(ms);
  const memory = process.resourceUsage().maxRSS / 1024;
  say({ event: 'measured', ...measured, memory, growth: memory - atRest });
}
process.exit(0);
