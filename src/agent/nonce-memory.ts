/** Nonces of accepted requests, each kept until the request's signature has expired anyway. */
export class NonceMemory {
  readonly #expiries = new Map<string, number>();

  /** False when the nonce was used before. */
  use(nonce: string, expiresAt: number, now: number): boolean {
    this.#forgetExpired(now);
    if (this.#expiries.has(nonce)) return false;
    this.#expiries.set(nonce, expiresAt);
    return true;
  }

  get size(): number {
    return this.#expiries.size;
  }

  /** A map iterates in the order of insertion: the oldest come first, and clocks differ by little. */
  #forgetExpired(now: number): void {
    for (const [nonce, expiresAt] of this.#expiries) {
      if (expiresAt >= now) return;
      this.#expiries.delete(nonce);
    }
  }
}
