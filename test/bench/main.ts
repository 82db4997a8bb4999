/** `npm run bench`: this library beside mqtt.js by hand and commlib-py. `docs/benchmarks.md` says how it is done. */
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { help, type Options, readOptions } from './arguments.js';
import { benchBrokers, whyNoBroker } from './brokers.js';
import { measure, type ScenarioResult } from './measure.js';
import { findPython } from './python.js';
import { type BrokerResult, jsonOf, tableOf, verdictsOf, verdictTable } from './report.js';

const options = parse();

const noBroker = await whyNoBroker();
if (noBroker !== undefined) {
  console.error(noBroker);
  process.exit(1);
}

/** What was left out, and why. */
const skipped: string[] = [];
const chosen = findPython();
const python = options.subjects.includes('commlib-py') ? chosen : undefined;
if (python?.why !== undefined) skipped.push(`commlib-py: ${python.why}`);
if (python?.version !== undefined) {
  skipped.push(
    `commlib-py in pubsub-qos1, rpc-64, rpc-512: ${python.version} publishes at QoS 0 only, and a client of it makes one call at a time`,
  );
}
const subjects = options.subjects.filter(
  (subject) => subject !== 'commlib-py' || python?.python !== undefined,
);
const profile = options.profile === undefined ? undefined : resolve(options.profile);
if (profile !== undefined) mkdirSync(profile, { recursive: true });

const results: BrokerResult[] = [];
for (const { id, title, start } of benchBrokers) {
  if (options.broker !== undefined && options.broker !== id) continue;
  await using broker = await start();
  const place = { url: broker.url, port: broker.port, python: python?.python, profile };
  const measured = new Map<string, ScenarioResult>();
  for (const scenario of options.scenarios) {
    const progress = (text: string) => console.error(`  ${id}  ${text}`);
    measured.set(scenario.id, await measure(scenario, subjects, place, options.size, progress));
  }
  const result = { id, title, version: broker.version, scenarios: measured };
  results.push(result);
  if (!options.json) console.log(tableOf(result));
}

const verdicts = verdictsOf(results);
const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length };
if (options.json) {
  const sizes = { ...options.size, quick: options.quick };
  const brokers = jsonOf(results);
  console.log(
    JSON.stringify({ machine, commlibPy: python?.version, sizes, brokers, verdicts, skipped }, null, 2),
  );
} else {
  console.log(
    `Both ends of a subject are in one process; the broker is another. ${machine.cores} × ${machine.cpu}, Node ${machine.node}.`,
  );
  console.log(
    `Ratios are medians of ${options.size.rounds} pairs of neighbouring runs, with the range of the pairs.`,
  );
  if (python?.version !== undefined) console.log(`commlib-py is ${python.version}.`);
  for (const line of skipped) console.log(`Not measured: ${line}`);
  if (options.quick)
    console.log('\nRuns of this size show that the measurement works; the figures mean nothing.');
  else console.log(`\n${verdictTable(verdicts)}`);
}
if (options.assert && verdicts.some(({ met }) => !met)) process.exitCode = 1;

function parse(): Options {
  try {
    const read = readOptions(process.argv.slice(2));
    if (read !== undefined) return read;
    console.log(help);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    process.exit(2);
  }
}
