/** What happens on a connection, as lines for people (stderr) or records for programs. */
import type { NodeEvent } from '@commlib/core';
import { messageOf } from '../terminal/exit-codes.js';

/** A line and whether it is good news, bad news or a side note. */
export interface ConnectionLine {
  readonly text: string;
  readonly tone: 'good' | 'bad' | 'note';
  /** The same as data. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Turns events into lines; remembers whether the connection was lost, so that its return can be told. */
export function connectionLines(): (event: NodeEvent) => ConnectionLine | undefined {
  let lostAt: number | undefined;
  return (event) => {
    switch (event.type) {
      case 'status': {
        const { status } = event;
        if (status.state === 'reconnecting') {
          const { attempt, delayMs } = status;
          const error = messageOf(status.error);
          const what = lostAt === undefined ? 'connection lost' : 'still no connection';
          lostAt ??= performance.now();
          return {
            text: `${what}: ${error}; reconnecting in ${delayMs} ms`,
            tone: 'bad',
            record: { event: 'lost', attempt, delayMs, error },
          };
        }
        if (status.state === 'ready' && lostAt !== undefined) {
          const afterMs = Math.round(performance.now() - lostAt);
          lostAt = undefined;
          return {
            text: `connected again after ${(afterMs / 1000).toFixed(1)} s`,
            tone: 'good',
            record: { event: 'restored', afterMs },
          };
        }
        return undefined;
      }
      case 'dropped':
      case 'dead-letter':
      case 'handler-error': {
        const { address } = event;
        const error = messageOf(event.error);
        return {
          text: `a message on ${address} was dropped: ${error}`,
          tone: 'note',
          record: { event: 'dropped', address, error },
        };
      }
      case 'overflow':
        return {
          text: `too slow: ${event.dropped} messages on ${event.endpoint} were lost so far`,
          tone: 'bad',
          record: { event: 'overflow', endpoint: event.endpoint, dropped: event.dropped },
        };
    }
  };
}
