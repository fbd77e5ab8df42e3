import Type from 'typebox';
import { clusterScope } from '../catalog/credentials.ts';
import { errorText, KlusterError } from '../core/errors/kluster-error.ts';
import { colonAddress, type HostPort } from '../core/model.ts';
import { choice, hostAddress, port, text } from '../core/parameters/fields.ts';
import { withMysql } from '../engines/mysql/connection.ts';
import { persistVariable } from '../engines/mysql/variables.ts';
import { withPostgres } from '../engines/postgres/connection.ts';
import { alterSystem } from '../engines/postgres/settings.ts';
import type { SqlAddress } from '../engines/sql.ts';
import { defineImmediateJob } from '../jobs/immediate.ts';
import type { Services } from '../jobs/services.ts';
import { readNodeAt } from './topology/node-at.ts';
import { whyRefused } from './variables/managed-variables.ts';

const codes = { missing: 70_101, invalid: 70_102 };

const setVariableParas = Type.Object({
  hostaddr: hostAddress({ description: 'Address of the node.', codes, example: '192.168.0.2' }),
  port: port({ description: 'Port of the storage node or compute node.', codes, example: '57001' }),
  variable: text({
    description: 'Name of the system variable (storage node) or setting (compute node).',
    maxLength: 128,
    pattern: '^[A-Za-z_][A-Za-z0-9_.$]*$',
    patternRule: 'must be a name of letters, digits, _, . and $',
    codes,
    example: 'max_connections',
  }),
  value: text({
    description: 'The new value.',
    minLength: 0,
    maxLength: 65_535,
    codes,
    example: '500',
  }),
  type: Type.Optional(
    choice(['integer', 'int', 'string'], {
      description: 'Type of the value. Default: that of the variable.',
      codes,
      example: 'integer',
    }),
  ),
});

/** Sets a variable on one node, durably. */
export const setVariable = defineImmediateJob<Services>()({
  jobType: 'set_variable',
  aliases: [],
  summary: 'Set a variable of a storage node or compute node',
  paras: setVariableParas,
  example: {
    hostaddr: '192.168.0.2',
    port: '57001',
    variable: 'max_connections',
    type: 'integer',
    value: '500',
  },
  changes: true,
  async answer(services, paras, signal) {
    const node = await findNode(services, paras, signal);
    const variable = paras.variable.toLowerCase();
    const refusal = whyRefused(node.engine, variable);
    if (refusal !== undefined) {
      throw new KlusterError('variable_write', `${variable} is not set by clients: ${refusal}`);
    }
    try {
      if (node.engine === 'mysql') {
        const { type, value } = paras;
        const valueType = type === undefined ? undefined : type === 'string' ? 'text' : 'number';
        await withMysql(node.address, signal, (session) =>
          persistVariable(session, variable, { value, valueType }),
        );
      } else {
        await withPostgres(node.address, signal, (session) => alterSystem(session, variable, paras.value));
      }
    } catch (error) {
      const at = colonAddress(paras);
      throw new KlusterError('variable_write', `${variable} at ${at} cannot be set: ${errorText(error)}`, {
        cause: error instanceof Error ? error.cause : undefined,
      });
    }
    return { result: 'true' };
  },
});

interface FoundNode {
  readonly engine: 'mysql' | 'postgres';
  readonly address: SqlAddress;
}

/** @throws KlusterError instance_address_unknown */
async function findNode(services: Services, at: HostPort, signal: AbortSignal): Promise<FoundNode> {
  const { catalog } = services;
  const { hostaddr, port: number } = at;
  return catalog.database.read(async (sql) => {
    const { kind, node } = await readNodeAt(services, sql, at);
    const purpose = kind === 'storage' ? 'management' : 'compute_superuser';
    const account = await catalog.credentials.find(sql, clusterScope(node.clusterId), purpose);
    if (account === undefined) {
      throw new KlusterError(
        'metadata',
        `the catalog has no ${purpose} account of cluster ${String(node.clusterId)}`,
      );
    }
    return {
      engine: kind === 'storage' ? 'mysql' : 'postgres',
      address: { hostaddr, port: number, ...account },
    };
  }, signal);
}
