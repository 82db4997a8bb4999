/** Names of external events: `order.market` is sent to `…/external/event/order/market`. */
import { InvalidNameError, levelsOf, toName } from '@commlib/core';

/**
 * The path of an external event under its bot. Dots and slashes both separate levels, as in the bot.
 *
 * Bots cut the name out of the topic by splitting it at *every* `event/`, so a level that ends in "event" and is followed
 * by another loses what comes after, and a bot whose prefix has one loses everything.
 *
 * @throws `InvalidNameError` for names that no bot would see as they were sent.
 */
export function externalEventPath(prefix: string, name: string): string {
  const refuse = (reason: string) => new InvalidNameError(name, reason);
  if (/[+#*\0{}]/.test(name)) throw refuse('external events have no wildcards, braces or NUL');
  const levels = levelsOf(toName(name));
  if (levels.includes('')) throw refuse('an empty level');
  const path = levels.join('/');
  if (path.includes('event/')) throw refuse('a level that ends in "event" cuts the name short in the bot');
  if (`${prefix}/`.includes('event/')) {
    throw refuse(
      `the bot's own prefix ${JSON.stringify(prefix)} has "event/", so that it cannot tell the name`,
    );
  }
  return `external/event/${path}`;
}
