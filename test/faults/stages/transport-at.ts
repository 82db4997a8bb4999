import type { Transport } from '@commlib/core';

/** A transport with its own defaults, by the scheme of the URL: for programs that are given one. Loads no other. */
export async function transportAt(url: string): Promise<Transport> {
  switch (new URL(url).protocol) {
    case 'mqtt:':
      return (await import('@commlib/transport-mqtt')).mqtt(url);
    case 'amqp:':
      return (await import('@commlib/transport-amqp')).amqp(url);
    case 'redis:':
      return (await import('@commlib/transport-redis')).redis(url);
    case 'kafka:':
      return (await import('@commlib/transport-kafka')).kafka(url);
    default:
      throw new Error('no transport of that scheme');
  }
}
