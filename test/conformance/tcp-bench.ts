/** Benches for transports that speak TCP: a proxy of its own for each property. */
import type { TestBench, TransportRequest } from '@commlib/conformance';
import type { Transport } from '@commlib/core';
import { startProxy, type TcpProxy, through } from '../faults/proxy.js';

/** How a link behaves: as it comes, or as bad networks do. */
export type Quality = 'direct' | 'faulty';

/** Every chunk 1 to 9 ms late, and what is short cut into pieces of up to 40 bytes. */
export function spoil(proxy: TcpProxy): void {
  proxy.latency(1, 8);
  proxy.pieces(40);
}

export async function tcpBench(
  url: string,
  quality: Quality,
  make: (url: string, request: TransportRequest) => Transport,
  stranger?: (url: string) => Transport,
): Promise<TestBench> {
  const proxy = await startProxy(Number(new URL(url).port));
  if (quality === 'faulty') spoil(proxy);
  const there = through(proxy, url);
  return {
    transport: (request) => make(there, request),
    ...(stranger && { stranger: () => stranger(there) }),
    cut: () => proxy.cut(),
    hangUp: () => proxy.hangUp(),
    block: () => proxy.refuse(),
    unblock: () => proxy.accept(),
    silence: () => proxy.pause(),
    resume: () => proxy.resume(),
    [Symbol.asyncDispose]: () => proxy.close(),
  };
}
