/** TLS of a connection, the same on all transports. Certificates and keys as PEM text or bytes; reading files is the caller's job. */
export interface TlsOptions {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** Client certificate, with `key`. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** Of the key. */
  readonly passphrase?: string | undefined;
  /** Name to ask for (SNI) and to check the certificate against. Default: the host that is connected to. */
  readonly servername?: string | undefined;
  /** `false` accepts any certificate: for experiments only. Default `true`. */
  readonly rejectUnauthorized?: boolean | undefined;
}
