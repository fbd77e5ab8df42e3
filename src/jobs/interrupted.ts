/**
 * Why a job stands still without having ended: the engine was stopped, or this manager is no longer the leader. The
 * job stays as it is stored, for the next one to resume.
 */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly why: 'stopped' | 'lost_office';

  constructor(why: 'stopped' | 'lost_office') {
    super(why === 'stopped' ? 'the manager is being stopped' : 'this manager is no longer the leader');
    this.why = why;
  }
}
