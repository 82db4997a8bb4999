/**
 * Being a member of a consumer group: joining, the heartbeat, committing, leaving. The heartbeat has a timer of its own, so that
 * slow handlers do not cost the membership, as they do with kafkajs' consumer; and what a member wants may change while it is one.
 */
import { CommlibError } from '@commlib/core';
import type { Cluster } from 'kafkajs';
import { type Assignment, assign, groupProtocols, readAssignment } from './assignor.js';
import { isLinkError, isNamed, isPassing, operationError, typeOf } from './errors.js';
import type { Link } from './link.js';
import type { KafkaConfig } from './options.js';
import { pause } from './pause.js';
import { asBroker, type BrokerApi, calm, type GroupTopics } from './protocol.js';
import type { Session } from './subscriptions.js';
import type { Topics } from './topics.js';

/** How soon a change of the group is heard of. */
const HEARTBEAT_MS = 1000;
/** How long the others have to join anew when the group changes. */
const REBALANCE_MS = 30_000;
const AGAIN_MS = 100;

/** Answers that say: join anew. */
const REJOIN: ReadonlySet<string> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
]);

export interface MembershipOptions {
  readonly groupId: string;
  readonly config: KafkaConfig;
  /** The group changes: it is to be joined anew. */
  readonly onRebalance: () => void;
}

/** What came of joining. */
export interface Joined {
  readonly assignment: Assignment;
  /** Nobody else is in the group. */
  readonly alone: boolean;
}

/** Where a partition is to be read on. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** The connection a membership lives on. */
interface Ground {
  readonly link: Link;
  readonly topics: Topics;
  readonly cluster: Cluster;
}

export class Membership {
  readonly #options: MembershipOptions;
  #ground: Ground | undefined;
  #coordinator: BrokerApi | undefined;
  /** Kept over a reconnect: the broker then knows us again, and need not wait for our old self to be silent. */
  #memberId = '';
  #generation = -1;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #beating = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Joins, or joins anew; tries on while the coordinator is not there yet. Rejects when the link ends, or for good reasons. */
  async join(session: Session, cluster: Cluster, wanted: readonly string[]): Promise<Joined> {
    const ground = { link: session.link, topics: session.topics, cluster };
    this.#ground = ground;
    this.#stopHeartbeat();
    for (;;) {
      ground.link.throwIfEnded();
      try {
        const joined = await this.#joinOnce(ground, wanted);
        this.#startHeartbeat();
        return joined;
      } catch (error) {
        if (isLinkError(error)) throw ground.link.failed(error);
        ground.link.throwIfEnded();
        const type = typeOf(error);
        if (type === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        const again =
          isPassing(error) ||
          isNamed(error, 'KafkaJSGroupCoordinatorNotFound') ||
          (type !== undefined && REJOIN.has(type));
        if (!again)
          throw CommlibError.is(error) ? error : operationError(error, `the group ${this.#options.groupId}`);
        if (type !== 'REBALANCE_IN_PROGRESS') this.#coordinator = undefined;
      }
      await pause(AGAIN_MS);
    }
  }

  async #joinOnce(ground: Ground, wanted: readonly string[]): Promise<Joined> {
    const { groupId, config } = this.#options;
    const coordinator = await this.#find(ground);
    const joined = await coordinator.joinGroup({
      groupId,
      memberId: this.#memberId,
      sessionTimeout: config.sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_MS,
      groupProtocols: groupProtocols(wanted),
    });
    const { memberId, generationId: generation } = joined;
    this.#memberId = memberId;
    const leads = joined.leaderId === memberId;
    const partitionsOf = async (topic: string) => {
      // Asked anew: others may want what was made a moment ago, or changed.
      return (await ground.topics.refresh(topic))?.length ?? 0;
    };
    const groupAssignment = leads ? await assign(joined.members, partitionsOf) : [];
    const synced = await coordinator.syncGroup({
      groupId,
      generationId: generation,
      memberId,
      groupAssignment,
    });
    this.#generation = generation;
    return {
      assignment: readAssignment(synced.memberAssignment),
      alone: leads && joined.members.length === 1,
    };
  }

  /** The committed offsets, -1 where there is none. */
  async committed(partitions: ReadonlyMap<string, readonly number[]>): Promise<Map<string, number>> {
    const offsets = new Map<string, number>();
    if (partitions.size === 0) return offsets;
    const { responses } = await this.#ask((coordinator) =>
      coordinator.offsetFetch({
        groupId: this.#options.groupId,
        topics: [...partitions].map(([topic, numbers]) => ({
          topic,
          partitions: numbers.map((partition) => ({ partition })),
        })),
      }),
    );
    for (const { topic, partitions: found } of responses) {
      for (const { partition, offset } of found) offsets.set(`${topic}/${partition}`, Number(offset));
    }
    return offsets;
  }

  /** False: the group is changing, and it was not written. */
  async commit(offsets: readonly PartitionOffset[]): Promise<boolean> {
    if (offsets.length === 0) return true;
    const topics = byTopic(offsets);
    try {
      await this.#ask((coordinator) =>
        coordinator.offsetCommit({
          groupId: this.#options.groupId,
          groupGenerationId: this.#generation,
          memberId: this.#memberId,
          topics,
        }),
      );
      return true;
    } catch (error) {
      const ground = this.#ground;
      if (!ground?.link.alive) return false;
      if (isLinkError(error)) ground.link.failed(error);
      const type = typeOf(error);
      if (type !== undefined && REJOIN.has(type)) this.#changed(type);
      return false;
    }
  }

  /** The link is gone; the broker still counts on us for a while. */
  detach(): void {
    this.#stopHeartbeat();
    this.#coordinator = undefined;
    this.#ground = undefined;
  }

  /** The others may have what was ours at once. `forget`: and the group is deleted, if nobody else is in it. */
  async leave(forget: boolean): Promise<void> {
    this.#stopHeartbeat();
    const { groupId } = this.#options;
    const memberId = this.#memberId;
    const coordinator = this.#coordinator;
    if (!coordinator || memberId === '') return;
    this.#memberId = '';
    await coordinator.leaveGroup({ groupId, memberId });
    if (forget) await coordinator.deleteGroups([groupId]);
  }

  async #find({ cluster }: Ground): Promise<BrokerApi> {
    if (this.#coordinator) return this.#coordinator;
    const broker = await cluster.findGroupCoordinator({ groupId: this.#options.groupId });
    calm(broker);
    this.#coordinator = asBroker(broker);
    return this.#coordinator;
  }

  async #ask<T>(request: (coordinator: BrokerApi) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const ground = this.#ground;
      if (!ground) throw new CommlibError('REFUSED', `the group ${this.#options.groupId} was left`);
      ground.link.throwIfEnded();
      try {
        return await request(await this.#find(ground));
      } catch (error) {
        if (!isPassing(error) || attempt > 50) throw error;
        if (typeOf(error) === 'NOT_COORDINATOR_FOR_GROUP') this.#coordinator = undefined;
        await pause(AGAIN_MS);
      }
    }
  }

  #startHeartbeat(): void {
    this.#stopHeartbeat();
    const everyMs = Math.min(HEARTBEAT_MS, this.#options.config.sessionTimeoutMs / 3);
    this.#heartbeat = setInterval(() => void this.#beat(), everyMs);
  }

  #stopHeartbeat(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }

  async #beat(): Promise<void> {
    const ground = this.#ground;
    if (this.#beating || !ground) return;
    this.#beating = true;
    const timer = this.#heartbeat;
    try {
      const coordinator = await this.#find(ground);
      await coordinator.heartbeat({
        groupId: this.#options.groupId,
        groupGenerationId: this.#generation,
        memberId: this.#memberId,
      });
    } catch (error) {
      // Joined anew or left meanwhile: that answer is about the past.
      if (timer !== this.#heartbeat || !ground.link.alive) return;
      if (isLinkError(error)) {
        ground.link.failed(error);
        return;
      }
      const type = typeOf(error);
      if (type !== undefined && REJOIN.has(type)) this.#changed(type);
    } finally {
      this.#beating = false;
    }
  }

  #changed(type: string): void {
    if (this.#heartbeat === undefined) return;
    this.#stopHeartbeat();
    if (type === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
    if (type === 'NOT_COORDINATOR_FOR_GROUP') this.#coordinator = undefined;
    this.#options.onRebalance();
  }
}

function byTopic(offsets: readonly PartitionOffset[]): GroupTopics[] {
  const found = new Map<string, { partition: number; offset: string }[]>();
  for (const { topic, partition, offset } of offsets) {
    const entry = { partition, offset: String(offset) };
    const entries = found.get(topic);
    if (entries) entries.push(entry);
    else found.set(topic, [entry]);
  }
  return [...found].map(([topic, partitions]) => ({ topic, partitions }));
}
