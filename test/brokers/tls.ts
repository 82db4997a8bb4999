import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key, as PEM texts. */
export interface KeyPair {
  cert: string;
  key: string;
}

/** Everything that a TLS test needs, as PEM texts; also written to files, for programs that want paths. */
export interface Certificates extends AsyncDisposable {
  /** The private authority that signed `server` and `client`. */
  ca: string;
  /** For `localhost`, `127.0.0.1` and `::1`. */
  server: KeyPair;
  /** Common name `controller`. */
  client: KeyPair;
  /** Signed by {@link wrongCa}: a stranger's client certificate. */
  strangeClient: KeyPair;
  /** An authority that signed nothing the broker shows. */
  wrongCa: string;
  /** Paths of the same: `ca.crt`, `server.crt`, `server.key`, `client.crt`, `client.key`, `wrong-ca.crt`. */
  files: {
    ca: string;
    wrongCa: string;
    serverCert: string;
    serverKey: string;
    clientCert: string;
    clientKey: string;
  };
  /** Removes the files. */
  dispose(): Promise<void>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const day = 86_400_000;

/** Makes a private CA, a second wrong one, and certificates for a server and clients, all valid for a week. */
export async function makeCertificates(): Promise<Certificates> {
  const ca = await makeAuthority('commlib test CA');
  const wrong = await makeAuthority('another CA');
  const names = new SubjectAlternativeNameExtension([
    { type: 'dns', value: 'localhost' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '::1' },
  ]);
  const server = await issue(ca, 'localhost', ExtendedKeyUsage.serverAuth, [names]);
  const client = await issue(ca, 'controller', ExtendedKeyUsage.clientAuth);
  const strangeClient = await issue(wrong, 'stranger', ExtendedKeyUsage.clientAuth);

  const directory = await mkdtemp(join(tmpdir(), 'commlib-tls-'));
  const write = async (name: string, content: string) => {
    const path = join(directory, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const files = {
    ca: await write('ca.crt', ca.pair.cert),
    wrongCa: await write('wrong-ca.crt', wrong.pair.cert),
    serverCert: await write('server.crt', server.cert),
    serverKey: await write('server.key', server.key),
    clientCert: await write('client.crt', client.cert),
    clientKey: await write('client.key', client.key),
  };
  const dispose = () => rm(directory, { recursive: true, force: true });
  return {
    ca: ca.pair.cert,
    server,
    client,
    strangeClient,
    wrongCa: wrong.pair.cert,
    files,
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

interface Authority {
  certificate: X509Certificate;
  keys: CryptoKeyPair;
  pair: KeyPair;
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validity() {
  // Begins in the past: containers and virtual machines may be a little behind.
  return { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 7 * day) };
}

async function makeAuthority(name: string): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys, pair: await toPem(certificate, keys) };
}

async function issue(
  by: Authority,
  name: string,
  usage: string,
  extensions: Extension[] = [],
): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: by.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: by.keys.privateKey,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [
      new BasicConstraintsExtension(false),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      ...extensions,
    ],
  });
  return toPem(certificate, keys);
}

async function toPem(certificate: X509Certificate, keys: CryptoKeyPair): Promise<KeyPair> {
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
}
