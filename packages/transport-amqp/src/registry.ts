/** What must be there again after every reconnect: subscriptions, services, inboxes; each of them once. */
import { type CommlibError, ConnectionError, within } from '@commlib/core';
import type { Link } from './link.js';

/** Something that is set up on a link, and anew on the next one. */
export interface Standing {
  /** Resolves when the broker has confirmed all of it. */
  open(link: Link): Promise<void>;
  /** Nobody waits for it any more: should it come to stand all the same, it ends. */
  abandon?(): void;
}

/**
 * A broker that says nothing to a request of ours in this time will not: so does RabbitMQ about a quorum queue that it cannot
 * bring up.
 */
const PATIENCE_MS = 30_000;

interface Entry {
  readonly item: Standing;
  /** The link on which it stands. */
  openedOn: Link | undefined;
  /** It stood once: from then on a connection without it is not ready. */
  established: boolean;
  /** The broker said no before it ever stood: its joining fails. */
  refused: unknown;
  opening: Promise<void> | undefined;
}

export class Registry {
  readonly #entries = new Map<Standing, Entry>();
  #link: Link | undefined;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];

  /** Resolves when it stands; while offline, after the reconnect. */
  async add(item: Standing): Promise<void> {
    const known = this.#entries.get(item);
    const entry: Entry = known ?? {
      item,
      openedOn: undefined,
      established: false,
      refused: undefined,
      opening: undefined,
    };
    this.#entries.set(item, entry);
    try {
      for (;;) {
        const link = await this.#ready();
        if (entry.refused) throw entry.refused;
        try {
          await this.#open(entry, link);
          return;
        } catch (error) {
          if (link === this.#link && link.alive) throw error;
        }
      }
    } catch (error) {
      // Others may have it already.
      if (known === undefined) {
        this.#entries.delete(item);
        item.abandon?.();
      }
      throw error;
    }
  }

  delete(item: Standing): void {
    this.#entries.delete(item);
  }

  /** Sets up everything on a new link. Rejects when something that stood before is refused, or the link ends. */
  async restore(link: Link): Promise<void> {
    // Some may join while this goes on.
    for (;;) {
      const missing = [...this.#entries.values()].filter(
        (entry) => entry.openedOn !== link && !entry.refused,
      );
      if (missing.length === 0) break;
      await Promise.all(
        missing.map(async (entry) => {
          try {
            await this.#open(entry, link);
          } catch (error) {
            link.throwIfEnded();
            if (entry.established) throw error;
            entry.refused = error;
          }
        }),
      );
    }
    link.throwIfEnded();
    this.#link = link;
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  detach(): void {
    this.#link = undefined;
  }

  /** Nothing will be set up any more. */
  fail(error: CommlibError): void {
    this.#link = undefined;
    this.#closed = error;
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  #open(entry: Entry, link: Link): Promise<void> {
    if (entry.openedOn === link) return Promise.resolve();
    entry.opening = (entry.opening ?? Promise.resolve())
      .catch(() => {})
      .then(async () => {
        if (entry.openedOn === link) return;
        await inTime(entry.item.open(link), link);
        entry.openedOn = link;
        entry.established = true;
      });
    return entry.opening;
  }

  async #ready(): Promise<Link> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#link?.alive) return this.#link;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }
}

async function inTime(opening: Promise<void>, link: Link): Promise<void> {
  if (await within(PATIENCE_MS, opening)) return opening;
  opening.catch(() => {});
  throw new ConnectionError(
    'CONNECTION_TIMEOUT',
    `${link.host.target} did not answer to a subscription or service within ${PATIENCE_MS} ms`,
  );
}
