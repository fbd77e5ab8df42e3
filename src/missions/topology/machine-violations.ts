import type { Violation } from '../../core/errors/kluster-error.ts';
import type { MachineType } from '../../core/model.ts';
import { shownValue } from '../../core/parameters/parse.ts';
import type { Services } from '../../jobs/services.ts';

/** Addresses that a client gave for nodes of one kind. */
export interface AddressList {
  readonly machineType: MachineType;
  /** Name of the parameter, without `paras.`. */
  readonly field: string;
  readonly addresses: readonly string[] | undefined;
  readonly code: number;
}

/** Every address given must be a running machine of the right type. */
export async function machineViolations(
  { catalog }: Services,
  lists: readonly AddressList[],
): Promise<readonly Violation[]> {
  const machines = await catalog.database.read((sql) => catalog.machines.list(sql));
  return lists.flatMap(({ machineType, field, addresses = [], code }) =>
    addresses.flatMap((address, index): readonly Violation[] => {
      const machine = machines.find(
        (known) => known.hostaddr === address && known.machineType === machineType,
      );
      if (machine?.state === 'running') return [];
      const rule =
        machine === undefined
          ? `must be a registered ${machineType} machine`
          : `must be running, but set_machine made it ${machine.state}`;
      return [{ field: `paras.${field}[${String(index)}]`, value: shownValue(address), rule, code }];
    }),
  );
}
