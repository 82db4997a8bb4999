/**
 * One subscription as a member of a consumer group, at least once, or at most once and shared: it joins on each new connection
 * and whenever the group changes, and leaves when it is closed.
 */
import type { Inbound, Intake, IntakeCloseOptions, Start, TransportEvent } from '@commlib/core';
import type { Cluster } from 'kafkajs';
import { operationError } from './errors.js';
import { Fetcher } from './fetcher.js';
import { GroupAssignment } from './group-assignment.js';
import { GroupDelivery } from './group-delivery.js';
import { Membership, type PartitionOffset } from './membership.js';
import { OffsetCommits } from './offset-commits.js';
import type { KafkaConfig } from './options.js';
import { pause } from './pause.js';
import type { Session } from './subscriptions.js';

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

interface Ground {
  readonly session: Session;
  readonly cluster: Cluster;
  readonly fetcher: Fetcher;
}

export class GroupIntake implements Intake {
  readonly #options: GroupOptions;
  readonly #config: KafkaConfig;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #membership: Membership;
  readonly #assignment: GroupAssignment;
  readonly #delivery: GroupDelivery;
  readonly #commits: OffsetCommits;
  #ground: Ground | undefined;
  #open = true;
  #starting: Promise<void> = Promise.resolve();
  #changing: Promise<void> | undefined;
  #changeAgain = false;
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
    this.#onEvent = onEvent;
    const { groupId, filter, durable, start, maxInFlight } = options;
    const onRebalance = () => void this.#change();
    const membership = new Membership({ groupId, config, onRebalance });
    const onRecords = () => this.#delivery.pump();
    this.#membership = membership;
    this.#assignment = new GroupAssignment({ filter, durable, start, membership, onRecords });
    const { parts } = this.#assignment;
    const commit = (offsets: readonly PartitionOffset[]) => membership.commit(offsets);
    this.#commits = new OffsetCommits({ parts, commit, intervalMs: config.commitIntervalMs });
    this.#delivery = new GroupDelivery({
      parts,
      durable,
      maxInFlight,
      onMessage,
      onDone: () => this.#commits.soon(),
      commit,
      onLost: onRebalance,
    });
  }

  get wildcard(): boolean {
    return this.#assignment.wildcard;
  }

  /** Joins the group on this connection; resolves when every position is known and, for a new group, stored. */
  start(session: Session): Promise<void> {
    this.#starting = this.#start(session);
    return this.#starting;
  }

  async #start(session: Session): Promise<void> {
    const cluster = session.link.newCluster();
    const fetcher = new Fetcher(session.link, session.topics, this.#config, cluster, this.#onEvent);
    const ground = { session, cluster, fetcher };
    try {
      await this.#assignment.want(session.topics);
      await session.link.connectCluster(cluster);
      // Closed meanwhile.
      if (!this.#open) return await session.link.endCluster(cluster, 1000);
      this.#ground = ground;
      this.#delivery.attach(fetcher);
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
    if (this.#assignment.wantMore(topics)) void this.#change();
  }

  /** The connection is gone. */
  detach(): void {
    const ground = this.#ground;
    this.#ground = undefined;
    this.#membership.detach();
    this.#commits.detach();
    this.#assignment.lose();
    this.#delivery.detach();
    ground?.fetcher.stop();
  }

  close(options?: IntakeCloseOptions): Promise<void> {
    this.#closing ??= this.#leave(options?.forget === true, true).finally(() => this.onClosed());
    return this.#closing;
  }

  /** Leaves without waiting for handlers; what is unsettled will be delivered again. */
  end(): Promise<void> {
    this.#closing ??= this.#leave(false, false);
    return this.#closing;
  }

  async #leave(forget: boolean, patient: boolean): Promise<void> {
    this.#open = false;
    this.#commits.stop();
    this.#ground?.fetcher.stop();
    this.#delivery.stop();
    // Who is joining joins first: he could not leave.
    await this.#starting.catch(() => {});
    const ground = this.#ground;
    if (!ground) return;
    ground.fetcher.stop();
    if (patient) await this.#delivery.idle();
    if (this.#ground !== ground) return; // Lost meanwhile.
    await this.#changing;
    await this.#commit();
    try {
      await this.#membership.leave(forget);
    } catch {
      // Whoever is silent leaves by itself.
    }
    this.detach();
    await ground.session.link.endCluster(ground.cluster, 1000);
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
        await this.#commit();
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

  async #join({ session, cluster, fetcher }: Ground): Promise<void> {
    const joined = await this.#membership.join(session, cluster, this.#assignment.wanted);
    await this.#assignment.take(session, fetcher, joined);
  }

  /** At most once, it was done before the handlers. */
  async #commit(): Promise<void> {
    if (this.#options.durable) await this.#commits.now();
  }
}
