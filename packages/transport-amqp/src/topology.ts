/**
 * Declaring and binding. The broker answers a refusal by closing the channel, and everything else on that channel dies with
 * it: so such operations have a channel of their own, and those that were not refused themselves are done again.
 */
import { ConnectionError } from '@commlib/core';
import type { Channel } from 'amqplib';
import { refusal } from './errors.js';
import type { Link } from './link.js';

/** Others' refusals that one operation may be caught in. */
const MAX_TRIES = 50;

export class Topology {
  readonly #link: Link;
  #channel: Promise<Channel> | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Rejects with what the broker says about `what`. Operations are done in the order of their calls. */
  async run<T>(what: string, operation: (channel: Channel) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const opened = this.#open();
      try {
        return await operation(await opened);
      } catch (error) {
        this.#link.throwIfEnded();
        if (this.#channel === opened) this.#channel = undefined;
        const own = error instanceof Error && error.message.startsWith('Operation failed');
        if (own || tries === MAX_TRIES) throw refusal(error, what);
      }
    }
  }

  #open(): Promise<Channel> {
    if (this.#channel === undefined) {
      const opened = this.#link.channel(() => {
        if (this.#channel === opened) this.#channel = undefined;
      });
      opened.catch(() => {});
      this.#channel = opened;
    }
    return this.#channel;
  }
}

const topologies = new WeakMap<Link, Topology>();

/** The one of a link. */
export function topologyOf(link: Link): Topology {
  let topology = topologies.get(link);
  if (topology === undefined) {
    topology = new Topology(link);
    topologies.set(link, topology);
  }
  return topology;
}

/** The broker took a queue away from under its consumer. */
export function cancelled(queue: string): ConnectionError {
  return new ConnectionError('CONNECTION_LOST', `the queue ${queue} was deleted at the broker`);
}
