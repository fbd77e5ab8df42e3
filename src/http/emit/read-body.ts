import type { IncomingMessage } from 'node:http';
import { KlusterError } from '../../core/errors/kluster-error.ts';
import { bodyLimit } from '../json-body.ts';

/** Bytes of a body that is too large which are still received and dropped, so that its sender gets to read the reply. */
const discardLimit = 64 * bodyLimit;

/**
 * The whole body, whatever its content type says. A body over the limit is dropped as it arrives and refused when it
 * has ended; one that does not end is cut off.
 */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const tooLarge = (): KlusterError =>
      new KlusterError('body_too_large', `The request body is larger than ${String(bodyLimit)} bytes`);
    request.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received <= bodyLimit) chunks.push(chunk);
      else chunks.length = 0;
      if (received > discardLimit) {
        reject(tooLarge());
        request.destroy();
      }
    });
    request.on('end', () => {
      if (received > bodyLimit) reject(tooLarge());
      else resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    request.on('error', () => {
      reject(
        new KlusterError('bad_request', 'The connection broke before the whole request body had arrived'),
      );
    });
  });
}
