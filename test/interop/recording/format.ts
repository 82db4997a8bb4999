/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * What a bot was doing when it was asked: `idle`, nothing loaded yet; `imported`, a strategy file imported (interactive
 * bots only); `running`, the strategy runs; `stopped`, after a `stop`.
 */
export type When = 'idle' | 'imported' | 'running' | 'stopped';

/** A message that the bot published on its own, as part of a step. */
export interface Published {
  /** Topic below `<namespace>/<id>/`, or the whole topic for one outside. */
  stream: string;
  body: Json;
}

/** One command and what came of it. */
export interface Step {
  /** Unique within `when`; the same in all recordings. */
  step: string;
  when: When;
  /** Topic below `<namespace>/<id>/`. */
  command: string;
  /** The body that was sent, its reply topic as `<reply_to>`; or `{ "text": … }` where it was not JSON. */
  request: Json;
  /** `null`: no reply came. */
  reply: { header: Json; data: Json } | null;
  /** The topic of the reply where it is not the `reply_to` that was sent. */
  repliedOn?: string;
  /** What the bot published meanwhile, except `hb` and `performance`; in order within a stream, sorted by stream. */
  published: Published[];
}

/** One message to a bot that is not a command (external event, script topic) and what came of it. */
export interface Action {
  step: string;
  when: When;
  /** Topic below `<namespace>/<id>/`. */
  topic: string;
  body: Json;
  published: Published[];
}

/** All that one bot of an era and mode was asked and said. */
export interface Recording {
  era: string;
  mode: 'headless' | 'ui';
  steps: Step[];
  actions: Action[];
  /** Samples by stream. `events`: one of each type. `performance`: by moment. */
  streams: { [stream: string]: Json };
  /** Some payloads exactly as they came, for what JSON cannot hold. Not compared. */
  raw: { [name: string]: string };
}

/**
 * Parses what a bot writes: JSON, but with bare `NaN` and `Infinity`, which become the strings `<NaN>`, `<Infinity>`
 * and `<-Infinity>`.
 */
export function parseBotJson(text: string): Json {
  const legal = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
    token.startsWith('"') ? token : `"<${token}>"`,
  );
  const value: Json = JSON.parse(legal);
  return value;
}
