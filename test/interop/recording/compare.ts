import type { Action, Json, Recording, Step } from './format.js';

/**
 * What differs between a kept recording and a new one, one line per difference; empty when they agree.
 *
 * Replies, and what a step made the bot publish on `events`, script topics and status, must be equal. Log lines must be the same
 * per step in any order. `raw` is not compared.
 */
export function compareRecordings(kept: Recording, fresh: Recording): string[] {
  return [
    ...compareLists('step', kept.steps, fresh.steps, (a, b) => [
      ...unequal('reply', a.reply, b.reply),
      ...unequal('topic of the reply', a.repliedOn ?? null, b.repliedOn ?? null),
      ...comparePublished(a, b),
    ]),
    ...compareLists('action', kept.actions, fresh.actions, comparePublished),
    ...compareStreams(kept.streams, fresh.streams),
  ];
}

function compareLists<T extends Step | Action>(
  kind: string,
  kept: readonly T[],
  fresh: readonly T[],
  compare: (a: T, b: T) => string[],
): string[] {
  const key = (item: T) => `${item.when}: ${item.step}`;
  const byKey = new Map(fresh.map((item) => [key(item), item]));
  const known = new Set(kept.map(key));
  return [
    ...kept.flatMap((item) => {
      const other = byKey.get(key(item));
      if (!other) return [`${kind} ${key(item)}: was not made`];
      return compare(item, other).map((difference) => `${kind} ${key(item)}: ${difference}`);
    }),
    ...fresh.filter((item) => !known.has(key(item))).map((item) => `${kind} ${key(item)}: is new`),
  ];
}

function comparePublished(a: Step | Action, b: Step | Action): string[] {
  const logs = (item: Step | Action) => lines(item, (stream) => stream === 'log').sort();
  const others = (item: Step | Action) => lines(item, (stream) => stream !== 'log');
  return [...unequal('log', logs(a), logs(b)), ...unequal('published', others(a), others(b))];
}

function lines(item: Step | Action, wanted: (stream: string) => boolean): string[] {
  return item.published
    .filter(({ stream }) => wanted(stream))
    .map(({ stream, body }) => `${stream} ${JSON.stringify(body)}`);
}

function compareStreams(kept: Recording['streams'], fresh: Recording['streams']): string[] {
  const names = new Set([...Object.keys(kept), ...Object.keys(fresh)]);
  const inOrder = (name: string, value: Json | undefined) =>
    name.startsWith('log ') && Array.isArray(value)
      ? value.map((line) => JSON.stringify(line)).sort()
      : (value ?? null);
  return [...names].flatMap((name) =>
    unequal(`stream ${name}`, inOrder(name, kept[name]), inOrder(name, fresh[name])),
  );
}

function unequal(what: string, a: Json, b: Json): string[] {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)];
  return left === right ? [] : [`${what}\n    kept  ${left}\n    now   ${right}`];
}
