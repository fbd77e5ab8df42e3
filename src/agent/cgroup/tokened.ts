import type { CgroupDriver } from './driver.ts';

/**
 * The driver, with the token of an instance in the names of groups. Ids are unique within an installation only, and
 * several installations of one host share the parent group; the token tells their instances apart.
 */
export function tokened(driver: CgroupDriver, token: string): CgroupDriver {
  const group = (id: string): string => `${id}.${token}`;
  return {
    version: driver.version,
    join: (id, pid) => driver.join(group(id), pid),
    setLimit: (id, limit) => driver.setLimit(group(id), limit),
    remove: (id) => driver.remove(group(id)),
  };
}
