/**
 * When a broker gets its next request, and with what: one request at a time to each broker, and what comes meanwhile goes
 * together in the next. So a lone record leaves at once, and a flood leaves in large pieces, without a timer.
 */
import { operationError } from './errors.js';
import type { PartitionQueue, Taken } from './partition-queue.js';
import { pause } from './pause.js';
import { type ProduceOptions, ProduceRequests } from './produce.js';

/** One request's worth over all partitions; a broker takes 100 MB (`socket.request.max.bytes`). */
const REQUEST_BYTES = 8_000_000;
/** After the broker gave no producer id. */
const AGAIN_MS = 50;

/** One broker. */
interface Target {
  /** In these something waits for it. */
  readonly due: Set<PartitionQueue>;
  busy: boolean;
  scheduled: boolean;
  lastSent: number;
}

export class Dispatcher {
  readonly #options: ProduceOptions;
  readonly #onTaken: (queue: PartitionQueue) => void;
  readonly #requests: ProduceRequests;
  readonly #targets = new Map<number, Target>();

  /** `onTaken`: part of a queue goes into a request. */
  constructor(options: ProduceOptions, onTaken: (queue: PartitionQueue) => void) {
    this.#options = options;
    this.#onTaken = onTaken;
    this.#requests = new ProduceRequests(options, (taken) => this.#again(taken));
  }

  /** Something waits in the queue, whose partition this broker leads. */
  due(node: number, queue: PartitionQueue): void {
    let target = this.#targets.get(node);
    if (!target) {
      target = { due: new Set(), busy: false, scheduled: false, lastSent: Number.NEGATIVE_INFINITY };
      this.#targets.set(node, target);
    }
    target.due.add(queue);
    if (target.busy) return;
    const { lingerMs, maxBatchBytes } = this.#options.config;
    const waitMs = lingerMs === 0 ? 0 : target.lastSent + lingerMs - performance.now();
    if (waitMs > 0 && queue.bytes < maxBatchBytes) {
      if (!target.scheduled) this.#schedule(node, target, (go) => setTimeout(go, waitMs));
    } else if (!target.scheduled || queue.bytes >= maxBatchBytes) {
      // At the end of this turn: what is sent in one loop goes in one piece.
      this.#schedule(node, target, queueMicrotask);
    }
  }

  #schedule(node: number, target: Target, when: (go: () => void) => void): void {
    target.scheduled = true;
    when(() => {
      target.scheduled = false;
      if (!target.busy && target.due.size > 0) void this.#send(node, target);
    });
  }

  async #send(node: number, target: Target): Promise<void> {
    target.busy = true;
    const { link, sequences } = this.#options;
    try {
      if (sequences && !sequences.producer) await sequences.ensure(() => link.anyBroker());
      const taken = this.#takeAll(target);
      if (taken.length > 0) await this.#requests.send(node, taken);
    } catch (error) {
      if (!link.alive) return;
      link.failed(error);
      if (!link.alive) return;
      // Only the producer id can have failed here: the broker may be starting.
      await pause(AGAIN_MS);
    }
    target.busy = false;
    target.lastSent = performance.now();
    if (!link.alive || target.due.size === 0) return;
    const { lingerMs } = this.#options.config;
    // Those who waited for this answer may have more to send: they have this turn for it.
    this.#schedule(node, target, lingerMs > 0 ? (go) => setTimeout(go, lingerMs) : setImmediate);
  }

  #takeAll(target: Target): Taken[] {
    const { config, sequences } = this.#options;
    const taken: Taken[] = [];
    let bytes = 0;
    for (const queue of target.due) {
      if (queue.alone && taken.length > 0) continue;
      const entries = queue.take(config.maxBatchBytes, sequences);
      if (queue.empty) target.due.delete(queue);
      if (entries.length === 0) continue;
      for (const entry of entries) bytes += entry.size;
      taken.push({ queue, entries });
      this.#onTaken(queue);
      if (queue.alone || bytes > REQUEST_BYTES) break;
    }
    return taken;
  }

  /** What was sent in vain waits again, for whoever leads its partition now. */
  #again(taken: readonly Taken[]): void {
    const { topics } = this.#options;
    for (const { queue, entries } of taken) {
      queue.putBack(entries);
      const node = topics.known(queue.topic)?.[queue.partition];
      if (node !== undefined) this.due(node, queue);
      else void this.#moved(queue);
    }
  }

  /** Its leader must be found, and perhaps the topic be made again. */
  async #moved(queue: PartitionQueue): Promise<void> {
    const { link, topics } = this.#options;
    for (const target of this.#targets.values()) target.due.delete(queue);
    try {
      const node = (await topics.need(queue.topic))[queue.partition];
      if (node === undefined) throw new Error(`there is no partition ${queue.partition}`);
      this.due(node, queue);
    } catch (error) {
      link.failed(error);
      if (!link.alive) return;
      queue.fail(operationError(error, `a message to ${queue.topic}`));
    }
  }
}
