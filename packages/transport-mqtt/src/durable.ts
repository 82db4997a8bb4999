/** The durable groups of a transport: a session for each group and filter, however many subscribers it has here. */
import type { Inbound, Intake, TransportEvent } from '@commlib/core';
import type { MqttConfig } from './options.js';
import { type DurableKey, DurableSession } from './session.js';

/** The durable sessions of a transport, by group and filter. */
export class DurableSessions {
  readonly #config: MqttConfig;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #sessions = new Map<string, DurableSession>();

  constructor(config: MqttConfig, onEvent: (event: TransportEvent) => void) {
    this.#config = config;
    this.#onEvent = onEvent;
  }

  async join(key: DurableKey, version: 5 | 4, onMessage: (message: Inbound) => void): Promise<Intake> {
    const name = `${key.alone ? 'alone' : 'shared'} ${key.group}/${key.filter}`;
    let session = this.#sessions.get(name);
    while (session?.closing) {
      // Two connections of one session would end each other.
      await session.closing.catch(() => {});
      if (this.#sessions.get(name) === session) this.#sessions.delete(name);
      session = this.#sessions.get(name);
    }
    if (session === undefined || session.ended) {
      session = new DurableSession({ ...key, config: this.#config, version, onEvent: this.#onEvent });
      this.#sessions.set(name, session);
    }
    return session.join(onMessage);
  }

  async end(deadlineMs: number): Promise<void> {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(all.map((session) => session.end(deadlineMs)));
  }
}
