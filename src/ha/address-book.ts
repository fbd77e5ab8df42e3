import { colonAddress, type HostPort } from '../core/model.ts';

/** Which of the things that are watched have to do with the instance at an address. */
export class AddressBook<Key> {
  readonly #addresses = new Map<Key, readonly string[]>();
  readonly #keys = new Map<string, Set<Key>>();

  /** Replaces what was known of it. */
  put(key: Key, at: readonly HostPort[]): void {
    const addresses = at.map(colonAddress);
    const known = this.#addresses.get(key) ?? [];
    if (known.length === addresses.length && known.every((address, index) => address === addresses[index]))
      return;
    this.remove(key);
    this.#addresses.set(key, addresses);
    for (const address of addresses) {
      const keys = this.#keys.get(address) ?? new Set();
      this.#keys.set(address, keys.add(key));
    }
  }

  remove(key: Key): void {
    for (const address of this.#addresses.get(key) ?? []) {
      const keys = this.#keys.get(address);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(address);
    }
    this.#addresses.delete(key);
  }

  at(address: HostPort): readonly Key[] {
    return [...(this.#keys.get(colonAddress(address)) ?? [])];
  }
}
