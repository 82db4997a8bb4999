/** `npm run bench`: this library beside each client by hand, and its peers. `docs/benchmarks.md` says how it is done. */
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { help, type Options, readOptions } from './arguments.js';
import { benchBrokers, whyNoBroker } from './brokers.js';
import { markdownOf } from './markdown.js';
import { measure, type ScenarioResult } from './measure.js';
import { PYTHON_VERSION, preparePeers } from './peers.js';
import { type BrokerResult, jsonOf, tableOf, verdictsOf, verdictTable } from './report.js';
import { hasScenario, peers, type Subject, whyNot } from './scenarios.js';

const options = parse();
/** What was left out, and why. */
const skipped = new Set<string>();

const wantedPeers = options.subjects.filter((subject) => peers.includes(subject));
if (wantedPeers.length > 0) console.error(`  preparing ${wantedPeers.join(', ')}`);
const prepared = await preparePeers(wantedPeers);
for (const [subject, why] of prepared.missing) skipped.add(`${subject}: ${why}`);
const subjects = options.subjects.filter((subject) => !prepared.missing.has(subject));
const profile = options.profile === undefined ? undefined : resolve(options.profile);
if (profile !== undefined) mkdirSync(profile, { recursive: true });

const results: BrokerResult[] = [];
for (const { id, transport, title, server, start } of benchBrokers) {
  if (!options.transports.includes(transport)) continue;
  if (options.broker !== undefined && transport === 'mqtt' && options.broker !== id) continue;
  const none = await whyNoBroker(server);
  if (none !== undefined) {
    skipped.add(`${transport}: ${none}`);
    continue;
  }
  await using broker = await start();
  const place = { transport, url: broker.url, peers: prepared.folder, python: prepared.python, profile };
  const measured = new Map<string, ScenarioResult>();
  for (const scenario of options.scenarios) {
    if (!hasScenario(transport, scenario)) continue;
    const racing = subjects.filter((subject) => {
      const why = whyNot(subject, transport, scenario);
      if (why) skipped.add(`${subject} in ${scenario.id} on ${transport}: ${why}`);
      return why === undefined;
    });
    const where = transport === id ? id : `${transport} (${id})`;
    measured.set(
      scenario.id,
      await measure(scenario, racing, place, options.size, {
        progress: (text) => console.error(`  ${where}  ${text}`),
        failed: (subject, error) => {
          const [why] = String(error instanceof Error ? error.message : error).split('\n');
          skipped.add(`${subject} in ${scenario.id} on ${where}: it failed: ${lastErrorOf(error) ?? why}`);
        },
      }),
    );
  }
  const result = { id, transport, title, version: broker.version, scenarios: measured };
  results.push(result);
  if (!options.json && !options.markdown) console.log(tableOf(result));
}

const verdicts = verdictsOf(results);
const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length };
const has = (subject: Subject) => subjects.includes(subject);
if (options.json) {
  const sizes = { ...options.size, quick: options.quick };
  const brokers = jsonOf(results);
  console.log(JSON.stringify({ machine, sizes, brokers, verdicts, skipped: [...skipped] }, null, 2));
} else {
  if (options.markdown) console.log(`${markdownOf(results)}\n`);
  console.log(
    `Both ends of a subject are in one process; the broker is another. ${machine.cores} × ${machine.cpu}, Node ${machine.node}.`,
  );
  console.log(
    `Ratios are medians of ${options.size.rounds} pairs of neighbouring runs, with the range of the pairs.`,
  );
  if (has('commlib-py')) console.log(`commlib-py is ${PYTHON_VERSION}.`);
  for (const line of skipped) console.log(`Not measured: ${line}`);
  if (options.quick)
    console.log('\nRuns of this size show that the measurement works; the figures mean nothing.');
  else console.log(`\n${verdictTable(verdicts)}`);
}
if (results.length === 0) process.exitCode = 1;
if (options.assert && verdicts.some(({ met }) => !met)) process.exitCode = 1;

/** The line of a stack trace that says what went wrong. */
function lastErrorOf(error: unknown): string | undefined {
  const lines = error instanceof Error ? error.message.split('\n') : [];
  return lines
    .filter((line) => /^\s*(\w*Error|\w+Exception): /.test(line))
    .at(-1)
    ?.trim();
}

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
