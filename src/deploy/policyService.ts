import { VernierError } from '#core/errors';
import type { BasePolicy, Policy } from '#policy/policy';
import type { ServedPolicy } from '#policy/servedPolicy';

/** A policy as a server offers it. */
export interface PolicyService {
  readonly info: ServedPolicy;
  /** H actions for each of B observations.
   * @param session whose state is meant, where the policy has some
   * @shape observation [B,O]; result [B,H,A], new */
  act(session: string, observation: Float32Array): Promise<Float32Array>;
  /** A new episode begins in that session. */
  reset(session: string): void;
  close(): void;
}

/** What is known of a policy beside its shape. */
export type PolicyIdentity = Omit<ServedPolicy, 'chunk' | 'execute' | 'stateful'>;

/** Makes the policy for B rows. */
export type MakePolicy = (B: number) => Promise<Policy>;

/** Rows that are decided at once. */
const BLOCK = 64;

/** A policy that decides by the observation alone. */
type Deciding = BasePolicy & Required<Pick<BasePolicy, 'decided'>>;

function isDeciding(policy: Policy): policy is Deciding {
  return 'decided' in policy && policy.decided instanceof Float32Array;
}

/** Offers whole chunks where the policy decides by the observation alone, and one action at a time, with a state for
 * every session, where it corrects itself at every step. */
export async function policyService(identity: PolicyIdentity, make: MakePolicy): Promise<PolicyService> {
  const first = await make(1);
  return isDeciding(first)
    ? new ChunkService(identity, make, first)
    : new SessionService(identity, make, first);
}

function widths({ observation, actions }: PolicyIdentity): { readonly O: number; readonly A: number } {
  return { O: observation.reduce((sum, { length }) => sum + length, 0), A: actions.length };
}

/** Stateless: every request gets new chunks. */
class ChunkService implements PolicyService {
  readonly info: ServedPolicy;
  readonly #make: MakePolicy;
  /** By number of rows, a power of 2: the bits of a row do not depend on the rows beside it. */
  readonly #policies: Map<number, Deciding>;
  readonly #O: number;
  readonly #A: number;

  constructor(identity: PolicyIdentity, make: MakePolicy, first: Deciding) {
    const { O, A } = widths(identity);
    const execute = first.execute ?? first.chunk;
    this.info = { ...identity, chunk: first.chunk, execute, stateful: false };
    this.#make = make;
    this.#policies = new Map([[1, first]]);
    this.#O = O;
    this.#A = A;
  }

  async act(_session: string, observation: Float32Array): Promise<Float32Array> {
    const [rows, O, width] = [observation.length / this.#O, this.#O, this.info.chunk * this.#A];
    const out = new Float32Array(rows * width);
    for (let from = 0; from < rows; from += BLOCK) {
      const count = Math.min(BLOCK, rows - from);
      const policy = await this.#policyFor(count);
      const block = new Float32Array(policy.B * O);
      block.set(observation.subarray(from * O, (from + count) * O));
      policy.reset();
      await policy.act(block, new Float32Array(policy.B * this.#A));
      out.set(policy.decided.subarray(0, count * width), from * width);
    }
    return out;
  }

  async #policyFor(rows: number): Promise<Deciding> {
    let B = 1;
    while (B < rows) B *= 2;
    const known = this.#policies.get(B);
    if (known) return known;
    const made = (await this.#make(B)) as Deciding;
    this.#policies.set(B, made);
    return made;
  }

  reset(): void {}

  close(): void {
    for (const policy of this.#policies.values()) policy.close();
  }
}

const MAX_SESSIONS = 64;
/** A session that was silent for so long gives way to a new one. */
const IDLE_MS = 60_000;

interface Session {
  readonly policy: Policy;
  usedAt: number;
}

/** Stateful: one action per request, and a policy of its own for every session. */
class SessionService implements PolicyService {
  readonly info: ServedPolicy;
  readonly #make: MakePolicy;
  readonly #sessions = new Map<string, Session>();
  readonly #O: number;
  readonly #A: number;
  #spare: Policy | undefined;

  constructor(identity: PolicyIdentity, make: MakePolicy, first: Policy) {
    const { O, A } = widths(identity);
    this.info = { ...identity, chunk: 1, execute: 1, stateful: true };
    this.#make = make;
    this.#spare = first;
    this.#O = O;
    this.#A = A;
  }

  async act(session: string, observation: Float32Array): Promise<Float32Array> {
    const rows = observation.length / this.#O;
    const { policy } = await this.#sessionOf(session, rows);
    if (policy.B !== rows)
      throw new VernierError('DATA', `this session has ${policy.B} rows, received ${rows}`, {
        hint: 'name another session for another number of rows',
      });
    const action = new Float32Array(rows * this.#A);
    await policy.act(observation, action);
    return action;
  }

  async #sessionOf(name: string, rows: number): Promise<Session> {
    const now = performance.now();
    let session = this.#sessions.get(name);
    if (!session) {
      this.#makeRoom(now);
      session = { policy: await this.#policyFor(rows), usedAt: now };
      session.policy.reset();
    }
    // The map keeps the order of use.
    this.#sessions.delete(name);
    this.#sessions.set(name, session);
    session.usedAt = now;
    return session;
  }

  async #policyFor(rows: number): Promise<Policy> {
    const spare = this.#spare;
    if (spare?.B !== rows) return this.#make(rows);
    this.#spare = undefined;
    return spare;
  }

  #makeRoom(now: number): void {
    if (this.#sessions.size < MAX_SESSIONS) return;
    const [name, oldest] = this.#sessions.entries().next().value!;
    if (now - oldest.usedAt < IDLE_MS)
      throw new VernierError('STATE', `${MAX_SESSIONS} sessions are in use`, { context: { busy: true } });
    oldest.policy.close();
    this.#sessions.delete(name);
  }

  reset(session: string): void {
    this.#sessions.get(session)?.policy.reset();
  }

  close(): void {
    this.#spare?.close();
    for (const { policy } of this.#sessions.values()) policy.close();
  }
}
