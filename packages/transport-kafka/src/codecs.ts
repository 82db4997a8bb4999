/** Compression: what kafkajs has no codec for is found out batch by batch, so that it can be passed over. */
import { UnsupportedError } from '@commlib/core';
import { CompressionCodecs, CompressionTypes, KafkaJSNonRetriableError } from './kafkajs.js';
import type { KafkaCompression, KafkaConfig } from './options.js';

const TYPES: Readonly<Record<KafkaCompression, number>> = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

/** The head of a batch of records, version 2, up to its records (Kafka's documentation, "Record Batch"). */
const HEAD_BYTES = 61;
const LAST_OFFSET_DELTA_AT = 23;
const MAGIC_AT = 16;

/** What kafkajs itself throws, whose types do not let others make one. */
class NoCodec extends KafkaJSNonRetriableError {
  override readonly name = 'KafkaJSNotImplemented';

  constructor(codec: string) {
    super(`${codec} compression not implemented`);
  }
}

/** A batch that cannot be unpacked, and where it lies. For other users of kafkajs it is the error they know. */
export class UnreadableBatch extends NoCodec {
  readonly codec: string;
  readonly firstOffset: number;
  readonly lastOffset: number;

  constructor(codec: string, firstOffset: number, lastOffset: number) {
    super(codec);
    this.codec = codec;
    this.firstOffset = firstOffset;
    this.lastOffset = lastOffset;
  }
}

/** Puts the codecs of the options into kafkajs' table, where there is none yet, and a finder of batches where none is given. */
export function registerCodecs(config: Pick<KafkaConfig, 'codecs' | 'compression'>): void {
  for (const name of ['snappy', 'lz4', 'zstd'] as const) {
    const type = TYPES[name];
    const given = config.codecs[name];
    if (isThere(type)) continue;
    if (given) Reflect.set(CompressionCodecs, type, given);
    else if (!finders.has(Reflect.get(CompressionCodecs, type))) {
      const finder = () => ({
        compress: () => refuse(name),
        decompress: (packed: Buffer) => find(name, packed),
      });
      finders.add(finder);
      Reflect.set(CompressionCodecs, type, finder);
    }
  }
  const { compression } = config;
  if (compression !== undefined && compression !== 'gzip' && !isThere(TYPES[compression])) {
    throw new UnsupportedError(
      `compression by ${compression}`,
      'its codec must be given in the option codecs',
    );
  }
}

/** The number kafkajs knows the compression by. */
export function compressionType(name: KafkaCompression | undefined): number {
  return name === undefined ? CompressionTypes.None : TYPES[name];
}

/** Finders this module put into the table. */
const finders = new Set<unknown>();

/** Has somebody registered a codec? Where nobody has, kafkajs' own entry throws. */
function isThere(type: number): boolean {
  const make: unknown = Reflect.get(CompressionCodecs, type);
  if (typeof make !== 'function' || finders.has(make)) return false;
  try {
    make();
    return true;
  } catch {
    return false;
  }
}

function refuse(codec: string): never {
  throw new NoCodec(codec);
}

/** The packed records are a window on the whole batch, whose head says where it lies. */
function find(codec: string, packed: Buffer): never {
  const start = packed.byteOffset - HEAD_BYTES;
  if (start < 0) refuse(codec);
  const head = new DataView(packed.buffer, start, HEAD_BYTES);
  if (head.getInt8(MAGIC_AT) !== 2) refuse(codec);
  const first = Number(head.getBigInt64(0));
  throw new UnreadableBatch(codec, first, first + head.getInt32(LAST_OFFSET_DELTA_AT));
}
