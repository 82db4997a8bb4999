/** How data becomes bytes and bytes become data. */

/** A codec. JSON is one among others; endpoints use the node's unless they are given their own. */
export interface Codec {
  /** A media type, for documentation: nothing on commlib's wire says it. */
  readonly contentType: string;
  /** Throws {@link EncodeError} for what cannot be written. */
  encode(value: unknown): Uint8Array;
  /** Throws {@link DecodeError}. */
  decode(payload: Uint8Array): unknown;
  /**
   * JSON codecs write a value as text, so that the RPC envelope is put around it without building an object first.
   * Codecs without it encode `{ header, data }` as one value.
   */
  stringify?(value: unknown): string;
}
