/** 32 random lower-case hex digits, as commlib-py's ids (a uuid4 without dashes). */
export function randomHex(): string {
  return crypto.randomUUID().replaceAll('-', '');
}
