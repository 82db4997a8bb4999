/** `npm run soak`: the fault tests in their full size, with their figures. Exits with 1 when a promise was broken. */
import { parseArgs } from 'node:util';
import { findBroker } from '../brokers/find.js';
import { startMosquitto } from '../brokers/index.js';
import { runCampaign } from '../security/malformed/campaign.js';
import * as bursts from './burst/report.js';
import { FULL as FULL_BURST, scenarios } from './burst/scenarios.js';
import { runLoss } from './loss/loss.js';
import { FULL as FULL_LOSS } from './loss/plan.js';
import * as losses from './loss/report.js';
import { type LossScenario, lossless, lossy } from './loss/scenarios.js';
import * as scales from './scale/report.js';
import { runMatching, runScale, SIZES } from './scale/scale.js';
import { oneOfEach, type StageKind } from './stages/index.js';

const PROTOCOLS = ['mqtt', 'amqp', 'redis', 'kafka'];
const PARTS = ['loss', 'burst', 'scale', 'malformed'];
const VARIATIONS = 20_000;
const HELP = `npm run soak [-- --only ${PROTOCOLS.join(',')}] [--part ${PARTS.join(',')}]
  the fault tests in their full size, on brokers of its own that are killed and restarted. Without options everything, which
  takes about half an hour. The exit code is 1 when a promise was broken, or when a broker is missing.`;

const chosen = choose();
if (chosen === undefined) {
  console.error(HELP);
  process.exit(2);
}
if (chosen.help) {
  console.log(HELP);
  process.exit(0);
}
const { protocols, parts } = chosen;
const broken: string[] = [];
if (parts.includes('loss')) await loss();
if (parts.includes('burst')) await burst();
if (parts.includes('scale')) await scale();
if (parts.includes('malformed') && protocols.includes('mqtt')) await malformed();
if (broken.length > 0) {
  console.error(`\n${broken.join('\n')}`);
  process.exitCode = 1;
}

function choose(): { help: boolean; protocols: string[]; parts: string[] } | undefined {
  try {
    const { values } = parseArgs({
      options: { only: { type: 'string' }, part: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    const pick = (given: string | undefined, all: readonly string[]) => {
      const words = given?.split(',') ?? all;
      for (const word of words)
        if (!all.includes(word)) throw new Error(`${word} is none of ${all.join(', ')}`);
      return [...words];
    };
    return {
      help: values.help ?? false,
      protocols: pick(values.only, PROTOCOLS),
      parts: pick(values.part, PARTS),
    };
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Is it asked for, and is there a broker for it? Its absence is a broken promise. */
async function present(kind: StageKind): Promise<boolean> {
  if (!protocols.includes(kind.protocol)) return false;
  const found = await findBroker(kind.broker, { own: true });
  if (!found.found) broken.push(`${kind.name} was not run: ${found.why}`);
  return found.found;
}

/** A failure of one run shall not keep the others from being run. */
async function attempt<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
  console.error(`  ${name} …`);
  try {
    return await work();
  } catch (error) {
    broken.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return undefined;
  }
}

async function loss(): Promise<void> {
  const rows: losses.LossRow[] = [];
  const run = async ({ name, stage: kind, signal }: LossScenario, quietMs?: number) => {
    if (!(await present(kind))) return undefined;
    const row = await attempt(
      `${name}: ${FULL_LOSS.messages} messages at least once, ${signal}`,
      async () => {
        await using stage = await kind.start();
        return {
          name: `${name} (${stage.version})`,
          ...(await runLoss(stage, { ...FULL_LOSS, signal }, quietMs)),
        };
      },
    );
    if (row) rows.push(row);
    return row;
  };
  for (const scenario of lossless) {
    const row = await run(scenario);
    if (row) broken.push(...losses.breaches(row).map((breach) => `${row.name}: ${breach}`));
  }
  const kept = rows.length;
  for (const scenario of lossy) {
    const row = await run(scenario, 10_000);
    if (row) broken.push(...row.problems.map((problem) => `${row.name}: ${problem}`));
  }
  console.log(`\nNumbered messages, at least once, from one program to another:\n\n${losses.tableOf(rows)}`);
  if (kept < rows.length)
    console.log(
      '\nThe last of them are brokers as they should not be run: what is missing there is what that costs.',
    );
}

async function burst(): Promise<void> {
  const { calls, inFlight } = FULL_BURST;
  for (const kind of oneOfEach) {
    if (!(await present(kind))) continue;
    const rows: bursts.BurstRow[] = [];
    let version = '';
    await attempt(`${kind.name}: ${calls} calls, ${inFlight} in flight`, async () => {
      await using stage = await kind.start();
      version = stage.version;
      for (const { name, run } of scenarios) {
        const row = await attempt(`${kind.name}: ${name}`, () => run(stage, FULL_BURST));
        if (row) rows.push({ name, ...row });
      }
    });
    console.log(
      `\nBursts of ${calls} calls on one client, ${inFlight} in flight, ${kind.name} (${version}):\n`,
    );
    console.log(bursts.tableOf(rows));
    broken.push(
      ...rows.flatMap((row) => bursts.breaches(row).map((breach) => `${kind.name}, ${row.name}: ${breach}`)),
    );
  }
}

async function scale(): Promise<void> {
  const rows: scales.ScaleRow[] = SIZES.map((size) => ({
    name: 'core alone',
    ...runMatching(size, 200_000),
  }));
  broken.push(...scales.breaches(rows));
  for (const kind of oneOfEach) {
    if (!(await present(kind))) continue;
    const own: scales.ScaleRow[] = [];
    await attempt(`${kind.name}: subscriptions`, async () => {
      await using stage = await kind.start();
      for (const size of SIZES) own.push({ name: kind.name, ...(await runScale(stage, size, 10_000)) });
    });
    broken.push(...scales.breaches(own));
    rows.push(...own);
  }
  console.log(
    `\nMany subscriptions on one connection, every second with a wildcard:\n\n${scales.tableOf(rows)}`,
  );
}

async function malformed(): Promise<void> {
  const found = await findBroker('mosquitto', { own: true });
  if (!found.found) {
    broken.push(`bad payloads were not sent: ${found.why}`);
    return;
  }
  const result = await attempt(`${VARIATIONS} variations of bad payloads`, async () => {
    await using broker = await startMosquitto({ own: true });
    return await runCampaign(broker.url, VARIATIONS);
  });
  if (!result) return;
  const { sent, handled, reported, answered, durationMs } = result;
  console.log(`\nBad payloads into every endpoint of a running bot and client:
${sent} messages, ${handled} handled, ${reported} reported, each once; ${answered} requests answered; nobody lost the
connection; ${(durationMs / 1_000).toFixed(1)} s.`);
}
