/**
 * Who wants what: one SUBSCRIBE per filter and group however many subscribers there are here, restored on each new link
 * before it counts as ready.
 *
 * Every operation on one filter waits for the one before, so that an UNSUBSCRIBE never overtakes a SUBSCRIBE.
 * A subscriber that joins later has the SUBSCRIBE sent again, since only that makes the broker send it what it retained;
 * MQTT 5 identifiers tell those retained messages from others, so that earlier subscribers do not get them twice.
 */
import type { CommlibError } from '@commlib/core';
import type { IPublishPacket } from 'mqtt';
import { subscribeError } from './errors.js';
import type { Link } from './link.js';
import { type Entry, type Member, type QoS, Routes } from './routes.js';

/** SUBSCRIBEs under way at a time while restoring, and filters per SUBSCRIBE on 3.1.1. */
const BATCH = 100;
export class Subscriptions {
  /** Sees each message first; true keeps it from the subscribers. */
  intercept: ((packet: IPublishPacket) => boolean) | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #routes = new Routes();
  #link: Link | undefined;
  #restoring = false;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];

  /** Resolves when the broker has confirmed, with the way to leave; while offline, after the reconnect. */
  async join(
    filter: string,
    group: string | undefined,
    qos: QoS,
    onPacket: (packet: IPublishPacket) => void,
  ): Promise<() => Promise<void>> {
    const member: Member = { qos, onPacket, confirmedOn: undefined, refused: undefined };
    const entry = this.#entry(filter, group);
    entry.members.add(member);
    try {
      for (;;) {
        const link = await this.#ready();
        if (member.refused) throw member.refused;
        if (member.confirmedOn === link) break;
        try {
          await this.#inTurn(entry, () => this.#subscribe(entry, member, link));
        } catch (error) {
          if (link === this.#link && link.alive) throw error;
        }
      }
    } catch (error) {
      await this.#leave(entry, member);
      throw error;
    }
    return () => this.#leave(entry, member);
  }

  /** Hands a message to the members it is for, each of them once however many copies come. */
  route(link: Link, packet: IPublishPacket): void {
    if (this.intercept?.(packet)) return;
    this.#routes.deliver(link, packet);
  }

  /** Subscribes everything on a new link. Rejects when the broker refuses one, or the link ends. */
  async restore(link: Link): Promise<void> {
    this.#restoring = true;
    for (const entry of this.#entries.values()) this.#routes.forget(entry);
    // Members may join while this goes on.
    for (;;) {
      const missing = [...this.#entries.values()].filter((entry) =>
        [...entry.members].some((m) => m.confirmedOn !== link),
      );
      if (missing.length === 0) break;
      for (let i = 0; i < missing.length; i += BATCH)
        await this.#restoreSome(link, missing.slice(i, i + BATCH));
    }
    link.throwIfEnded();
    this.#restoring = false;
    this.#link = link;
    for (const entry of this.#entries.values()) if (entry.members.size === 0) void this.#dropEmpty(entry);
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  detach(): void {
    this.#link = undefined;
    this.#restoring = false;
  }

  /** Nothing will be subscribed any more. */
  fail(error: CommlibError): void {
    this.#link = undefined;
    this.#closed = error;
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  #entry(filter: string, group: string | undefined): Entry {
    const wire = group === undefined ? filter : `$share/${group}/${filter}`;
    let entry = this.#entries.get(wire);
    if (!entry) {
      const levels = filter.split('/');
      entry = {
        filter: wire,
        levels,
        shared: group !== undefined,
        members: new Set(),
        last: Promise.resolve(),
        identifiers: [],
      };
      this.#entries.set(wire, entry);
      this.#routes.add(entry);
    }
    return entry;
  }

  async #ready(): Promise<Link> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#link?.alive) return this.#link;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }

  async #inTurn(entry: Entry, operation: () => Promise<void>): Promise<void> {
    const turn = entry.last.then(operation);
    entry.last = turn.catch(() => {});
    return turn;
  }

  async #subscribe(entry: Entry, member: Member, link: Link): Promise<void> {
    if (member.confirmedOn === link || !entry.members.has(member)) return;
    const joining = [...entry.members].filter((one) => one.confirmedOn !== link);
    const identifier = this.#routes.identify(link, entry, joining);
    await link.subscribe({ filter: entry.filter, qos: highest(entry), identifier });
    for (const one of joining) one.confirmedOn = link;
  }

  async #restoreSome(link: Link, entries: readonly Entry[]): Promise<void> {
    const members = entries.map((entry) => [...entry.members]);
    const refusals = await this.#subscribeAll(link, entries, members);
    refusals.forEach((refusal, i) => {
      const of = members[i] ?? [];
      // What worked before must work again: until it does, the connection is not ready.
      if (refusal && of.some((member) => member.confirmedOn !== undefined)) throw refusal;
      for (const member of of) {
        member.refused = refusal;
        member.confirmedOn = link;
      }
    });
  }

  /** For each entry the broker's refusal, or undefined. */
  async #subscribeAll(
    link: Link,
    entries: readonly Entry[],
    members: readonly (readonly Member[])[],
  ): Promise<(CommlibError | undefined)[]> {
    if (link.limits.subscriptionIdentifiers) {
      // An identifier belongs to a whole packet: one packet each, all under way together.
      const sent = entries.map((entry, i) => {
        const identifier = this.#routes.identify(link, entry, members[i] ?? []);
        return link.subscribe({ filter: entry.filter, qos: highest(entry), identifier });
      });
      const results = await Promise.allSettled(sent);
      return results.map((result) =>
        result.status === 'rejected' ? this.#unlessEnded(link, result.reason) : undefined,
      );
    }
    const granted = await link.subscribeMany(new Map(entries.map((entry) => [entry.filter, highest(entry)])));
    return entries.map((entry, i) => {
      const code = granted[i] ?? 128;
      return code >= 128 ? subscribeError(code, entry.filter) : undefined;
    });
  }

  #unlessEnded(link: Link, error: CommlibError): CommlibError {
    if (!link.alive) throw error;
    return error;
  }

  async #leave(entry: Entry, member: Member): Promise<void> {
    if (!entry.members.delete(member)) return;
    if (entry.members.size === 0) await this.#dropEmpty(entry);
  }

  /** Unsubscribes what nobody wants, unless somebody does by the time it is its turn. */
  async #dropEmpty(entry: Entry): Promise<void> {
    if (this.#restoring) return; // Seen to when restored.
    const link = this.#link;
    if (link) {
      await this.#inTurn(entry, async () => {
        if (entry.members.size === 0 && link.alive) await link.unsubscribe(entry.filter);
      }).catch(() => {}); // The link ended, and the subscription with it.
    }
    if (entry.members.size > 0 || this.#entries.get(entry.filter) !== entry) return;
    this.#entries.delete(entry.filter);
    this.#routes.delete(entry);
  }
}

function highest(entry: Entry): QoS {
  let qos: QoS = 0;
  for (const member of entry.members) if (member.qos > qos) qos = member.qos;
  return qos;
}
