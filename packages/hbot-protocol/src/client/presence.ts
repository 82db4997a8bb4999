/** Is the bot there? Told from its heartbeats, its status updates and its answers. */
import { type Heartbeat, heartbeatTime, type StatusUpdate } from '../schemas/streams.js';

/**
 * - `unknown`: nothing seen yet, or our own connection is down;
 * - `online`: heartbeats come, or it has answered a command and may still send one;
 * - `offline`: the bot said so;
 * - `lost`: no heartbeat for 30 s. Bots have no last will: an abrupt death shows only like this.
 */
export type PresenceState = 'unknown' | 'online' | 'offline' | 'lost';

/** What is known of a bot. */
export interface BotPresence {
  readonly state: PresenceState;
  readonly since: Date;
  /** The last heartbeat, if any. */
  readonly heartbeat?: { readonly ts: number | bigint; readonly sentAt: Date; readonly receivedAt: Date };
  /** When the bot last answered a command. */
  readonly lastReplyAt?: Date;
  /**
   * True when commands are answered although the bot is offline or lost: a Hummingbot 2.13 that lost its broker once
   * stays like this, freezes for a minute at a time, and answers 200 to a `stop` that does nothing.
   */
  readonly halfDead: boolean;
  /** What to do, when there is something to do. */
  readonly advice?: string;
}

/** Options of the tracker. */
export interface PresenceOptions {
  /** Default 30 000. */
  readonly lostAfterMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onChange: (presence: BotPresence) => void;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

const RESTART =
  'the bot answers commands but sends no heartbeats: restart its process, and do not trust its 200s (Hummingbot 2.13 is like this after its broker was away)';

/** Follows one bot. Feed it what arrives; it calls back when the picture changes. */
export class PresenceTracker {
  readonly #options: PresenceOptions;
  #presence: BotPresence;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#presence = { state: 'unknown', since: new Date(options.now()), halfDead: false };
  }

  get presence(): BotPresence {
    return this.#presence;
  }

  /** Our own connection is up: from now on silence means something. */
  watch(): void {
    this.#arm();
  }

  /** Our own connection is down: nothing can be said. */
  unwatch(): void {
    clearTimeout(this.#timer);
    if (this.#presence.state !== 'unknown') this.#change('unknown');
  }

  beat(beat: Heartbeat): void {
    const receivedAt = new Date(this.#options.now());
    this.#presence = {
      ...this.#presence,
      heartbeat: { ts: beat.ts, sentAt: heartbeatTime(beat), receivedAt },
    };
    this.#arm();
    if (this.#presence.state !== 'online' || this.#presence.halfDead) this.#change('online');
  }

  update({ type, msg, timestamp }: StatusUpdate): void {
    if (type !== 'availability') return;
    // A bot of 2.15 or later delivers the statuses of an outage after the first heartbeat that follows it.
    const last = this.#presence.heartbeat;
    if (last !== undefined && timestamp < last.sentAt.getTime() - 1_000) return;
    if (msg === 'online') {
      this.#arm();
      if (this.#presence.state !== 'online') this.#change('online');
    } else if (msg === 'offline' && this.#presence.state !== 'offline') {
      clearTimeout(this.#timer);
      this.#change('offline');
    }
  }

  /** The bot answered a command that was sent at that time. */
  replied(sentAt: number): void {
    const now = this.#options.now();
    this.#presence = { ...this.#presence, lastReplyAt: new Date(now) };
    const { state, since, halfDead } = this.#presence;
    if (state === 'unknown') return this.#change('online');
    // Only a command sent after the bot was gone says that it is not: an answer may have been on its way.
    if (this.#closed || halfDead) return;
    if ((state === 'offline' || state === 'lost') && sentAt >= since.getTime()) {
      this.#presence = { ...this.#presence, halfDead: true, advice: RESTART };
      this.#options.onChange(this.#presence);
    }
  }

  /** The picture stays as it is. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    // No timer holds more than 24 days: given more, it would fire at once.
    if (this.#closed || this.#options.lostAfterMs > LONGEST_TIMER_MS) return;
    const timer: ReturnType<typeof setTimeout> & { unref?: () => void } = setTimeout(() => {
      if (this.#presence.state !== 'offline') this.#change('lost');
    }, this.#options.lostAfterMs);
    // Watching alone keeps no process alive; browsers have no unref.
    timer.unref?.();
    this.#timer = timer;
  }

  #change(state: PresenceState): void {
    if (this.#closed) return;
    const { heartbeat, lastReplyAt } = this.#presence;
    this.#presence = {
      state,
      since: new Date(this.#options.now()),
      ...(heartbeat && { heartbeat }),
      ...(lastReplyAt && { lastReplyAt }),
      halfDead: false,
    };
    this.#options.onChange(this.#presence);
  }
}
