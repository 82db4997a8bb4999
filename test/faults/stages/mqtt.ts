import type { NativeOptions, Transport } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { startMosquitto, startRabbitmq } from '../../brokers/index.js';
import { QUICK, type StageKind, type StageTransport } from './stage.js';
import { stageOf } from './stage-of.js';

function transportOf(url: string, { clientId, watchful, maxBuffered }: StageTransport): Transport {
  return mqtt(url, { clientId, backoff: QUICK, keepaliveMs: watchful ? 1_000 : undefined, maxBuffered });
}

/**
 * Mosquitto writes its sessions into a file at SIGTERM, and every half an hour; beyond `max_queued_messages`, 1000 unless said
 * otherwise, it drops what a session has waiting.
 */
function onMosquitto(name: string, native: NativeOptions | undefined): StageKind {
  return {
    protocol: 'mqtt',
    broker: 'mosquitto',
    name,
    async start() {
      const broker = await startMosquitto({
        persistence: 'as shipped',
        config: ['max_queued_messages 0', 'max_inflight_messages 1000'],
      });
      return stageOf(broker, broker.url, transportOf, native);
    },
  };
}

export const mosquitto = onMosquitto('MQTT on Mosquitto', { mqtt: { shared: false } });
/** It forgets shared subscriptions when it is restarted. */
export const mosquittoShared = onMosquitto('MQTT on Mosquitto, shared subscription', undefined);

/** RabbitMQ keeps MQTT sessions in durable queues. */
export const rabbitmqMqtt: StageKind = {
  protocol: 'mqtt',
  broker: 'rabbitmq',
  name: 'MQTT on RabbitMQ',
  async start() {
    const broker = await startRabbitmq({ own: true });
    return stageOf(broker, broker.mqttUrl, transportOf);
  },
};
