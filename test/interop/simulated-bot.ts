import { SimulatedBot } from '@commlib/hbot-protocol';
import { expect } from 'vitest';
import type { PythonPeer } from './python-peer.js';
import type { Row } from './suite.js';

/** The protocol's commands, as a program on commlib-py sends them to a bot of ours. */
export const pythonControlsBot: Row = {
  text: 'its client controls our simulated bot: the eight commands of the protocol',
  async body({ node, version, peer }) {
    const id = `pybot${version.replaceAll('.', '')}`;
    const bot = await SimulatedBot.start({ id, node });
    const asked: readonly (readonly [string, object, object])[] = [
      ['import', { strategy: 'conf_liquidity_mining_1' }, { status: 200, msg: '' }],
      [
        'config',
        { params: [['mqtt_bridge.mqtt_autostart', 1]] },
        { changes: [['mqtt_bridge.mqtt_autostart', 1]], status: 200, msg: '' },
      ],
      [
        'balance/limit',
        { exchange: 'kucoin', asset: 'USDT', amount: -1 },
        { status: 200, msg: '', data: null },
      ],
      ['balance/paper', { asset: 'USDT', amount: 100 }, { status: 200, msg: '', data: null }],
      ['history', {}, { status: 200, msg: '', trades: [] }],
      ['start', {}, { status: 200, msg: '' }],
      ['status', {}, { status: 200 }],
      ['stop', {}, { status: 200, msg: '' }],
    ];
    // History before there are trades; the rest in the order a user goes, each from a client of its own.
    const callers: PythonPeer[] = [];
    for (const [command, data, expected] of asked) {
      const options = ['--settle', '0', '--data', JSON.stringify(data)];
      const caller = await peer('rpc-client', `hbot/${id}/${command}`, ...options);
      callers.push(caller);
      expect((await caller.next('reply')).data, command).toMatchObject(expected);
    }
    await Promise.all(callers.map((caller) => caller.stop()));
    await bot.close();
  },
};
