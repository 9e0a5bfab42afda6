/** The compiled form of a task's expressions: one flat array of numbers that native/expr and its TypeScript twin
 * (#expr/evaluate) decode, validate and run, and the description of what comes out.
 *
 * Layout of `code`: HEADER_WORDS header words, the constants, INSTRUCTION_WORDS words per instruction, one register
 * index per output. Registers are float64; the constants are the first of them. An instruction is
 * [opcode, n, destination, a, strideA, b, strideB, c, strideC, d]: element i of an operand is register a + i * stride, so
 * a stride of 0 repeats a scalar. Model reads keep ids and addresses in a, b, c, d. */

export const MAGIC = 0x5645524e;
export const CODE_VERSION = 1;
export const HEADER_WORDS = 16;
export const INSTRUCTION_WORDS = 10;

/** Positions of the header words. The model's sizes bind a program to the model it was compiled for. */
export const header = {
  magic: 0,
  version: 1,
  nq: 2,
  nv: 3,
  nu: 4,
  nbody: 5,
  nsite: 6,
  ngeom: 7,
  nsensordata: 8,
  actionLength: 9,
  commandLength: 10,
  constants: 11,
  registers: 12,
  instructions: 13,
  outputs: 14,
  needs: 15,
} as const;

/** What a program reads, so that a backend computes no more than that before evaluating. */
export const needs = {
  position: 1, // frames of bodies, sites, geoms
  velocity: 2, // body velocities (mj_fwdVelocity)
  contact: 4, // the contact list
  contactForce: 8, // constraint forces
  actuator: 16, // actuator forces
  sensor: 32, // sensor data
} as const;

/** Frame kinds as operands of the reads. */
export const frameKind = { body: 0, site: 1, geom: 2 } as const;

/** Opcodes; native/expr/program.h has the same list. */
export const opcode = {
  move: 1,
  negate: 2,
  abs: 3,
  sqrt: 4,
  sin: 5,
  cos: 6,
  exp: 7,
  log: 8,
  tanh: 9,
  not: 10,
  add: 16,
  subtract: 17,
  multiply: 18,
  divide: 19,
  min: 20,
  max: 21,
  atan2: 22,
  power: 23,
  less: 24,
  lessEqual: 25,
  equal: 26,
  notEqual: 27,
  and: 28,
  or: 29,
  clamp: 32, // a limited to [b, c]
  select: 33, // a ? b : c
  dot: 40, // n-vectors -> 1
  norm: 41, // n-vector -> 1
  cross: 42,
  rotate: 43, // quaternion a, 3-vector b
  quaternionMultiply: 44,
  quaternionConjugate: 45,
  quaternionYaw: 46,
  quaternionAngle: 47, // angle of the rotation from a to b
  vectorAngle: 48, // angle between 3-vectors
  framePosition: 64, // a = frame kind, b = id
  frameQuaternion: 65,
  frameVelocity: 66, // linear, world axes, at the frame's origin
  frameAngularVelocity: 67,
  qpos: 68, // a = address, n values
  qvel: 69,
  actuatorForce: 70, // a = actuator
  control: 71, // a = actuator
  sensor: 72, // a = address, n values
  command: 73, // a = index, n values
  action: 74,
  time: 75,
  step: 76,
  contact: 77, // kind a id b against kind c id d; c = -1: against anything
  contactForce: 78,
} as const;

export type GroupName = 'signals' | 'observation' | 'reward' | 'success' | 'failure' | 'expert' | 'monitor';

export interface Slot {
  readonly offset: number;
  readonly length: number;
}

export interface NamedSlot extends Slot {
  readonly name: string;
  /** Unit as a text (`m`, `rad/s`, `1`); `?` where it is not known. */
  readonly unit: string;
}

export interface Program {
  /** Self-contained: decoded and fully validated wherever it runs. */
  readonly code: Float64Array;
  /** Length of the output vector, float64 per environment. */
  readonly outputs: number;
  /** Where each group lies in the output vector. `success` has length 1 (0 or 1), or 0 where a
   * formula tells success; `failure` 0 or 1. `reward` has one
   * entry per term, weight included: the step's reward is their sum; length 0 means sparse (1 on success). `monitor` has
   * the robustness of every predicate of the task's formulas. */
  readonly groups: Readonly<Record<GroupName, Slot>>;
  /** Offsets are relative to the start of the group. */
  readonly signalNames: readonly NamedSlot[];
  readonly observationNames: readonly NamedSlot[];
  readonly rewardNames: readonly NamedSlot[];
}

/** Sizes that bind the code to its model. */
export interface ModelSizes {
  readonly nq: number;
  readonly nv: number;
  readonly nu: number;
  readonly nbody: number;
  readonly nsite: number;
  readonly ngeom: number;
  readonly nsensordata: number;
}
