import type { Transport } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { redis } from '@commlib/transport-redis';

/** A transport with its own defaults, by the scheme of the URL: for programs that are given one. */
export function transportAt(url: string): Transport {
  switch (new URL(url).protocol) {
    case 'mqtt:':
      return mqtt(url);
    case 'redis:':
      return redis(url);
    default:
      throw new Error('no transport of that scheme');
  }
}
