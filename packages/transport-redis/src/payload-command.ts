/**
 * Commands of which the last argument is a payload, in the bytes of the protocol (RESP): put together here, in one piece and
 * one copy, for what is sent most.
 */
import { Command } from 'ioredis';

/** What comes before the payload: the arguments it was made of, and its bytes. */
interface Head {
  readonly name: string;
  readonly args: readonly (string | number)[];
  readonly bytes: Buffer;
}

/** Heads that are kept; looked through one by one, so they are few. */
const HEADS = 8;

/** Makes commands, and keeps the heads of the last ones: the arguments before the payload are mostly the same again and again. */
export class PayloadCommands {
  readonly #heads: Head[] = [];
  /** The oldest one, which the next new one replaces. */
  #oldest = 0;

  make(name: string, args: readonly (string | number)[], payload: Uint8Array): Command {
    return new Framed(name, frame(this.#headOf(name, args), payload));
  }

  #headOf(name: string, args: readonly (string | number)[]): Buffer {
    for (const head of this.#heads) if (isHeadOf(head, name, args)) return head.bytes;
    const bytes = encodeHead(name, args);
    this.#heads[this.#oldest] = { name, args, bytes };
    this.#oldest = (this.#oldest + 1) % HEADS;
    return bytes;
  }
}

/** A command that is in bytes already. */
class Framed extends Command {
  readonly #bytes: Buffer;

  constructor(name: string, bytes: Buffer) {
    super(name);
    this.#bytes = bytes;
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

function isHeadOf(head: Head, name: string, args: readonly (string | number)[]): boolean {
  if (head.name !== name || head.args.length !== args.length) return false;
  for (let i = 0; i < args.length; i++) if (head.args[i] !== args[i]) return false;
  return true;
}

/** An array of as many strings as there are arguments, with the name and the payload; the latter is not in it. */
function encodeHead(name: string, args: readonly (string | number)[]): Buffer {
  let head = `*${args.length + 2}\r\n${bulk(name)}`;
  for (const arg of args) head += bulk(String(arg));
  return Buffer.from(head);
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function frame(head: Buffer, payload: Uint8Array): Buffer {
  const length = `$${payload.length}\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + length.length + payload.length + 2);
  bytes.set(head);
  bytes.write(length, head.length, 'latin1');
  bytes.set(payload, head.length + length.length);
  bytes[bytes.length - 2] = 0x0d;
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}
