/** Puts load on a subject for a time, the same for all, and checks that every message and answer is the right one. */
import { makeOrder, type Order, type Receipt } from './order.js';
import type { Publish } from './subject.js';

/** What one run has shown. */
export interface Run {
  /** Messages received, or calls answered. */
  readonly count: number;
  readonly seconds: number;
  /** User and system time of the process, all its threads. */
  readonly cpuSeconds: number;
  /** Milliseconds from a call to its answer. */
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
}

/** A run, and the memory of the process that made it. */
export interface Measured extends Run {
  /** Resident memory in MiB: the most there ever was, and what of it came after both ends were connected. */
  readonly memory: number;
  readonly growth: number;
}

/** Nothing has come for so long: a message was lost. */
const STALLED_MS = 20_000;

/**
 * Publishes for `ms`, and waits until everything has come. At most `window` messages are sent and not yet both received
 * and confirmed: bound by one of the two alone, the other can fall behind by ten thousands, since Node reads one socket
 * in large gulps before it turns to the next.
 */
export class StreamLoad {
  readonly #window: number;
  #publish: Publish = () => {};
  #sent = 0;
  #received = 0;
  #confirmed = 0;
  /** Of the numbers of the messages: their order is not checked, Mosquitto 2.0.11 does not keep it when it queues. */
  #sum = 0;
  #over = true;
  #failure: unknown;
  #done: () => void = () => {};

  constructor(window: number) {
    this.#window = window;
  }

  set publish(publish: Publish) {
    this.#publish = publish;
  }

  readonly onOrder = (order: Order): void => {
    this.#received++;
    this.#sum += order.seq;
    if (this.#over) this.#settle();
    else this.#pump();
  };

  async run(ms: number): Promise<Run> {
    this.#sent = this.#received = this.#confirmed = this.#sum = 0;
    this.#over = false;
    const finished = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    const end = stopwatch();
    const timer = setTimeout(() => {
      this.#over = true;
      this.#settle();
    }, ms);
    const stalled = setTimeout(
      () => this.#fail(new Error(`${this.#sent} sent, only ${this.#received} received`)),
      ms + STALLED_MS,
    );
    this.#pump();
    await finished;
    clearTimeout(timer);
    clearTimeout(stalled);
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#sum !== (this.#sent * (this.#sent - 1)) / 2) throw new Error('not every message came once');
    return { count: this.#received, ...end() };
  }

  #pump(): void {
    while (this.#sent - Math.min(this.#received, this.#confirmed) < this.#window && !this.#over) {
      this.#publish(makeOrder(this.#sent++), this.#onConfirmed);
    }
  }

  readonly #onConfirmed = (error?: unknown): void => {
    if (error) return this.#fail(error);
    this.#confirmed++;
    if (this.#over) this.#settle();
    else if (this.#confirmed <= this.#received) this.#pump();
  };

  #settle(): void {
    if (this.#received === this.#sent && this.#confirmed === this.#sent) this.#done();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#over = true;
    this.#done();
  }
}

/** Calls for `ms` with `inFlight` calls under way all the time. */
export async function callLoad(
  call: (order: Order) => Promise<Receipt>,
  inFlight: number,
  ms: number,
): Promise<Run> {
  const latencies: number[] = [];
  let seq = 0;
  let over = false;
  const caller = async () => {
    while (!over) {
      const order = makeOrder(seq++);
      const begun = performance.now();
      const receipt = await call(order);
      latencies.push(performance.now() - begun);
      if (receipt.seq !== order.seq) throw new Error(`call ${order.seq} got the answer of ${receipt.seq}`);
    }
  };
  const end = stopwatch();
  const timer = setTimeout(() => {
    over = true;
  }, ms);
  let stalled: ReturnType<typeof setTimeout> | undefined;
  const stall = new Promise<never>((_, reject) => {
    stalled = setTimeout(
      () => reject(new Error(`${seq} calls made, ${latencies.length} answered, and then none any more`)),
      ms + STALLED_MS,
    );
  });
  try {
    await Promise.race([Promise.all(Array.from({ length: inFlight }, caller)), stall]);
  } finally {
    over = true;
    clearTimeout(timer);
    clearTimeout(stalled);
  }
  const measured = { count: seq, ...end() };
  latencies.sort((a, b) => a - b);
  return { ...measured, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

function quantile(sorted: readonly number[], q: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

function stopwatch(): () => { seconds: number; cpuSeconds: number } {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return { seconds: (performance.now() - begun) / 1000, cpuSeconds: (user + system) / 1e6 };
  };
}
