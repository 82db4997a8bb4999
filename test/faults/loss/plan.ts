/** How many messages, and what happens to the broker and the links meanwhile. */
export interface LossPlan {
  readonly messages: number;
  /** The broker is ended and started again this often … */
  readonly restarts: number;
  /** … by this signal. */
  readonly signal: NodeJS.Signals;
  /** A link is reset this often: in turn the publisher's, the subscriber's, and both. */
  readonly cuts: number;
}

/** CI. */
export const SMALL = { messages: 20_000, restarts: 2, cuts: 5 } as const;
/** `npm run soak`. */
export const FULL = { messages: 200_000, restarts: 5, cuts: 20 } as const;

/** Something that happens when so many messages have arrived: a progress, not a time, so that it always meets traffic. */
export interface Mark {
  readonly at: number;
  readonly what: 'restart' | 'cut';
}

/** Evenly spread, the restarts evenly among the cuts. */
export function marksOf({ messages, restarts, cuts }: LossPlan): Mark[] {
  const all = restarts + cuts;
  return Array.from({ length: all }, (_, i) => ({
    at: Math.floor((messages * (i + 1)) / (all + 1)),
    what: Math.floor(((i + 1) * restarts) / all) > Math.floor((i * restarts) / all) ? 'restart' : 'cut',
  }));
}
