import type { MqttBroker } from './broker.js';
import { startEmbedded } from './embedded.js';
import { findBroker } from './find.js';
import { startMosquitto } from './mosquitto.js';

/**
 * Any MQTT broker, for a test that must run everywhere and needs MQTT 3.1.1 only: a Mosquitto if this machine has one,
 * else the embedded aedes.
 */
export async function startMqtt(): Promise<MqttBroker> {
  const found = await findBroker('mosquitto');
  return found.found ? startMosquitto() : startEmbedded();
}
