import type { ConnectionErrorCode } from '../errors.js';

/** What an error of a connection means: for a {@link ConnectionError}. */
export interface ConnectionMeaning {
  readonly code: ConnectionErrorCode;
  /** In the words of a user; the broker's address goes before it. */
  readonly text: string;
  /** Trying again would not mend it. */
  readonly permanent?: boolean;
}

/** Codes of Node's TLS for a certificate that no trusted authority vouches for. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'INVALID_CA',
]);

/** The codes of Node's sockets before a connection is there. */
const CONNECTING: Readonly<Record<string, ConnectionMeaning>> = {
  ECONNREFUSED: { code: 'CONNECTION_REFUSED', text: 'nobody listens there' },
  ENOTFOUND: { code: 'HOST_NOT_FOUND', text: 'host not found' },
  EAI_AGAIN: { code: 'HOST_NOT_FOUND', text: 'host not found' },
  ETIMEDOUT: { code: 'CONNECTION_TIMEOUT', text: 'the host does not answer' },
  EHOSTUNREACH: { code: 'CONNECTION_TIMEOUT', text: 'the host does not answer' },
  ENETUNREACH: { code: 'CONNECTION_TIMEOUT', text: 'the host does not answer' },
};

/**
 * Reads the `code` of an error of Node's sockets or TLS. A wrong host name, an untrusted authority and a refused client
 * certificate are told apart, and are permanent. `connected`: the connection was there before.
 */
export function networkMeaning(code: string, connected: boolean): ConnectionMeaning {
  const meaning = (): ConnectionMeaning => {
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
      return {
        code: 'TLS_HOSTNAME',
        text: "the broker's certificate is for another host name",
        permanent: true,
      };
    if (UNTRUSTED.has(code))
      return { code: 'TLS_UNTRUSTED', text: "the broker's certificate is not trusted", permanent: true };
    if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code) && code.includes('ALERT'))
      return { code: 'TLS_FAILED', text: 'the broker refuses the client certificate', permanent: true };
    if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
      return { code: 'TLS_FAILED', text: 'no TLS at this port', permanent: true };
    if (/^ERR_(SSL|TLS|OSSL)_|^EPROTO$/.test(code)) return { code: 'TLS_FAILED', text: 'TLS failed' };
    if (connected) return { code: 'CONNECTION_LOST', text: 'the connection was lost' };
    return CONNECTING[code] ?? { code: 'CONNECTION_FAILED', text: 'the connection failed' };
  };
  const known = meaning();
  return { ...known, text: `${known.text} (${code})` };
}
