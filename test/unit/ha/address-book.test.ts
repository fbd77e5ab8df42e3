import { expect, it } from 'vitest';
import { AddressBook } from '../../../src/ha/address-book.ts';

const at = (port: number): { readonly hostaddr: string; readonly port: number } => ({
  hostaddr: '10.0.0.1',
  port,
});

it('finds all that have to do with an instance, and forgets where something no longer is', () => {
  const book = new AddressBook<string>();
  book.put('a', [at(1), at(9)]);
  book.put('b', [at(2), at(9)]);
  expect([book.at(at(1)), book.at(at(9)), book.at(at(3))]).toEqual([['a'], ['a', 'b'], []]);
  book.put('a', [at(3), at(9)]);
  expect([book.at(at(1)), book.at(at(3)), book.at(at(9))]).toEqual([[], ['a'], ['b', 'a']]);
  book.remove('a');
  expect([book.at(at(3)), book.at(at(9))]).toEqual([[], ['b']]);
});
