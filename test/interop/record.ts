/**
 * Records what real Hummingbots answer and publish.
 *
 *     npx tsx interop/record.ts                     all four, into interop/recordings/
 *     npx tsx interop/record.ts 2.18-headless       one
 *     npx tsx interop/record.ts --check [names]     record anew, compare with the kept ones, exit 1 on what differs twice
 *     npx tsx interop/record.ts --check --quick     the same without the commands that get no reply: 5 minutes, not 15
 */
import { writeFile } from 'node:fs/promises';
import { compareRecordings } from './recording/compare.js';
import { recordBot } from './recording/record-bot.js';
import { loadRecording, recordingNames, recordingPath, recordingText, type Step } from './recordings.js';

type Entry = (typeof recordingNames)[number];

const flags = new Set(process.argv.slice(2).filter((argument) => argument.startsWith('--')));
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const wanted = recordingNames.filter(({ name }) => asked.length === 0 || asked.includes(name));
const progress = (line: string) => console.error(line);
let differences = 0;

async function record({ name, era, mode }: Entry): Promise<void> {
  await writeFile(recordingPath(name), recordingText(await recordBot(era, mode, { progress })));
}

async function check({ name, era, mode }: Entry): Promise<void> {
  const kept = await loadRecording(name);
  if (flags.has('--quick')) kept.steps = kept.steps.filter(({ reply }) => reply !== null);
  const made = new Set(kept.steps.map(({ when, step }) => `${when} ${step}`));
  const only = ({ when, step }: Pick<Step, 'when' | 'step'>) => made.has(`${when} ${step}`);
  const options = flags.has('--quick') ? { only, kept, progress } : { kept, progress };
  const compared = async () => compareRecordings(kept, await recordBot(era, mode, options));
  let found = await compared();
  if (found.length > 0) {
    // A bot that was starved says some things late, or says that it was late: what differs for good differs twice.
    console.log(`${name} is recorded once more, for these differences:`);
    for (const line of found) console.log(`  ${line}`);
    const where = (line: string) => line.split('\n')[0];
    const before = new Set(found.map(where));
    found = (await compared()).filter((line) => before.has(where(line)));
  }
  differences += found.length;
  console.log(`${name}: ${found.length === 0 ? 'as recorded' : `${found.length} differences`}`);
  for (const line of found) console.log(`  ${line}`);
}

// Both eras at once: most of the time is spent waiting. More bots would slow each other down.
for (const mode of ['headless', 'ui'] as const) {
  const both = wanted.filter((recording) => recording.mode === mode);
  await Promise.all(both.map(flags.has('--check') ? check : record));
}
process.exitCode = differences > 0 ? 1 : 0;
