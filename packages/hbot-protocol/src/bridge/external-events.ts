/** External events, given to whoever listens for their name. */
import type { ExternalEvent } from '../schemas/streams.js';

/** An external event with its name: `order.market`. */
export interface NamedExternalEvent extends ExternalEvent {
  readonly name: string;
}

/** Called for each external event, one after the other. */
export type ExternalEventHandler = (event: NamedExternalEvent) => void | Promise<void>;

/** Listeners by name; `*` hears all. As in Hummingbot there are no partial wildcards. */
export class ExternalEventListeners {
  readonly #byName = new Map<string, Set<ExternalEventHandler>>();

  /** Returns how to stop listening. */
  add(name: string, handler: ExternalEventHandler): () => void {
    const key = name === '*' ? name : name.replaceAll('/', '.');
    const handlers = this.#byName.get(key) ?? new Set();
    this.#byName.set(key, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Calls all of them, and throws what the first of those threw that failed. */
  async call(event: NamedExternalEvent): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    // A set, for an event whose name is `*` itself.
    for (const name of new Set([event.name, '*'])) {
      for (const handler of [...(this.#byName.get(name) ?? [])]) {
        try {
          await handler(event);
        } catch (error) {
          failure ??= { error };
        }
      }
    }
    if (failure) throw failure.error;
  }
}
