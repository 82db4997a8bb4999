/** Telling the broker how far the handlers of a group are: in the background, many messages at a time. */
import type { PartitionOffset } from './membership.js';
import type { Part } from './part.js';

export interface OffsetCommitsOptions {
  /** The partitions whose offsets are told. */
  readonly parts: ReadonlyMap<string, Part>;
  /** False: it was not written. */
  readonly commit: (offsets: readonly PartitionOffset[]) => Promise<boolean>;
  readonly intervalMs: number;
}

export class OffsetCommits {
  readonly #options: OffsetCommitsOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #committing: Promise<void> = Promise.resolve();
  #open = true;

  constructor(options: OffsetCommitsOptions) {
    this.#options = options;
  }

  /** More is done: told within the interval. */
  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.now();
    }, this.#options.intervalMs);
  }

  /** Tells how far all is done. One after the other: a later one must not be overtaken by an earlier. */
  now(): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commit());
    return this.#committing;
  }

  /** The partitions are lost with the connection. */
  detach(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** What cannot be written is not tried again any more. */
  stop(): void {
    this.#open = false;
  }

  async #commit(): Promise<void> {
    const { parts, commit } = this.#options;
    const due = [...parts.values()].filter((part) => !part.lost && part.done > part.committed);
    const offsets = due.map(({ topic, partition, done: offset }) => ({ topic, partition, offset }));
    const before = due.map((part) => part.committed);
    due.forEach((part, i) => {
      part.committed = offsets[i]?.offset ?? part.committed;
    });
    if (await commit(offsets)) return;
    due.forEach((part, i) => {
      part.committed = before[i] ?? 0;
    });
    if (this.#open && due.some((part) => !part.lost)) this.soon();
  }
}
