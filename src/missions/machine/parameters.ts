import type Type from 'typebox';
import { hostAddress, text, type FieldCodes } from '../../core/parameters/fields.ts';

/** Parameters that several machine jobs share; the wire codes differ per job type. */

export function hostaddr(codes: FieldCodes): Type.TString {
  return hostAddress({
    description: 'Address of the machine, as other machines reach it.',
    codes,
    example: '192.168.0.135',
  });
}

export const machineTypeDescription =
  'storage: takes storage nodes; computer: takes compute nodes. A host may be registered as both, with port ranges that do not overlap.';

/** `server_nodes.rack_id` is varchar(256). */
export function rackId(): Type.TString {
  return text({
    description: 'Rack of the machine, any word; machines of one rack are taken to fail together.',
    maxLength: 256,
    codes: { invalid: 70_053 },
    example: '1',
  });
}

export function portRange(): Type.TString {
  return text({
    description:
      'First and last port for nodes on the machine. Default: 57000-58000 for storage, 47000-48000 for computer.',
    maxLength: 20,
    pattern: '^\\s*\\d{1,5}\\s*-\\s*\\d{1,5}\\s*$',
    patternRule: 'must be two port numbers joined by "-", such as 57000-58000',
    codes: { invalid: 70_005 },
    example: '57000-58000',
  });
}

/** `server_nodes` keeps lists of paths in varchar(8192). */
export function paths(what: string, code: number): Type.TString {
  return text({
    description: `${what}: absolute paths separated by commas. They are made when missing.`,
    maxLength: 8192,
    pattern: '^(?!.*(?:^|[/,])\\s*\\.\\.(?:[/,]|\\s*$))\\s*/[^,\\x00-\\x1f]*(?:,\\s*/[^,\\x00-\\x1f]*)*$',
    patternRule: 'must be absolute paths separated by commas, without ".."',
    codes: { invalid: code },
    example: '/data/kluster',
  });
}

/** Digits, or nothing: then the machine's agent is asked. */
export function measured(what: string, code: number): Type.TString {
  return text({
    description: `${what}. Empty or 0: as the machine's agent reports it.`,
    minLength: 0,
    maxLength: 9,
    pattern: '^\\d*$',
    patternRule: 'must be a whole number, or empty',
    codes: { invalid: code },
    example: '8192',
  });
}
