/** The acknowledgements of one stream as one group reads it, as long as one link lasts: many in one command, confirmed. */
import type { CommlibError } from '@commlib/core';
import type { Connection } from './connection.js';
import { commandError, isMissingStream } from './errors.js';
import type { Link } from './link.js';

/** What they are made with. */
export interface StreamAcksOptions {
  readonly key: string;
  readonly address: string;
  readonly group: string;
  readonly onRefused: (error: CommlibError) => void;
}

export class StreamAcks {
  readonly #link: Link;
  readonly #options: StreamAcksOptions;
  /** Settled, and about to be acknowledged. */
  #ids: string[] = [];
  #unconfirmed = 0;
  #quiet: (() => void)[] = [];

  constructor(link: Link, options: StreamAcksOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** Many in one command: those of one turn of the event loop. */
  add(id: string): void {
    if (!this.#link.alive) return;
    this.#ids.push(id);
    if (this.#ids.length > 1) return;
    this.#unconfirmed++;
    const connection = this.#link.commands(this.#options.key);
    connection.soon(() => this.#send(connection));
  }

  /** Resolves when the server has confirmed every one, or none will be any more. */
  confirmed(): Promise<void> {
    if (this.#unconfirmed === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** The connection is gone: nothing will be confirmed. */
  end(): void {
    this.#reportQuiet();
  }

  #send(connection: Connection): void {
    const ids = this.#ids;
    this.#ids = [];
    const { key, group, address, onRefused } = this.#options;
    const done = () => {
      this.#unconfirmed--;
      if (this.#unconfirmed === 0) this.#reportQuiet();
    };
    connection.send('xack', [key, group, ...ids], done, (error) => {
      if (connection.alive && !isMissingStream(error))
        onRefused(commandError(error, `acknowledging on ${address}`));
      done();
    });
  }

  #reportQuiet(): void {
    for (const resolve of this.#quiet.splice(0)) resolve();
  }
}
