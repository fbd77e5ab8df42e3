import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomInt } from 'node:crypto';

/**
 * Secrets of one installation. `seal` is authenticated encryption (AES-256-GCM) with a key derived from a secret
 * for one purpose: text sealed for one purpose cannot be opened for another.
 */
export type SealPurpose = 'agent-accounts' | 'catalog-credentials' | 'job-parameters';

const ivBytes = 12;
const tagBytes = 16;
const keyBytes = 32;

function derivedKey(
  secret: string,
  purpose: SealPurpose | 'request-signature' | 'derived-password' | 'local-account',
): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'kluster', purpose, keyBytes));
}

export function seal(secret: string, purpose: SealPurpose, plaintext: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', derivedKey(secret, purpose), iv);
  const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
}

/** Throws when the text was sealed with another secret, for another purpose, or was altered. */
export function unseal(secret: string, purpose: SealPurpose, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const iv = bytes.subarray(0, ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', derivedKey(secret, purpose), iv);
  decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
}

/** HMAC of a request between manager and agent, base64url. */
export function requestSignature(secret: string, message: string): string {
  return createHmac('sha256', derivedKey(secret, 'request-signature')).update(message).digest('base64url');
}

/**
 * Password of the agent's own account in every storage node of the installation. It is derived, not drawn: cloning a
 * node replaces its accounts with those of the donor, and the recipient's agent must still be able to log in. The
 * account exists for local sockets only.
 */
export function localAccountPassword(secret: string): string {
  return derivedKey(secret, 'local-account').toString('base64url');
}

const passwordAlphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789';

/** A random password of letters and digits without look-alikes; 16 characters carry 92 bits. */
export function generatePassword(length = 16): string {
  return Array.from({ length }, () => passwordAlphabet.charAt(randomInt(passwordAlphabet.length))).join('');
}

const derivedPasswordLength = 24;

/** The password of an account that nobody needs to store: always the same for one secret and one name. */
export function derivedPassword(secret: string, name: string): string {
  const digest = createHmac('sha256', derivedKey(secret, 'derived-password'))
    .update(name)
    .digest('base64url');
  return digest.replaceAll(/[-_]/g, 'x').slice(0, derivedPasswordLength);
}
