import { VernierError } from '#core/errors';
import { CycloneTransport } from '#transport/cycloneTransport';
import { loadRclnodejs, rosMissing } from '#transport/rclnodejsModule';
import { RclnodejsTransport } from '#transport/rclnodejsTransport';
import type { RobotTransport } from '#transport/robotTransport';

export interface OpenOptions {
  /** The node's full name, `/vernier`. */
  readonly node: string;
  /** Left out: rclnodejs where a ROS 2 environment is sourced, else Cyclone DDS. */
  readonly kind?: RobotTransport['kind'];
  /** 0 to 232; left out: ROS_DOMAIN_ID, or 0. */
  readonly domain?: number;
}

/** @throws BACKEND where the middleware is missing or refuses, with the line that brings it; DATA for a name that is
 * none; USAGE for a wrong domain */
export async function openTransport({
  node,
  kind = transportKind(process.env),
  domain = environmentDomain(),
}: OpenOptions): Promise<RobotTransport> {
  checkDomain(domain, 'domain');
  if (kind === 'cyclone') return new CycloneTransport(node, domain);
  return RclnodejsTransport.open(await loadRclnodejs(process.env), node, domain);
}

/** What an environment calls for. */
export function transportKind(env: Readonly<Record<string, string | undefined>>): RobotTransport['kind'] {
  return rosMissing(env) === undefined ? 'rclnodejs' : 'cyclone';
}

function environmentDomain(): number {
  const text = process.env['ROS_DOMAIN_ID'] ?? '';
  if (text.trim() === '') return 0;
  const domain = Number(text);
  checkDomain(domain, 'ROS_DOMAIN_ID');
  return domain;
}

function checkDomain(domain: number, what: string): void {
  if (Number.isInteger(domain) && domain >= 0 && domain <= 232) return;
  throw new VernierError('USAGE', `${what}: expected a whole number from 0 to 232, received ${domain}`);
}
