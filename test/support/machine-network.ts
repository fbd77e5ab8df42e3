import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Machines with network namespaces of their own on one bridge, so that one can be cut off as by a pulled cable: nothing
 * answers, nothing is refused. Whoever makes the network is on it too, with the addresses `.1` and `.2`. Needs root.
 */
export class MachineNetwork {
  /** E.g. `10.231.7`. */
  readonly prefix: string;
  readonly machines: readonly string[];
  readonly #name: string;

  private constructor(prefix: string, machines: readonly string[]) {
    this.prefix = prefix;
    this.machines = machines;
    // Names of interfaces have 15 characters at most.
    this.#name = `k${String(process.pid)}`;
  }

  static async make(prefix: string, machines: number): Promise<MachineNetwork> {
    const addresses = Array.from({ length: machines }, (_, index) => `${prefix}.${String(index + 11)}`);
    const network = new MachineNetwork(prefix, addresses);
    try {
      await network.#make();
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** Where processes of the machine run: `ip netns exec <namespace> …`. */
  namespaceOf(machine: string): string {
    return `${this.#name}-${String(this.#indexOf(machine))}`;
  }

  async cut(machine: string): Promise<void> {
    await this.#inSwitch('link', 'set', this.#portOf(machine), 'nomaster');
  }

  async mend(machine: string): Promise<void> {
    await this.#inSwitch('link', 'set', this.#portOf(machine), 'master', 'br0');
  }

  /** Processes in the namespaces are not ended, but they lose their network. */
  async close(): Promise<void> {
    const names = [this.#switch, ...this.machines.map((machine) => this.namespaceOf(machine))];
    for (const name of names) await run('ip', ['netns', 'delete', name]).catch(() => undefined);
  }

  async #make(): Promise<void> {
    await run('ip', ['netns', 'add', this.#switch]);
    await this.#inSwitch('link', 'add', 'br0', 'type', 'bridge');
    await this.#inSwitch('link', 'set', 'br0', 'up');
    const own = `${this.#name}o`;
    await run('ip', ['link', 'add', own, 'type', 'veth', 'peer', 'name', 'own', 'netns', this.#switch]);
    await this.#plug('own');
    for (const host of [1, 2])
      await run('ip', ['address', 'add', `${this.prefix}.${String(host)}/24`, 'dev', own]);
    await run('ip', ['link', 'set', own, 'up']);
    for (const machine of this.machines) await this.#connect(machine);
  }

  async #connect(machine: string): Promise<void> {
    const name = this.namespaceOf(machine);
    const inside = (...args: readonly string[]): Promise<unknown> => run('ip', ['-n', name, ...args]);
    await run('ip', ['netns', 'add', name]);
    const port = this.#portOf(machine);
    await this.#inSwitch('link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    await this.#plug(port);
    await inside('link', 'set', 'lo', 'up');
    await inside('address', 'add', `${machine}/24`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
  }

  async #plug(port: string): Promise<void> {
    await this.#inSwitch('link', 'set', port, 'master', 'br0');
    await this.#inSwitch('link', 'set', port, 'up');
  }

  get #switch(): string {
    return `${this.#name}-s`;
  }

  #inSwitch(...args: readonly string[]): Promise<unknown> {
    return run('ip', ['-n', this.#switch, ...args]);
  }

  #portOf(machine: string): string {
    return `m${String(this.#indexOf(machine))}`;
  }

  #indexOf(machine: string): number {
    const index = this.machines.indexOf(machine);
    if (index === -1) throw new Error(`the network has no machine ${machine}`);
    return index;
  }
}
