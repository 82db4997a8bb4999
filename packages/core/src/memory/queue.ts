/** The messages of a durable group that no member has acknowledged yet; they outlive members and connections, not the broker. */
import type { Settlement } from '../transport.js';
import type { Consumer, Stored } from './broker.js';

/** A message that was refused comes again after a moment: at once, a handler that always fails would leave no time for anything else. */
const PAUSE_AFTER_NACK_MS = 5;

interface Queued {
  readonly message: Stored;
  /** Its place among the others. */
  readonly place: number;
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
  #pushed = 0;
  #turn = 0;

  constructor(levels: readonly string[]) {
    this.levels = levels;
  }

  get memberless(): boolean {
    return this.#members.length === 0;
  }

  push(message: Stored): void {
    this.#waiting.push({ message, place: this.#pushed++, attempt: 0, delivered: false });
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

  #takeBack(member: Member, which: (queued: Queued) => boolean): void {
    for (const queued of [...member.inFlight].filter(which)) {
      member.inFlight.delete(queued);
      this.#putBack(queued);
    }
    this.#deliver();
  }

  /** Where it was: before those that came later. */
  #putBack(queued: Queued): void {
    const later = this.#waiting.findIndex(({ place }) => place > queued.place);
    if (later < 0) this.#waiting.push(queued);
    else this.#waiting.splice(later, 0, queued);
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
    if (outcome !== 'ack' && outcome !== 'reject') {
      const pauseMs = outcome === 'nack' ? PAUSE_AFTER_NACK_MS : outcome.retryInMs;
      // A member that leaves fails no more.
      if (outcome === 'nack' && !this.#members.includes(member)) this.#putBack(queued);
      // More than setTimeout can hold (24 days) would fire at once.
      else setTimeout(() => this.#again(queued), Math.min(pauseMs, 2 ** 31 - 1));
    }
    this.#deliver();
    if (member.inFlight.size === 0) member.settled?.();
  }

  #again(queued: Queued): void {
    this.#putBack(queued);
    this.#deliver();
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
