/** `npm run soak`: the fault tests in their full size, with their figures. Exits with 1 when a promise was broken. */
import { findBroker } from '../brokers/find.js';
import { startMosquitto } from '../brokers/index.js';
import { runCampaign } from '../security/malformed/campaign.js';
import { type BurstRow, breaches, tableOf } from './burst/report.js';
import { FULL, scenarios } from './burst/scenarios.js';

const VARIATIONS = 20_000;

if (process.argv.length > 2) {
  console.log(`npm run soak
  the fault tests in their full size, on a Mosquitto of its own that is killed and restarted: about two minutes.
  It takes no options. The exit code is 1 when a promise was broken, or when there is no Mosquitto.`);
  const asked = process.argv.slice(2).every((word) => word === '--help' || word === '-h');
  process.exit(asked ? 0 : 2);
}

const found = await findBroker('mosquitto', { own: true });
if (!found.found) {
  console.error(`there is no Mosquitto to do it on: ${found.why}`);
  process.exit(1);
}

const rows: BurstRow[] = [];
for (const { name, run } of scenarios) {
  console.error(`  ${FULL.calls} calls, ${FULL.inFlight} in flight: ${name} …`);
  rows.push({ name, ...(await run(FULL)) });
}
console.log(
  `Bursts of ${FULL.calls} calls on one client, ${FULL.inFlight} in flight, over ${found.version}:\n`,
);
console.log(tableOf(rows));
const broken = rows.flatMap((row) => breaches(row).map((breach) => `${row.name}: ${breach}`));
if (broken.length > 0) {
  console.error(`\n${broken.join('\n')}`);
  process.exitCode = 1;
} else {
  console.log('\nEvery call settled: with its own answer, or with a typed error. None was executed twice.');
}

console.error(`  ${VARIATIONS} variations of bad payloads …`);
await using broker = await startMosquitto({ own: true });
const { sent, handled, reported, answered, durationMs } = await runCampaign(broker.url, VARIATIONS);
console.log(`\nBad payloads into every endpoint of a running bot and client:
${sent} messages, ${handled} handled, ${reported} reported, each once; ${answered} requests answered; nobody lost the
connection; ${(durationMs / 1_000).toFixed(1)} s.`);
