/** What the recorded real bots published and refused, read by our schemas, and the simulator's beside it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { json, MemoryBroker, memory, Node } from '@commlib/core';
import { describe, expect, it } from 'vitest';
import { reasonOf } from '../client/reasons.js';
import { isKnownEvent, ManualClock, readEvent, SimulatedBot, type StreamName, streams } from '../index.js';

interface Recording {
  readonly steps: readonly { readonly reply: { readonly data: { status?: number; msg?: string } } | null }[];
  /** Messages exactly as they came, by stream; events by stream and type. */
  readonly raw: Readonly<Record<string, string>>;
  /** Points in time are `<s>` here. */
  readonly streams: { readonly events?: Readonly<Record<string, unknown>> };
}

const codec = json();
const names = ['2.13-headless', '2.13-ui', '2.18-headless', '2.18-ui'];
const fileOf = (name: string) =>
  fileURLToPath(new URL(`../../../../test/interop/recordings/${name}.json`, import.meta.url));

/** Names and types, in order. */
function shape(value: unknown): unknown {
  if (value === '<s>') return 'number';
  if (Array.isArray(value)) return 'array';
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([key, item]) => [key, shape(item)]);
}

/** Points in time are numbers again. */
const timed = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replaceAll('"<s>"', '1700000000'));

describe.each(names)('the real bot of %s', (name) => {
  if (!existsSync(fileOf(name))) {
    it.skip(`no recording at ${fileOf(name)}: make it with the interop run`, () => {});
    return;
  }
  const recording: Recording = JSON.parse(readFileSync(fileOf(name), 'utf8'));
  const events = Object.entries(recording.streams.events ?? {});

  const raw = Object.entries(recording.raw).filter(([key]) => (key.split(' ')[0] ?? '') in streams);
  it.each(raw.filter(([key]) => !key.startsWith('log with')))(
    '%s is read, and nothing of it is lost',
    (key, text) => {
      const [stream = ''] = key.split(' ');
      const message = codec.decode(new TextEncoder().encode(text));
      const read = streams[stream as StreamName].parse(message);
      if (stream === 'performance') {
        for (const report of Object.values(read))
          expect(report).toMatchObject({ performance: expect.anything() });
      } else {
        expect(read).toEqual(message);
      }
    },
  );

  it.each(events)('%s is a known event', (_, event) => {
    const read = readEvent(timed(event));
    expect(isKnownEvent(read), JSON.stringify(read)).toBe(true);
    expect(shape(read)).toEqual(shape(event));
  });

  const refusals = recording.steps.flatMap(({ reply }) =>
    reply?.data.status === 400 ? [reply.data.msg ?? ''] : [],
  );
  it.each([...new Set(refusals)])('the reason of its refusal is known: %s', (msg) => {
    expect(reasonOf(msg)).not.toBe('other');
  });

  it('the simulated events have the same fields in the same order', async () => {
    const broker = new MemoryBroker();
    const node = await new Node({ transport: memory({ broker }) }).start();
    const clock = new ManualClock();
    const simulated = new Map<string, unknown>();
    const options = { delivery: 'at-most-once', maxInFlight: 10_000 } as const;
    await node.transport.subscribe('hbot/testbot/events', options, ({ payload }) => {
      const event = codec.decode(payload) as { type: string };
      simulated.set(event.type, event);
    });
    const transport = () => memory({ broker });
    const bot = await SimulatedBot.start({ profile: '2.18', running: true, clock, transport });
    clock.advance(600_000);
    await expect.poll(() => simulated.size).toBe(7);
    const real = new Map(events);
    for (const [type, event] of simulated) {
      if (real.has(type)) expect(shape(event), type).toEqual(shape(real.get(type)));
    }
    expect([...simulated.keys()].filter((type) => real.has(type)).length).toBeGreaterThan(5);
    await bot.close();
    await node.close();
  });
});
