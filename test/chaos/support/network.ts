import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Which packets of a machine are lost: those to it, those from it, or all. */
export type Direction = 'to' | 'from' | 'both';

/** A process that does nothing but hold a network namespace; the namespace goes when it ends. */
class Namespace {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async make(): Promise<Namespace> {
    // It answers once it is inside, and ends with the process that holds its standard input.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    holder.stdin.write('ready');
    const failed = once(holder, 'exit').then(() => {
      throw new Error('unshare --net was refused');
    });
    await Promise.race([once(holder.stdout, 'data'), failed]);
    failed.catch(() => undefined);
    return new Namespace(holder);
  }

  get pid(): string {
    return String(this.#holder.pid);
  }

  /** What a command that is to run inside begins with. */
  get enter(): readonly string[] {
    return ['nsenter', ...this.#inside];
  }

  get #inside(): readonly string[] {
    return [`--net=/proc/${this.pid}/ns/net`, '--'];
  }

  async ip(...args: readonly string[]): Promise<void> {
    await run('nsenter', [...this.#inside, 'ip', ...args]);
  }

  async set(name: string, value: string): Promise<void> {
    await run('nsenter', [...this.#inside, 'sysctl', '-qw', `${name}=${value}`]);
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await ended;
  }
}

/**
 * A network of machines, each in a namespace of its own, around a router in another one. The router can lose packets
 * silently in either direction, as a broken switch does. This process is the host `.1`. Everything of it is in the
 * namespaces but one link of this process's own namespace, which goes with them.
 */
export class ChaosNetwork {
  readonly network: string;
  readonly #router: Namespace;
  readonly #machines = new Map<string, Namespace>();
  readonly #rules: string[][] = [];

  private constructor(network: string, router: Namespace) {
    this.network = network;
    this.#router = router;
  }

  /** `network`: e.g. `10.77.0`; machines are .11, .12, … @throws Error when this user may not make namespaces */
  static async make(network: string, machines: number): Promise<ChaosNetwork> {
    const router = await Namespace.make();
    const made = new ChaosNetwork(network, router);
    try {
      await made.#uplink();
      for (let index = 0; index < machines; index += 1)
        await made.#attach(`${network}.${String(index + 11)}`);
      return made;
    } catch (error) {
      await made.close();
      throw error;
    }
  }

  enter(hostaddr: string): readonly string[] {
    const machine = this.#machines.get(hostaddr);
    if (machine === undefined) throw new Error(`the network has no machine ${hostaddr}`);
    return machine.enter;
  }

  /** From now on packets are lost; connections stay open on both sides. */
  async cut(hostaddr: string, direction: Direction): Promise<void> {
    const ways = direction === 'both' ? (['to', 'from'] as const) : [direction];
    for (const way of ways) await this.#lose(way, hostaddr);
  }

  /** These two do not reach each other any more; everybody else reaches both. */
  async separate(left: string, right: string): Promise<void> {
    await this.#lose('from', left, 'to', right);
    await this.#lose('from', right, 'to', left);
  }

  /** Packets in this direction are no longer lost. */
  async mend(hostaddr: string, direction: Exclude<Direction, 'both'>): Promise<void> {
    const index = this.#rules.findIndex(([way, host]) => way === direction && host === hostaddr);
    for (const rule of index === -1 ? [] : this.#rules.splice(index, 1))
      await this.#router.ip('rule', 'delete', ...rule);
  }

  async #lose(...selector: readonly string[]): Promise<void> {
    const rule = [...selector, 'blackhole'];
    await this.#router.ip('rule', 'add', ...rule);
    this.#rules.push(rule);
  }

  /** No packet is lost any more. */
  async heal(): Promise<void> {
    for (const rule of this.#rules.splice(0)) await this.#router.ip('rule', 'delete', ...rule);
  }

  async close(): Promise<void> {
    for (const machine of this.#machines.values()) await machine.close();
    await this.#router.close();
  }

  async #uplink(): Promise<void> {
    const name = `kc${String(process.pid)}`;
    await run('ip', [
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      'uplink',
      'netns',
      this.#router.pid,
    ]);
    await run('ip', ['address', 'add', `${this.network}.1/32`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    await run('ip', ['route', 'add', `${this.network}.0/24`, 'dev', name, 'src', `${this.network}.1`]);
    await this.#router.ip('link', 'set', 'lo', 'up');
    await this.#router.set('net.ipv4.ip_forward', '1');
    await this.#port('uplink', `${this.network}.1`);
  }

  async #attach(hostaddr: string): Promise<void> {
    const machine = await Namespace.make();
    this.#machines.set(hostaddr, machine);
    const port = `m${hostaddr.split('.').at(-1) ?? ''}`;
    const link = ['link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', machine.pid];
    await this.#router.ip(...link);
    await this.#port(port, hostaddr);
    await machine.ip('link', 'set', 'lo', 'up');
    await machine.ip('address', 'add', `${hostaddr}/32`, 'dev', 'eth0');
    await machine.ip('link', 'set', 'eth0', 'up');
    await machine.ip('route', 'add', 'default', 'dev', 'eth0', 'src', hostaddr);
  }

  /** A port of the router behind which one address is; it answers for all others there. */
  async #port(name: string, hostaddr: string): Promise<void> {
    await this.#router.ip('link', 'set', name, 'up');
    await this.#router.set(`net.ipv4.conf.${name}.proxy_arp`, '1');
    await this.#router.ip('route', 'add', `${hostaddr}/32`, 'dev', name);
  }
}
