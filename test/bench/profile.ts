/** A CPU profile of this process alone, without the start of it, for `--profile`; Chrome's developer tools open it. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

/** Begins; what comes back ends it and writes the file. */
export async function startProfile(file: string): Promise<() => Promise<void>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(file, JSON.stringify(profile));
    session.disconnect();
  };
}
