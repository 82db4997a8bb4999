/** What a member of a group reads: the topics it wants, the partitions of them it was given, and from where on. */
import { matches, type Start } from '@commlib/core';
import type { Fetcher } from './fetcher.js';
import type { Joined, Membership, PartitionOffset } from './membership.js';
import { isWildcard } from './names.js';
import { Part } from './part.js';
import { type Session, startOffsets } from './subscriptions.js';
import type { Topics } from './topics.js';

export interface GroupAssignmentOptions {
  readonly filter: string;
  /** At least once. */
  readonly durable: boolean;
  readonly start: Start | undefined;
  readonly membership: Membership;
  /** Records came for one of the partitions. */
  readonly onRecords: () => void;
}

interface Partition {
  readonly topic: string;
  readonly partition: number;
}

export class GroupAssignment {
  readonly #options: GroupAssignmentOptions;
  readonly #levels: readonly string[];
  readonly #parts = new Map<string, Part>();
  /** Where topics begin for a group that is new, by topic. */
  readonly #starts = new Map<string, readonly number[]>();
  #wanted: readonly string[] = [];
  #joinedOnce = false;

  constructor(options: GroupAssignmentOptions) {
    this.#options = options;
    this.#levels = options.filter.split('.');
  }

  /** By topic and partition; those of a connection that is gone are kept until the next assignment. */
  get parts(): ReadonlyMap<string, Part> {
    return this.#parts;
  }

  /** The topics the group is joined for. */
  get wanted(): readonly string[] {
    return this.#wanted;
  }

  get wildcard(): boolean {
    return isWildcard(this.#options.filter);
  }

  /** Finds out what is wanted, before joining. */
  async want(topics: Topics): Promise<void> {
    const { filter, start } = this.#options;
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

  /** Topics came. True: some of them are wanted, and the group is to be joined anew. */
  wantMore(topics: readonly string[]): boolean {
    const wanted = topics.filter((topic) => matches(this.#levels, topic.split('.'))).sort();
    if (wanted.every((topic) => this.#wanted.includes(topic))) return false;
    this.#wanted = [...new Set([...this.#wanted, ...wanted])].sort();
    return true;
  }

  /** What came of joining: lets go what is no longer given, and reads what is new. */
  async take({ link, topics }: Session, fetcher: Fetcher, { assignment, alone }: Joined): Promise<void> {
    const ours = new Map<string, Partition>();
    for (const [topic, partitions] of Object.entries(assignment)) {
      for (const partition of partitions) ours.set(`${topic}/${partition}`, { topic, partition });
    }
    for (const [key, part] of this.#parts) {
      if (ours.has(key)) continue;
      part.lost = true;
      fetcher.remove(part);
      this.#parts.delete(key);
    }
    const added = [...ours].filter(([key]) => this.#parts.get(key)?.lost !== false);
    const positions = await this.#positions(
      topics,
      added.map(([, one]) => one),
      alone,
    );
    link.throwIfEnded();
    for (const [key, { topic, partition }] of added) {
      const before = this.#parts.get(key);
      // What we know to be done may be more than what we could tell the broker.
      const stored = positions.get(key) ?? 0;
      const position = this.#options.durable ? Math.max(stored, before?.done ?? 0) : stored;
      const part = new Part(topic, partition, position, before, this.#options.onRecords);
      this.#parts.set(key, part);
      fetcher.add(part);
    }
    this.#joinedOnce = true;
  }

  /** The connection is gone. */
  lose(): void {
    for (const part of this.#parts.values()) part.lost = true;
  }

  /** Where the added partitions are read from; stored at once, so that a group exists from here on. */
  async #positions(
    topics: Topics,
    added: readonly Partition[],
    alone: boolean,
  ): Promise<Map<string, number>> {
    const { durable, membership } = this.#options;
    const all = new Map<string, readonly number[]>();
    for (const topic of this.#wanted) {
      const leaders = await topics.find(topic);
      if (leaders)
        all.set(
          topic,
          leaders.map((_, partition) => partition),
        );
    }
    const committed = await membership.committed(all);
    const known = [...committed.values()].some((offset) => offset >= 0);
    // At most once and nobody there: what was sent before is not for us.
    const anew = !durable && alone && !this.#joinedOnce;
    const positions = new Map<string, number>();
    const unknown: PartitionOffset[] = [];
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
    await membership.commit(unknown);
    return positions;
  }
}
