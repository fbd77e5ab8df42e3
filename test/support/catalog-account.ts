import { Catalog } from '../../src/catalog/catalog.ts';
import type { Credential } from '../../src/catalog/credentials.ts';
import { MetadataDatabase } from '../../src/catalog/database.ts';
import type { Home } from '../../src/manager/home.ts';
import { catalogKey, readMetadataCredentials } from '../../src/manager/secrets.ts';

/** An account that the manager made; read from the catalog with the keys of the home. */
export async function catalogAccount(home: Home, scope: string, purpose: string): Promise<Credential> {
  const metadata = await readMetadataCredentials(home);
  const [at] = metadata?.nodes ?? [];
  if (metadata === undefined || at === undefined) throw new Error('the home names no metadata server');
  const database = MetadataDatabase.open({ ...at, user: metadata.user, password: metadata.password });
  try {
    const catalog = new Catalog(database, await catalogKey(home));
    const found = (await catalog.credentials.read(scope)).get(purpose);
    if (found === undefined) throw new Error(`${scope} has no ${purpose} account`);
    return found;
  } finally {
    await database.close();
  }
}
