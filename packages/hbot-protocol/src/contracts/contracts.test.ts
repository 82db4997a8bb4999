import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { externalEventPath } from '../client/external.js';
import {
  commandContract,
  commandNames,
  externalEventsContract,
  mlSignalContract,
  type StreamName,
  serviceContract,
  spellings,
  streamContract,
  streams,
} from '../index.js';

const text = (contract: { name: { text: string } }) => contract.name.text;

describe('where a bot lives', () => {
  it('by default under hbot; a namespace may have levels, and one separator at its end does not count', () => {
    expect(spellings({ id: 'b' })).toEqual([{ dialect: 'aiomqtt', prefix: 'hbot/b' }]);
    expect(spellings({ id: 'b', namespace: 'desk/x/' })[0].prefix).toBe('desk/x/b');
    expect(spellings({ id: 'b', namespace: 'desk.' })[0].prefix).toBe('desk/b');
  });

  it('in one place or another when there are dots and the dialect is not given', () => {
    expect(spellings({ id: 'b.1' }).map(({ prefix }) => prefix)).toEqual(['hbot/b.1', 'hbot/b/1']);
    expect(spellings({ id: 'b.1', dialect: 'commlib' }).map(({ prefix }) => prefix)).toEqual(['hbot/b/1']);
    expect(spellings({ id: 'b.1', dialect: 'aiomqtt' }).map(({ prefix }) => prefix)).toEqual(['hbot/b.1']);
    expect(spellings({ id: 'b', namespace: 'a.b' })).toHaveLength(2);
  });

  it('every topic and command has its name there, dots kept', () => {
    const [kept] = spellings({ id: 'b.1', dialect: 'aiomqtt' });
    for (const stream of Object.keys(streams) as StreamName[]) {
      expect(streamContract(kept, stream).name).toEqual({ kind: 'literal', text: `hbot/b.1/${stream}` });
    }
    for (const command of commandNames) {
      expect(text(commandContract(kept, command))).toBe(`hbot/b.1/${command}`);
      expect(text(serviceContract(kept, command))).toBe(`hbot/b.1/${command}`);
    }
    expect(text(externalEventsContract(kept))).toBe('hbot/b.1/external/event/#');
    expect(text(mlSignalContract('BTC-USDT'))).toBe('hbot/predictions/btc_usdt/ML_SIGNALS');
    expect(text(mlSignalContract('ETH-USD', 'my/models'))).toBe('my/models/eth_usd/ML_SIGNALS');
  });

  it('an id is refused, or its prefix is exactly namespace and id', () => {
    fc.assert(
      fc.property(fc.string(), (id) => {
        let found: readonly { prefix: string }[];
        try {
          found = spellings({ id });
        } catch {
          return;
        }
        expect(found[0]?.prefix).toBe(`hbot/${id}`);
        expect(id).not.toMatch(/[+#\0{}]/);
      }),
    );
  });
});

describe('names of external events', () => {
  /** What a bot makes of a topic: it splits at every `event/`. */
  const asTheBotReads = (topic: string) => (topic.split('event/')[1] ?? '').replaceAll('/', '.');

  it('either arrive as they were given, or are refused', () => {
    const level = fc.stringMatching(/^[a-z/. -]{0,5}(event)?$/);
    fc.assert(
      fc.property(
        fc.array(level, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('hbot/b', 'my-event/b'),
        (levels, prefix) => {
          const name = levels.join('.');
          let path: string;
          try {
            path = externalEventPath(prefix, name);
          } catch {
            return;
          }
          expect(asTheBotReads(`${prefix}/${path}`)).toBe(name.replaceAll('/', '.'));
        },
      ),
    );
    expect(externalEventPath('hbot/b', 'order.market')).toBe('external/event/order/market');
  });
});
