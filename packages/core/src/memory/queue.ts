/** The messages of a durable group that no member has acknowledged yet; they outlive members and connections, not the broker. */
import type { Settlement } from '../transport.js';
import type { Consumer, Stored } from './broker.js';

interface Queued {
  readonly message: Stored;
  attempt: number;
  /** The member has it; before, it is on its way. */
  delivered: boolean;
}

interface Member {
  readonly consumer: Consumer;
  readonly inFlight: Set<Queued>;
  /** Called when a member that leaves has settled everything. */
  settled: (() => void) | undefined;
}

/** How a member goes. */
export interface Membership {
  /** In good order: gets no more, and resolves when it has settled what it has. */
  close(): Promise<void>;
  /** Its connection is gone: what it had is delivered again. */
  drop(): void;
}

export class Queue {
  readonly levels: readonly string[];
  #members: Member[] = [];
  #waiting: Queued[] = [];
  #turn = 0;

  constructor(levels: readonly string[]) {
    this.levels = levels;
  }

  get memberless(): boolean {
    return this.#members.length === 0;
  }

  push(message: Stored): void {
    this.#waiting.push({ message, attempt: 0, delivered: false });
    this.#deliver();
  }

  join(consumer: Consumer): Membership {
    const member: Member = { consumer, inFlight: new Set(), settled: undefined };
    this.#members.push(member);
    this.#deliver();
    return { close: () => this.#close(member), drop: () => this.#drop(member) };
  }

  #close(member: Member): Promise<void> {
    this.#members = this.#members.filter((one) => one !== member);
    this.#takeBack(member, (queued) => !queued.delivered);
    if (member.inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      member.settled = resolve;
    });
  }

  #drop(member: Member): void {
    this.#members = this.#members.filter((one) => one !== member);
    this.#takeBack(member, () => true);
    member.settled?.();
  }

  /** To the front, in its order. */
  #takeBack(member: Member, which: (queued: Queued) => boolean): void {
    const back = [...member.inFlight].filter(which);
    for (const queued of back) member.inFlight.delete(queued);
    this.#waiting.unshift(...back);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#waiting.length > 0) {
      const member = this.#next();
      if (member === undefined) return;
      const queued = this.#waiting.shift() as Queued;
      if (queued.message.expires > Date.now()) this.#send(queued, member);
    }
  }

  #send(queued: Queued, member: Member): void {
    queued.attempt++;
    queued.delivered = false;
    member.inFlight.add(queued);
    queueMicrotask(() => {
      // The member may have left meanwhile; then the message is waiting again already, or with another.
      if (member.inFlight.has(queued)) this.#hand(queued, member);
    });
  }

  #hand(queued: Queued, member: Member): void {
    const { address, payload, headers, key } = queued.message;
    const { attempt } = queued;
    queued.delivered = true;
    member.consumer.receive({
      address,
      payload,
      headers,
      key,
      retained: false,
      redelivered: attempt > 1,
      attempt,
      settle: (outcome) => {
        // Void when it was settled before, or taken back with the connection and perhaps sent again.
        if (queued.attempt === attempt && member.inFlight.delete(queued))
          this.#settle(queued, member, outcome);
      },
    });
  }

  #settle(queued: Queued, member: Member, outcome: Settlement): void {
    if (outcome === 'nack') this.#waiting.unshift(queued);
    else if (typeof outcome === 'object') {
      setTimeout(() => {
        this.#waiting.unshift(queued);
        this.#deliver();
      }, outcome.retryInMs);
    }
    this.#deliver();
    if (member.inFlight.size === 0) member.settled?.();
  }

  #next(): Member | undefined {
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[(this.#turn + i) % this.#members.length] as Member;
      if (member.inFlight.size < member.consumer.maxInFlight) {
        this.#turn = (this.#turn + i + 1) % this.#members.length;
        return member;
      }
    }
    return undefined;
  }
}
