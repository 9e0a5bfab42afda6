import { z } from 'zod';

/** The `mirror` sections of robot and task files: how things look in a mirror that stands in a plane of the world. */

const name = z.string().min(1);

/** Axis at right angles to each plane. */
export const mirrorPlanes = { yz: 0, xz: 1, xy: 2 } as const;

const jointsOf = {
  flip: z.record(name, z.number()).default({}).meta({
    description:
      'Hinges and slides that turn the other way in the mirror, with the position they turn about: 2 * that - position.',
  }),
  swap: z
    .array(z.tuple([name, name]))
    .default([])
    .meta({ description: 'Joints that are each other in the mirror.' }),
};

export const robotMirrorSchema = z
  .strictObject({
    plane: z.enum(['xz', 'yz', 'xy']).default('xz').meta({
      description:
        'Plane of the world, through its origin, that the robot at rest is its own mirror image in.',
    }),
    ...jointsOf,
  })
  .meta({ description: 'The robot in a mirror: what makes two episodes of one.' });

export const mirrorKinds = ['same', 'flip', 'vector', 'pseudovector', 'quaternion', 'joints'] as const;

const entryMap = z.union([
  z.enum(mirrorKinds).meta({
    description:
      'same; flip: every sign turns (angles, turns about an axis in the plane); vector: positions, velocities; pseudovector: axes of turns, angular velocities; quaternion: w first; joints: of the arm, about their `flip` positions.',
  }),
  z
    .array(z.union([z.literal(1), z.literal(-1)]))
    .min(1)
    .meta({ description: 'A sign for each number.' }),
]);

export const taskMirrorSchema = z
  .strictObject({
    observation: z.record(name, entryMap).default({}).meta({
      description: 'What becomes of each entry of the observation; those left out stay the same.',
    }),
    exchange: z
      .array(z.tuple([name, name]))
      .default([])
      .meta({ description: 'Entries of the observation that are each other in the mirror.' }),
    ...jointsOf,
    bodies: z
      .array(z.tuple([name, name]))
      .default([])
      .meta({
        description:
          'Free, mocap or randomised bodies that are each other in the mirror; others are their own.',
      }),
    tolerance: z.number().positive().max(1).default(0.1).meta({
      description:
        'Error of the mirrored step that the check on the simulator lets pass, relative to the step.',
    }),
  })
  .meta({
    description:
      "The task in the robot's mirror, for base.mirror and residual.mirror. It is checked on the simulator before learning.",
  });

export type RobotMirrorSpec = z.output<typeof robotMirrorSchema>;
export type TaskMirrorSpec = z.output<typeof taskMirrorSchema>;
export type MirrorEntry = z.output<typeof entryMap>;
