/** The browser of this machine, if it has one. */
import { existsSync } from 'node:fs';

/** Debian's Chromium, or the one `COMMLIB_CHROMIUM` names. */
export function findChromium(): string | undefined {
  const candidates = [
    process.env.COMMLIB_CHROMIUM,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ];
  return candidates.find((path) => path !== undefined && existsSync(path));
}
