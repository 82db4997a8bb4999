/**
 * Services: requests are popped from the list of the procedure's name, by one waiting read over all of them, no more than each has
 * room for. What is popped is gone from Redis: who serves it must answer it.
 */
import type { Inbound, Intake, Settlement } from '@commlib/core';
import type { ListReaders, ListSource } from './list-readers.js';

/** An element some builds of commlib-py of 2025 pushed when they made the list (`create_queue`). */
const QUEUE_INIT = Buffer.from('QueueInit');
/** Requests taken by one read at most. */
const MOST_AT_ONCE = 128;

/** One service here. */
interface Member {
  readonly maxInFlight: number;
  readonly onRequest: (request: Inbound) => void;
  inFlight: number;
  idle: (() => void) | undefined;
}

/** What the services need of the transport. */
export interface ServicesHost {
  readonly readers: (source: ListSource) => ListReaders;
  /** Puts requests back at the head of their list, in this order. */
  readonly giveBack: (list: string, elements: readonly Buffer[]) => void;
  readonly onRefused: (address: string, error: unknown) => void;
}

export class Services implements ListSource {
  readonly readers: ListReaders;
  readonly #host: ServicesHost;
  /** The members of one address take turns. */
  readonly #services = new Map<string, Member[]>();
  #turn = 0;

  constructor(host: ServicesHost) {
    this.#host = host;
    this.readers = host.readers(this);
  }

  async add(address: string, maxInFlight: number, onRequest: (request: Inbound) => void): Promise<Intake> {
    const member: Member = { maxInFlight, onRequest, inFlight: 0, idle: undefined };
    const members = this.#services.get(address);
    if (members) members.push(member);
    else this.#services.set(address, [member]);
    try {
      await this.readers.add(address);
    } catch (error) {
      await this.#remove(address, member);
      throw error;
    }
    this.readers.changed(address);
    let closing: Promise<void> | undefined;
    return {
      close: () => {
        closing ??= this.#remove(address, member);
        return closing;
      },
    };
  }

  keys(): Iterable<string> {
    return this.#services.keys();
  }

  /** A list that is never empty shall not keep those behind it waiting: each read begins with another. */
  wanted(keys: readonly string[]): { readonly keys: readonly string[]; readonly count: number } {
    const free: string[] = [];
    let count = MOST_AT_ONCE;
    this.#turn++;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[(i + this.#turn) % keys.length];
      const room = key === undefined ? 0 : this.#room(key);
      if (key === undefined || room === 0) continue;
      free.push(key);
      count = Math.min(count, room);
    }
    return { keys: free, count };
  }

  elements(address: string, elements: readonly Buffer[]): void {
    for (let i = 0; i < elements.length; i++) {
      const element = elements[i];
      if (element === undefined || element.equals(QUEUE_INIT)) continue;
      const member = this.#next(address);
      // Closed while the read waited, so others shall have it.
      if (member === undefined) return this.#host.giveBack(address, elements.slice(i));
      this.#deliver(address, member, element);
    }
  }

  refused(error: unknown): void {
    this.#host.onRefused([...this.#services.keys()].join(', '), error);
  }

  /** The connection is gone: what was taken may still be answered on the next one. */
  stop(): Promise<void> {
    return this.readers.stop();
  }

  #room(address: string): number {
    let room = 0;
    for (const member of this.#services.get(address) ?? [])
      room += Math.max(0, member.maxInFlight - member.inFlight);
    return room;
  }

  #next(address: string): Member | undefined {
    const members = this.#services.get(address);
    if (members === undefined) return undefined;
    for (let i = 0; i < members.length; i++) {
      const member = members.shift();
      if (member === undefined) return undefined;
      members.push(member);
      if (member.inFlight < member.maxInFlight) return member;
    }
    return undefined;
  }

  #deliver(address: string, member: Member, payload: Buffer): void {
    member.inFlight++;
    let open = true;
    const settle = (_outcome: Settlement) => {
      if (!open) return;
      open = false;
      member.inFlight--;
      if (member.inFlight === 0) member.idle?.();
      this.readers.changed(address);
    };
    member.onRequest({ address, payload, retained: false, redelivered: false, settle });
  }

  async #remove(address: string, member: Member): Promise<void> {
    const members = this.#services.get(address);
    const at = members?.indexOf(member) ?? -1;
    if (members && at >= 0) members.splice(at, 1);
    if (members?.length === 0) {
      this.#services.delete(address);
      await this.readers.remove(address);
    }
    if (member.inFlight === 0) return;
    await new Promise<void>((resolve) => {
      member.idle = resolve;
    });
  }
}
