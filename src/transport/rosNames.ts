import { VernierError } from '#core/errors';

/** Names and types as ROS 2 writes them, and as it writes them in DDS.
 * @source design.ros2.org, "Topic and Service name mapping to DDS"; differs: none for names in use */

const token = /^[A-Za-z_]\w*$/;
/** DDS allows 255, prefix and suffix take some. */
const longestName = 247;

/** A node's full name, taken apart. */
export interface NodeName {
  /** `/`, or `/robots/left`. */
  readonly namespace: string;
  readonly name: string;
  readonly full: string;
}

/** @param full `/vernier`; without the slash it is in the root namespace
 * @throws DATA for what is no name */
export function nodeName(full: string): NodeName {
  const absolute = full.startsWith('/') ? full : `/${full}`;
  checkName(absolute, full);
  const cut = absolute.lastIndexOf('/');
  return { namespace: absolute.slice(0, cut) || '/', name: absolute.slice(cut + 1), full: absolute };
}

/** The full name of a topic, service or action.
 * @param name absolute, relative to the node's namespace, or below the node itself behind `~`
 * @throws DATA for what is no name */
export function fullName(name: string, node: NodeName): string {
  const absolute = name.startsWith('/')
    ? name
    : /^~(\/|$)/.test(name)
      ? `${node.full}${name.slice(1)}`
      : `${node.namespace === '/' ? '' : node.namespace}/${name}`;
  checkName(absolute, name);
  return absolute;
}

function checkName(absolute: string, given: string): void {
  const parts = absolute.slice(1).split('/');
  if (absolute.length <= longestName && parts.every((part) => token.test(part))) return;
  throw new VernierError('DATA', `${JSON.stringify(given.slice(0, 300))} is no name of ROS 2`, {
    hint: `letters, digits and _ between slashes, no part begins with a digit, at most ${longestName} characters`,
    context: { name: given },
  });
}

export type InterfaceKind = 'msg' | 'srv' | 'action';

/** @param type `sensor_msgs/msg/JointState`
 * @returns `sensor_msgs::msg::dds_::JointState_`
 * @throws DATA where the type is none, or not of one of the kinds */
export function ddsType(type: string, kinds: readonly InterfaceKind[]): string {
  const [, packageName, kind, name] = /^([A-Za-z]\w*)\/(msg|srv|action)\/([A-Za-z]\w*)$/.exec(type) ?? [];
  if (!kinds.includes(kind as InterfaceKind)) {
    throw new VernierError(
      'DATA',
      `${JSON.stringify(type.slice(0, 300))} is not the type that is needed here`,
      {
        hint: `expected package/${kinds.join('|')}/Name`,
        context: { type },
      },
    );
  }
  return `${packageName}::${kind}::dds_::${name}_`;
}

/** @param topic a full name */
export function ddsTopic(topic: string): string {
  return `rt${topic}`;
}

/** @param service a full name */
export function ddsService(service: string): { readonly request: string; readonly reply: string } {
  return { request: `rq${service}Request`, reply: `rr${service}Reply` };
}
