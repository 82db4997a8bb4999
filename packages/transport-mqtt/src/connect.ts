/** Which version to speak: 5 first, 3.1.1 when the broker refuses it, and what was found out is remembered. */
import { CommlibError, ConnectionError } from '@commlib/core';
import { isClosedBeforeConnack, isVersionRefusal } from './errors.js';
import { Link, type LinkOptions } from './link.js';
import type { MqttConfig } from './options.js';

/** What is known of the broker's version; lives as long as the transport. */
export class Negotiation {
  #next: 5 | 4;
  /** Version 3.1.1 may be tried when 5 does not work. */
  #mayFallBack: boolean;
  /** Version 5 has worked: a link closed early means something else then. */
  #proven = false;

  constructor(wanted: 5 | 4 | 'auto') {
    this.#next = wanted === 4 ? 4 : 5;
    this.#mayFallBack = wanted === 'auto';
  }

  get version(): 5 | 4 {
    return this.#next;
  }

  /** True when 3.1.1 should be tried after this failure of a connection with version 5. */
  fallsBack(error: unknown): boolean {
    if (!this.#mayFallBack || this.#next === 4 || !CommlibError.is(error)) return false;
    return isVersionRefusal(error) || (!this.#proven && isClosedBeforeConnack(error));
  }

  worked(version: 5 | 4): void {
    this.#next = version;
    this.#proven = true;
  }
}

/**
 * Opens a link in the version that works and prepares it (subscriptions). Rejects with what the broker or the network
 * said, or when the signal fires; then nothing is left open.
 */
export async function connectLink(
  config: MqttConfig,
  negotiation: Negotiation,
  signal: AbortSignal,
  options: Omit<LinkOptions, 'version'>,
  prepare: (link: Link) => Promise<void> = async () => {},
): Promise<Link> {
  const link = await negotiated(config, negotiation, signal, options);
  const abandon = (error?: unknown) => {
    const interrupted = `${config.target}: the attempt was interrupted`;
    link.abandon(CommlibError.is(error) ? error : new ConnectionError('CONNECTION_FAILED', interrupted));
  };
  const abort = () => abandon();
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    await prepare(link);
    link.throwIfEnded();
    return link;
  } catch (error) {
    abandon(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function negotiated(
  config: MqttConfig,
  negotiation: Negotiation,
  signal: AbortSignal,
  options: Omit<LinkOptions, 'version'>,
): Promise<Link> {
  const attempt = (version: 5 | 4) => Link.open(config, { ...options, version }, signal);
  for (let answers = false; ; ) {
    try {
      const link = await attempt(negotiation.version);
      negotiation.worked(link.version);
      return link;
    } catch (error) {
      if (!negotiation.fallsBack(error) || signal.aborted) throw error;
      const link = await attempt(4);
      if (answers || (CommlibError.is(error) && isVersionRefusal(error))) {
        negotiation.worked(4);
        return link;
      }
      // Whoever stands before a broker that is just starting closes early, too. This one answers now: 5 once more, to be sure.
      answers = true;
      await link.close(CLOSE_MS);
    }
  }
}

/** The longest that saying goodbye may take before the next attempt. */
const CLOSE_MS = 1000;
