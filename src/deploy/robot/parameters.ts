import { nearestName } from '#core/errors';
import { timeOf } from '#deploy/robot/stamp';
import { standardCodec } from '#transport/messages';
import type { Message } from '#transport/messageValue';
import type { Endpoint, Publisher, Quality, RobotTransport } from '#transport/robotTransport';

/** Parameters of a node: numbers and texts that tools of ROS 2 list, read and set. */

export type ParameterValue = number | string | boolean;

export interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly value: () => ParameterValue;
  /** Ends of the range of a number. */
  readonly range?: readonly [number, number];
  /** Takes a new value on, or says why not; without it the parameter is read-only. The type and the range were checked. */
  readonly set?: (value: ParameterValue) => string | undefined;
}

const types = { boolean: 1, number: 3, string: 4 } as const;
const INTEGER = 2;
const eventQuality: Quality = { reliability: 'reliable', durability: 'volatile', depth: 100 };

export class ParameterServer {
  readonly #parameters: ReadonlyMap<string, Parameter>;
  readonly #endpoints: Endpoint[] = [];
  readonly #onSet: (name: string, value: ParameterValue) => void;
  #events: Publisher | undefined;
  #node = '';

  constructor(parameters: readonly Parameter[], onSet: (name: string, value: ParameterValue) => void) {
    this.#parameters = new Map(parameters.map((one) => [one.name, one]));
    this.#onSet = onSet;
  }

  /** Offers the six services under the node's name. */
  serve(transport: RobotTransport, onError: (error: unknown) => void): void {
    this.#node = transport.node;
    this.#events = transport.publisher(
      '/parameter_events',
      'rcl_interfaces/msg/ParameterEvent',
      eventQuality,
    );
    const offer = (name: string, service: string, answer: (request: Message) => Message): void => {
      const type = `rcl_interfaces/srv/${service}`;
      const read = standardCodec(`${type}_Request`);
      const write = standardCodec(`${type}_Response`);
      const respond = (bytes: Uint8Array): Uint8Array => write.encode(answer(read.decode(bytes)));
      this.#endpoints.push(transport.service(`~/${name}`, type, respond, onError));
    };
    const named = ({ names }: Message): string[] => names as string[];
    offer('get_parameters', 'GetParameters', (request) => ({
      values: named(request).map((name) => encoded(this.#parameters.get(name)?.value())),
    }));
    offer('get_parameter_types', 'GetParameterTypes', (request) => ({
      types: Uint8Array.from(named(request), (name) => typeOf(this.#parameters.get(name)?.value())),
    }));
    offer('describe_parameters', 'DescribeParameters', (request) => ({
      descriptors: named(request).map((name) => descriptor(name, this.#parameters.get(name))),
    }));
    offer('list_parameters', 'ListParameters', (request) => {
      const prefixes = request['prefixes'] as string[];
      const all = [...this.#parameters.keys()];
      const names = all.filter(
        (name) =>
          prefixes.length === 0 ||
          prefixes.some((prefix) => name === prefix || name.startsWith(`${prefix}.`)),
      );
      return { result: { names, prefixes: [] } };
    });
    offer('set_parameters', 'SetParameters', (request) => ({
      results: (request['parameters'] as Message[]).map((one) => this.#set([one])),
    }));
    offer('set_parameters_atomically', 'SetParametersAtomically', (request) => ({
      result: this.#set(request['parameters'] as Message[]),
    }));
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
    this.#events?.close();
  }

  /** All of them or none. */
  #set(requests: readonly Message[]): Message {
    const wanted = requests.map((one) => [String(one['name']), decoded(one['value'] as Message)] as const);
    const problem = wanted.map(([name, value]) => this.#problem(name, value)).find(Boolean);
    if (problem) return { successful: false, reason: problem };
    for (const [name, value] of wanted) {
      const refusal = this.#parameters.get(name)!.set!(value!);
      if (refusal) return { successful: false, reason: `${name}: ${refusal}` };
      this.#onSet(name, value!);
    }
    this.#tell(requests);
    return { successful: true, reason: '' };
  }

  #problem(name: string, value: ParameterValue | undefined): string | undefined {
    const parameter = this.#parameters.get(name);
    if (!parameter) {
      const near = nearestName(name, [...this.#parameters.keys()]);
      return `there is no parameter ${name}${near ? `; did you mean ${near}?` : ''}`;
    }
    if (!parameter.set) return `${name} is read-only`;
    const expected = typeof parameter.value();
    if (typeof value !== expected)
      return `${name}: expected a ${expected === 'number' ? 'double' : expected}`;
    const [lo, hi] = parameter.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (typeof value === 'number' && !(value >= lo && value <= hi))
      return `${name}: expected a number from ${lo} to ${hi}, received ${value}`;
    return undefined;
  }

  #tell(changed: readonly Message[]): void {
    const event = {
      stamp: timeOf(Date.now()),
      node: this.#node,
      new_parameters: [],
      changed_parameters: changed,
      deleted_parameters: [],
    };
    this.#events?.write(standardCodec('rcl_interfaces/msg/ParameterEvent').encode(event));
  }
}

function typeOf(value: ParameterValue | undefined): number {
  return value === undefined ? 0 : types[typeof value as keyof typeof types];
}

function encoded(value: ParameterValue | undefined): Message {
  return {
    ...standardCodec('rcl_interfaces/msg/ParameterValue').create(),
    type: typeOf(value),
    ...(typeof value === 'number' ? { double_value: value } : {}),
    ...(typeof value === 'string' ? { string_value: value } : {}),
    ...(typeof value === 'boolean' ? { bool_value: value } : {}),
  };
}

/** `ros2 param set` makes an integer of 1: taken for a number. */
function decoded(value: Message): ParameterValue | undefined {
  const { type, bool_value, integer_value, double_value, string_value } = value;
  if (type === types.boolean) return bool_value as boolean;
  if (type === INTEGER) return Number(integer_value);
  if (type === types.number) return double_value as number;
  return type === types.string ? (string_value as string) : undefined;
}

function descriptor(name: string, parameter: Parameter | undefined): Message {
  const { range } = parameter ?? {};
  return {
    ...standardCodec('rcl_interfaces/msg/ParameterDescriptor').create(),
    name,
    type: typeOf(parameter?.value()),
    description: parameter?.description ?? '',
    read_only: parameter !== undefined && parameter.set === undefined,
    floating_point_range: range ? [{ from_value: range[0], to_value: range[1], step: 0 }] : [],
  };
}
