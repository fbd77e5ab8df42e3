import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberOf } from '../../../src/catalog/sql.ts';
import { startMetadataServer, type MetadataServer } from '../../support/metadata-server.ts';

let server: MetadataServer;
beforeAll(async () => {
  server = await startMetadataServer();
});
afterAll(() => server.stop());

describe('x', () => {
  it('y', async () => {
    const t0 = Date.now();
    const database = await server.database();
    console.log('migrated', Date.now() - t0);
    const t1 = Date.now();
    await database.define(async (s) => {
      await s.query('CREATE TABLE a LIKE commit_log_template_table');
      console.log('like', Date.now() - t1);
      await s.query('ALTER TABLE a ADD PARTITION (PARTITION p1 VALUES IN (1))');
    });
    console.log('plain', Date.now() - t1);
    const t2 = Date.now();
    await database.define(async (s) => {
      await s.query(`CREATE TABLE b (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  comp_node_id int unsigned NOT NULL,
  txn_id bigint unsigned NOT NULL,
  next_txn_cmd enum('commit', 'abort') NOT NULL,
  PRIMARY KEY (id, comp_node_id, txn_id)
)
PARTITION BY LIST (comp_node_id) SUBPARTITION BY HASH (txn_id DIV 371085174374400) SUBPARTITIONS 32 (
  PARTITION p0 VALUES IN (NULL)
)`);
      console.log('like', Date.now() - t2);
      await s.query('ALTER TABLE b ADD PARTITION (PARTITION p1 VALUES IN (1))');
      console.log('sub', Date.now() - t2);
      await s.query('DROP TABLE b');
      console.log('drop', Date.now() - t2);
    });
    const t3 = Date.now();
    for (let i = 0; i < 200; i += 1)
      await database.read((sql) => sql.rows('SELECT 1 AS a', [], (r) => numberOf(r, 'a')));
    console.log('read', (Date.now() - t3) / 200);
    expect(database.epoch).toBe(1);
  });
});
