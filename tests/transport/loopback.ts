import { randomBytes } from 'node:crypto';
import { cycloneFix, cycloneStatus } from '#transport/cycloneAddon';

/** DDS that nobody else hears: this machine only, no multicast, and a tag that others do not have.
 * Cyclone reads the environment when a process opens its first participant, so a test file calls `isolate()` at its
 * top; children get it by `env`. */
export interface Isolation {
  readonly domain: number;
  /** CYCLONEDDS_URI and ROS_DOMAIN_ID. */
  readonly env: Readonly<Record<'CYCLONEDDS_URI' | 'ROS_DOMAIN_ID', string>>;
}

export function isolate(): Isolation {
  const domain = 1 + (process.pid % 200);
  const tag = `vernier-${process.pid}-${randomBytes(6).toString('hex')}`;
  const uri = `<CycloneDDS><Domain Id="any"><General><Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces>\
<AllowMulticast>false</AllowMulticast></General><Discovery><Tag>${tag}</Tag><ParticipantIndex>auto</ParticipantIndex>\
<MaxAutoParticipantIndex>60</MaxAutoParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain>\
</CycloneDDS>`;
  const env = { CYCLONEDDS_URI: uri, ROS_DOMAIN_ID: String(domain) };
  Object.assign(process.env, env);
  return { domain, env };
}

const status = cycloneStatus();

/** Why tests over Cyclone DDS are skipped here; undefined where they run. */
export const cycloneMissing: string | undefined =
  status.kind === 'missing' ? `${status.reason}: ${cycloneFix}` : undefined;

/** Milliseconds that a busy machine is given for anything: only what hangs takes longer. */
export const patience = 60_000;

/** Resolves when `condition` holds; rejects after `timeoutMs` with what was waited for. */
export async function until(what: string, condition: () => boolean, timeoutMs = patience): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Keeps this thread from doing anything else. */
export function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
