/** All subscriptions that are members of consumer groups: taken up again on each new connection, and told of new topics. */
import type { CommlibError, Inbound, Intake, TransportEvent } from '@commlib/core';
import { isLinkError } from './errors.js';
import { GroupIntake, type GroupOptions } from './group-intake.js';
import type { KafkaConfig } from './options.js';
import type { Session } from './subscriptions.js';

export class Groups {
  readonly #config: KafkaConfig;
  readonly #onEvent: (event: TransportEvent) => void;
  readonly #intakes = new Set<GroupIntake>();
  #session: Session | undefined;
  #closed: CommlibError | undefined;
  #online: { resolve: () => void; reject: (error: CommlibError) => void }[] = [];
  #poll: ReturnType<typeof setInterval> | undefined;
  #polling = false;

  constructor(config: KafkaConfig, onEvent: (event: TransportEvent) => void) {
    this.#config = config;
    this.#onEvent = onEvent;
  }

  /** Resolves when the group is joined; while offline, after the reconnect. */
  async join(options: GroupOptions, onMessage: (message: Inbound) => void): Promise<Intake> {
    const intake = new GroupIntake(options, this.#config, onMessage, this.#onEvent);
    for (;;) {
      const session = await this.#ready();
      try {
        await intake.start(session);
        break;
      } catch (error) {
        if (session === this.#session && session.link.alive && !isLinkError(error)) throw error;
        if (this.#closed) throw this.#closed;
      }
    }
    this.#intakes.add(intake);
    intake.onClosed = () => {
      this.#intakes.delete(intake);
      this.#watch();
    };
    this.#watch();
    return intake;
  }

  async restore(session: Session): Promise<void> {
    await Promise.all([...this.#intakes].map((intake) => intake.start(session)));
    session.link.throwIfEnded();
    this.#session = session;
    this.#watch();
    for (const waiter of this.#online.splice(0)) waiter.resolve();
  }

  detach(): void {
    this.#session = undefined;
    for (const intake of this.#intakes) intake.detach();
    this.#watch();
  }

  /** No group will be joined any more. */
  fail(error: CommlibError): void {
    this.#closed = error;
    this.detach();
    for (const waiter of this.#online.splice(0)) waiter.reject(error);
  }

  /** Leaves all groups. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#intakes].map((intake) => intake.end()));
  }

  async #ready(): Promise<Session> {
    for (;;) {
      if (this.#closed) throw this.#closed;
      if (this.#session?.link.alive) return this.#session;
      await new Promise<void>((resolve, reject) => this.#online.push({ resolve, reject }));
    }
  }

  #watch(): void {
    const wanted = this.#session !== undefined && [...this.#intakes].some((intake) => intake.wildcard);
    if (wanted && !this.#poll) this.#poll = setInterval(() => void this.#look(), this.#config.topicPollMs);
    if (!wanted && this.#poll) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
  }

  async #look(): Promise<void> {
    const session = this.#session;
    if (!session || this.#polling) return;
    this.#polling = true;
    try {
      const topics = [...(await session.topics.list()).keys()];
      if (session === this.#session)
        for (const intake of this.#intakes) if (intake.wildcard) intake.look(topics);
    } catch (error) {
      if (session.link.alive) session.link.failed(error);
    } finally {
      this.#polling = false;
    }
  }
}
