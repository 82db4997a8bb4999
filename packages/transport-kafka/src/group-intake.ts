/** One subscription as a member of a consumer group: at least once, or at most once and shared. */
import {
  Flow,
  type Inbound,
  type Intake,
  type IntakeCloseOptions,
  matches,
  type Start,
  type TransportEvent,
} from '@commlib/core';
import type { Cluster } from 'kafkajs';
import { operationError } from './errors.js';
import { Fetcher } from './fetcher.js';
import { Membership } from './membership.js';
import { isWildcard } from './names.js';
import type { KafkaConfig } from './options.js';
import { type Given, Part } from './part.js';
import { pause } from './pause.js';
import type { FetchedRecord, GroupTopics } from './protocol.js';
import { toInbound } from './record.js';
import { type Session, startOffsets } from './subscriptions.js';

/** Read ahead of the handlers; reading stops above. */
const AHEAD = 500;
/** Before a group that could not be joined is tried again. */
const AGAIN_MS = 2000;

export interface GroupOptions {
  readonly groupId: string;
  readonly filter: string;
  /** At least once. */
  readonly durable: boolean;
  readonly start: Start | undefined;
  readonly maxInFlight: number;
}

/** A record on its way to a handler and back. */
interface Delivery {
  readonly part: Part;
  readonly record: FetchedRecord;
  readonly given: Given;
}

interface Ground {
  readonly session: Session;
  readonly cluster: Cluster;
  readonly fetcher: Fetcher;
  readonly flow: Flow<Delivery>;
}

export class GroupIntake implements Intake {
  readonly #options: GroupOptions;
  readonly #config: KafkaConfig;
  readonly #onMessage: (message: Inbound) => void;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #membership: Membership;
  readonly #levels: readonly string[];
  #parts = new Map<string, Part>();
  /** Where topics begin for a group that is new, by topic. */
  readonly #starts = new Map<string, readonly number[]>();
  #wanted: readonly string[] = [];
  #ground: Ground | undefined;
  #joinedOnce = false;
  #open = true;
  #changing: Promise<void> | undefined;
  #changeAgain = false;
  #pumping = false;
  #pumpAgain = false;
  /** Something waits for room, or the reading does. */
  #left = false;
  #commitTimer: ReturnType<typeof setTimeout> | undefined;
  #committing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  onClosed: () => void = () => {};

  constructor(
    options: GroupOptions,
    config: KafkaConfig,
    onMessage: (message: Inbound) => void,
    onEvent: (event: TransportEvent) => void,
  ) {
    this.#options = options;
    this.#config = config;
    this.#onMessage = onMessage;
    this.#onEvent = onEvent;
    this.#levels = options.filter.split('.');
    this.#membership = new Membership({
      groupId: options.groupId,
      config,
      onRebalance: () => void this.#change(),
    });
  }

  get wildcard(): boolean {
    return isWildcard(this.#options.filter);
  }

  /** Joins the group on this connection; resolves when every position is known and, for a new group, stored. */
  async start(session: Session): Promise<void> {
    const cluster = session.link.newCluster();
    const flow = new Flow<Delivery>({
      maxInFlight: this.#options.maxInFlight,
      inOrder: false, // Part keeps the order, per partition.
      deliver: (delivery, attempt, settle) => {
        delivery.given.attempt = attempt;
        if (!this.#open) return;
        const { topic, partition } = delivery.part;
        const count = this.#options.durable ? attempt : undefined;
        this.#onMessage(toInbound(topic, partition, delivery.record, settle, count));
      },
      onRoom: () => {
        if (this.#pumping || this.#left) this.#pump();
      },
    });
    const fetcher = new Fetcher(session.link, session.topics, this.#config, cluster, this.#onEvent);
    const ground = { session, cluster, fetcher, flow };
    try {
      await this.#want(session);
      await session.link.connectCluster(cluster);
      this.#ground = ground;
      await this.#join(ground);
    } catch (error) {
      if (this.#ground === ground) {
        // The others need not wait until a member is missed that never began.
        if (session.link.alive) await this.#membership.leave(false).catch(() => {});
        this.detach();
      }
      await session.link.endCluster(cluster, 1000);
      throw error;
    }
  }

  /** Topics came: if the filter matches some of them, the group is joined anew. */
  look(topics: readonly string[]): void {
    const wanted = topics.filter((topic) => matches(this.#levels, topic.split('.'))).sort();
    if (wanted.every((topic) => this.#wanted.includes(topic))) return;
    this.#wanted = [...new Set([...this.#wanted, ...wanted])].sort();
    void this.#change();
  }

  /** The connection is gone. */
  detach(): void {
    const ground = this.#ground;
    this.#ground = undefined;
    this.#membership.detach();
    clearTimeout(this.#commitTimer);
    this.#commitTimer = undefined;
    for (const part of this.#parts.values()) part.lost = true;
    ground?.flow.discard();
    ground?.fetcher.stop();
  }

  close(options?: IntakeCloseOptions): Promise<void> {
    this.#open = false;
    this.#closing ??= this.#leave(options?.forget === true, true).finally(() => this.onClosed());
    return this.#closing;
  }

  /** Leaves without waiting for handlers; what is unsettled will be delivered again. */
  end(): Promise<void> {
    this.#open = false;
    this.#closing ??= this.#leave(false, false);
    return this.#closing;
  }

  async #leave(forget: boolean, patient: boolean): Promise<void> {
    const ground = this.#ground;
    if (!ground) return;
    ground.fetcher.stop();
    ground.flow.stop();
    if (patient) await ground.flow.idle();
    if (this.#ground !== ground) return; // Lost meanwhile.
    await this.#changing;
    await this.#commitNow();
    try {
      await this.#membership.leave(forget);
    } catch {
      // Whoever is silent leaves by itself.
    }
    this.detach();
    await ground.session.link.endCluster(ground.cluster, 1000);
  }

  async #want(session: Session): Promise<void> {
    const { filter, start } = this.#options;
    const { topics } = session;
    if (!this.wildcard) await topics.need(filter);
    const list = this.wildcard
      ? [...(await topics.list()).keys()].filter((topic) => matches(this.#levels, topic.split('.')))
      : [filter];
    if (!this.#joinedOnce) {
      // Before joining, which takes seconds: what is sent meanwhile is for the group.
      await Promise.all(
        list.map(async (topic) => {
          const leaders = await topics.find(topic);
          if (!leaders) return;
          const from = this.wildcard && typeof start === 'object' ? 'new' : start;
          this.#starts.set(topic, await startOffsets(topics, topic, leaders, from));
        }),
      );
    }
    this.#wanted = list.sort();
  }

  /** The group changes, or what we want of it. One change at a time. */
  #change(): Promise<void> {
    this.#changeAgain = true;
    this.#changing ??= this.#changes().finally(() => {
      this.#changing = undefined;
    });
    return this.#changing;
  }

  async #changes(): Promise<void> {
    while (this.#changeAgain && this.#open) {
      this.#changeAgain = false;
      const ground = this.#ground;
      if (!ground) return;
      try {
        await this.#commitNow();
        await this.#join(ground);
      } catch (error) {
        if (!ground.session.link.alive || this.#ground !== ground) return;
        this.#onEvent({
          type: 'dropped',
          address: this.#options.filter,
          error: operationError(error, `the group ${this.#options.groupId}`),
        });
        await pause(AGAIN_MS);
        this.#changeAgain = true;
      }
    }
  }

  async #join(ground: Ground): Promise<void> {
    const { assignment, alone } = await this.#membership.join(ground.session, ground.cluster, this.#wanted);
    const ours = new Map<string, { topic: string; partition: number }>();
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) ours.set(`${topic}/${partition}`, { topic, partition });
    }
    for (const [key, part] of this.#parts) {
      if (ours.has(key)) continue;
      part.lost = true;
      ground.fetcher.remove(part);
      this.#parts.delete(key);
    }
    const added = [...ours].filter(([key]) => this.#parts.get(key)?.lost !== false);
    const positions = await this.#positions(
      ground,
      added.map(([, one]) => one),
      alone,
    );
    ground.session.link.throwIfEnded();
    for (const [key, { topic, partition }] of added) {
      const before = this.#parts.get(key);
      // What we know to be done may be more than what we could tell the broker.
      const stored = positions.get(key) ?? 0;
      const position = this.#options.durable ? Math.max(stored, before?.done ?? 0) : stored;
      const part = new Part(topic, partition, position, before, () => this.#pump());
      this.#parts.set(key, part);
      ground.fetcher.add(part);
    }
    this.#joinedOnce = true;
  }

  /** Where the added partitions are read from; stored at once, so that a group exists from here on. */
  async #positions(
    ground: Ground,
    added: readonly { readonly topic: string; readonly partition: number }[],
    alone: boolean,
  ): Promise<Map<string, number>> {
    const { topics } = ground.session;
    const { durable } = this.#options;
    const all = new Map<string, readonly number[]>();
    for (const topic of this.#wanted) {
      const leaders = await topics.find(topic);
      if (leaders)
        all.set(
          topic,
          leaders.map((_, partition) => partition),
        );
    }
    const committed = await this.#membership.committed(all);
    const known = [...committed.values()].some((offset) => offset >= 0);
    // At most once and nobody there: what was sent before is not for us.
    const anew = !durable && alone && !this.#joinedOnce;
    const positions = new Map<string, number>();
    const unknown: { topic: string; partition: number; offset: number }[] = [];
    for (const { topic, partition } of added) {
      const key = `${topic}/${partition}`;
      const offset = committed.get(key) ?? -1;
      if (offset >= 0 && !anew) {
        positions.set(key, offset);
        continue;
      }
      // A group that exists gets all of a topic, or a partition, that it has not met.
      const start = known && durable ? undefined : this.#starts.get(topic)?.[partition];
      const leaders = await topics.need(topic);
      const from = start ?? (await topics.beginnings(topic, leaders))[partition] ?? 0;
      positions.set(key, from);
      unknown.push({ topic, partition, offset: from });
    }
    await this.#membership.commit(byTopic(unknown));
    return positions;
  }

  /** Hands over what there is room for. A handler that settles at once calls it from within: once more, then, not deeper. */
  #pump(): void {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    do {
      this.#pumpAgain = false;
      this.#pumpOnce();
    } while (this.#pumpAgain);
    this.#pumping = false;
  }

  #pumpOnce(): void {
    const ground = this.#ground;
    if (!ground || !this.#open) return;
    let left = false;
    for (const part of this.#parts.values()) {
      if (part.lost) continue;
      if (this.#options.durable) this.#give(ground, part);
      else void this.#giveCommitted(ground, part);
      const full = part.waiting.length > AHEAD;
      if (part.paused && !full) {
        part.paused = false;
        ground.fetcher.wake(part);
      } else part.paused = full;
      if (part.paused || part.waiting.length > 0) left = true;
    }
    this.#left = left;
  }

  #give(ground: Ground, part: Part): void {
    while (ground.flow.room > 0) {
      const next = part.next();
      if (!next) break;
      const { record, given } = next;
      ground.flow.arrived({ part, record, given }, () => this.#acknowledged(part, given), given.attempt);
    }
    if (part.done > part.committed) this.#commitSoon();
  }

  /** At most once: it is done as far as the broker is concerned before a handler sees it. */
  async #giveCommitted(ground: Ground, part: Part): Promise<void> {
    if (part.busy) return;
    part.busy = true;
    while (part.waiting.length > 0 && ground.flow.room > 0 && !part.lost) {
      const taken: { record: FetchedRecord; given: Given }[] = [];
      while (taken.length < ground.flow.room) {
        const next = part.next();
        if (!next) break;
        taken.push(next);
      }
      for (const { given } of taken) part.acknowledge(given);
      const { topic, partition, done: offset } = part;
      if (!(await this.#membership.commit(byTopic([{ topic, partition, offset }])))) {
        // Another member may have it, so that it is not ours to give; this one reads on from what it is given next.
        part.lost = true;
        void this.#change();
        break;
      }
      part.committed = offset;
      for (const { record, given } of taken) ground.flow.arrived({ part, record, given }, () => {});
    }
    part.busy = false;
  }

  #acknowledged(part: Part, given: Given): void {
    if (part.lost) return;
    part.acknowledge(given);
    if (part.done > part.committed) this.#commitSoon();
  }

  #commitSoon(): void {
    this.#commitTimer ??= setTimeout(() => {
      this.#commitTimer = undefined;
      void this.#commitNow();
    }, this.#config.commitIntervalMs);
  }

  /** Tells the broker how far all is done. One after the other: a later one must not be overtaken by an earlier. */
  #commitNow(): Promise<void> {
    this.#committing = this.#committing.then(async () => {
      if (!this.#ground || !this.#options.durable) return;
      const due = [...this.#parts.values()].filter((part) => !part.lost && part.done > part.committed);
      const offsets = due.map((part) => ({
        topic: part.topic,
        partition: part.partition,
        offset: part.done,
      }));
      const before = due.map((part) => part.committed);
      due.forEach((part, i) => {
        part.committed = offsets[i]?.offset ?? part.committed;
      });
      if (await this.#membership.commit(byTopic(offsets))) return;
      due.forEach((part, i) => {
        part.committed = before[i] ?? 0;
      });
      if (this.#ground && this.#open) this.#commitSoon();
    });
    return this.#committing;
  }
}

function byTopic(
  offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[],
): GroupTopics[] {
  const found = new Map<string, { partition: number; offset: string }[]>();
  for (const { topic, partition, offset } of offsets) {
    const entry = { partition, offset: String(offset) };
    const entries = found.get(topic);
    if (entries) entries.push(entry);
    else found.set(topic, [entry]);
  }
  return [...found].map(([topic, partitions]) => ({ topic, partitions }));
}
