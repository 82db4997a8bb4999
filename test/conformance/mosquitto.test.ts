import { mqtt } from '@commlib/transport-mqtt';
import { afterAll, beforeAll } from 'vitest';
import { describeOn, type MqttBroker, startMosquitto } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

describeOn(
  'mosquitto',
  () => {
    let broker: MqttBroker;
    beforeAll(async () => {
      broker = await startMosquitto({ config: ['max_queued_messages 0'], users: { kit: 'secret' } });
    });
    afterAll(() => broker?.stop());

    for (const [i, version] of ([5, 4] as const).entries()) {
      const options = { version, username: 'kit', backoff: { minMs: 20, maxMs: 200 } };
      conforms({
        column: version === 5 ? 'MQTT 5, Mosquitto' : 'MQTT 3.1.1, Mosquitto',
        place: 1 + i,
        qualities: ['direct', 'faulty'],
        capabilities: mqtt('mqtt://broker', { version }).capabilities,
        create: (quality) =>
          tcpBench(
            broker.url,
            quality,
            (url, { maxBuffered, program }) =>
              mqtt(url, { ...options, password: 'secret', maxBuffered, clientId: program }),
            (url) => mqtt(url, { ...options, password: 'wrong' }),
          ),
      });
    }
  },
  { own: true },
);
