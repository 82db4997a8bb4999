import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Recording } from './recording/format.js';

export { compareRecordings } from './recording/compare.js';
export type { Action, Json, Published, Recording, Step, When } from './recording/format.js';
export { parseBotJson } from './recording/format.js';
export { normaliser } from './recording/normalise.js';

/** The recordings that are kept in `recordings/`. */
export const recordingNames = [
  { name: '2.13-headless', era: '2.13', mode: 'headless' },
  { name: '2.13-ui', era: '2.13', mode: 'ui' },
  { name: '2.18-headless', era: '2.18', mode: 'headless' },
  { name: '2.18-ui', era: '2.18', mode: 'ui' },
] as const;

export type RecordingName = (typeof recordingNames)[number]['name'];

/** Where a recording is kept. */
export function recordingPath(name: RecordingName): string {
  return fileURLToPath(new URL(`./recordings/${name}.json`, import.meta.url));
}

/**
 * A kept recording.
 *
 * @example
 * const { steps } = await loadRecording('2.18-headless');
 * const answer = steps.find(({ when, step }) => when === 'running' && step === 'status sync')?.reply?.data;
 */
export async function loadRecording(name: RecordingName): Promise<Recording> {
  const recording: Recording = JSON.parse(await readFile(recordingPath(name), 'utf8'));
  return recording;
}

/** A recording as it is kept: one step, action or sample per line, so that a change shows as the lines that changed. */
export function recordingText(recording: Recording): string {
  const list = (items: readonly object[]) => `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  const map = (items: object) =>
    `{\n${Object.entries(items)
      .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      .join(',\n')}\n}`;
  const { era, mode, steps, actions, streams, raw } = recording;
  return `{"era": ${JSON.stringify(era)}, "mode": ${JSON.stringify(mode)},
"steps": ${list(steps)},
"actions": ${list(actions)},
"streams": ${map(streams)},
"raw": ${map(raw)}}\n`;
}
