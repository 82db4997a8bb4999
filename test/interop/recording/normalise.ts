import type { Json } from './format.js';

/** Names of places that differ from run to run, and what stands for them in a recording. */
export interface Places {
  home: string;
  environment: string;
  port: number;
}

/**
 * Replaces what differs from run to run by placeholders: points in time within a day of now by `<s>`, `<ms>` or `<us>`
 * after their unit, dates and durations in text by their names, order ids by `<id 1>`, `<id 2>`… (equal ids get equal numbers), long digit strings by `<digits>`,
 * paths, ports and memory addresses by their names, and the frames of a Python traceback by one line.
 *
 * The returned function numbers ids over all its calls, so use one for what belongs together.
 */
export function normaliser(places: Places): (value: Json) => Json {
  const ids = new Map<string, string>();
  const text = (raw: string) => normaliseText(raw, places, ids);
  const walk = (node: Json): Json => {
    if (typeof node === 'string') return text(node);
    if (typeof node === 'number') return pointInTime(node) ?? node;
    if (Array.isArray(node)) return node.map(walk);
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [text(key), walk(item)]));
  };
  return walk;
}

function pointInTime(value: number): string | undefined {
  const day = 86_400_000;
  const near = (ms: number) => Math.abs(ms - Date.now()) < day;
  if (near(value * 1000)) return '<s>';
  if (near(value)) return '<ms>';
  if (near(value / 1000)) return '<us>';
  return undefined;
}

function normaliseText(raw: string, places: Places, ids: Map<string, string>): string {
  const id = (hex: string) => {
    const known = ids.get(hex) ?? `<id ${ids.size + 1}>`;
    ids.set(hex, known);
    return known;
  };
  return raw
    .replaceAll(places.home, '<home>')
    .replaceAll(places.environment, '<environment>')
    .replaceAll(`:${places.port}`, ':<port>')
    .replace(
      /Traceback \(most recent call last\):\n(?:[ \t].*\n)+/g,
      'Traceback (most recent call last):\n  …\n',
    )
    .replace(
      /((?:buy|sell):\/\/[A-Z]+-[A-Z]+\/)([0-9a-f]{20,32})/g,
      (_, start: string, hex: string) => start + id(hex),
    )
    .replace(/\b(?=[0-9A-Za-z]*[1-9A-Za-z]{4})[1-9A-HJ-NP-Za-km-z]{43,44}\b/g, (hash) => id(hash))
    .replace(/\b0x[0-9a-f]{6,}\b/g, '<address>')
    .replace(/\b\d{13,}\b/g, '<digits>')
    .replace(/\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[+-]\d\d:?\d\d)?/g, '<date and time>')
    .replace(/\b\d\d:\d\d:\d\d\b/g, '<hh:mm:ss>');
}
