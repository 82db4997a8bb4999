/**
 * MQTT 3.1.1 and 5 for commlib, in Node and in browsers.
 *
 * @module
 */
export { mqtt } from './mqtt.js';
export type { MqttNativeOptions } from './native.js';
export type { MqttOptions, MqttWill } from './options.js';
