/**
 * Elements for lists, many in one command: what is pushed to one list in one turn of the event loop goes out together, and with
 * an expiry in one go, so that no list outlives a crash in between.
 */
import { type CommlibError, NotConnectedError } from '@commlib/core';
import type { Connection } from './connection.js';
import { commandError } from './errors.js';
import type { Link } from './link.js';

/** Elements of one command at most. */
const MOST = 1_000;

/** What is about to be pushed to one list. */
interface Batch {
  readonly elements: Buffer[];
  readonly expiryMs: number | undefined;
  readonly sent: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: CommlibError) => void;
}

export class Pusher {
  #link: Link | undefined;
  #batches = new Map<string, Batch>();
  #scheduled = false;
  readonly #offline: () => CommlibError;

  constructor(offline: () => CommlibError = () => new NotConnectedError()) {
    this.#offline = offline;
  }

  attach(link: Link): void {
    this.#link = link;
  }

  detach(error: CommlibError): void {
    this.#link = undefined;
    const batches = this.#batches;
    this.#batches = new Map();
    for (const batch of batches.values()) batch.reject(error);
  }

  /** Resolves when the server has it. With an expiry, the whole list is gone that long after its last element came. */
  push(list: string, element: Uint8Array, expiryMs?: number): Promise<void> {
    const link = this.#link;
    if (link === undefined) return Promise.reject(this.#offline());
    let batch = this.#batches.get(list);
    if (batch === undefined) {
      batch = makeBatch(expiryMs);
      this.#batches.set(list, batch);
      this.#schedule(link.commands());
    }
    batch.elements.push(asBuffer(element));
    return batch.sent;
  }

  #schedule(connection: Connection): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    connection.soon(() => {
      this.#scheduled = false;
      const batches = this.#batches;
      this.#batches = new Map();
      for (const [list, batch] of batches) this.#send(list, batch);
    });
  }

  #send(list: string, batch: Batch): void {
    const failed = (error: unknown) => batch.reject(commandError(error, list));
    try {
      const connection = this.#link?.commands(list);
      if (connection === undefined) return batch.reject(this.#offline());
      const { elements, expiryMs } = batch;
      for (let from = 0; from < elements.length; from += MOST) {
        const some = elements.length <= MOST ? elements : elements.slice(from, from + MOST);
        const last = from + MOST >= elements.length;
        const done = last ? batch.resolve : ignore;
        if (expiryMs === undefined) connection.send('rpush', [list, ...some], done, failed);
        else connection.sendBoth(['rpush', list, ...some], ['pexpire', list, expiryMs], done, failed);
      }
    } catch (error) {
      failed(error);
    }
  }
}

function makeBatch(expiryMs: number | undefined): Batch {
  let resolve = () => {};
  let reject: (error: CommlibError) => void = () => {};
  const sent = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { elements: [], expiryMs, sent, resolve, reject };
}

function ignore(): void {}

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
