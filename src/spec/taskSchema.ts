import { z } from 'zod';
import { camerasSchema } from '#spec/camerasSchema';
import { distillSchema } from '#spec/distillSchema';
import { condition, expression } from '#spec/expressionSchema';
import { baseSchema, demosSchema, evaluationSchema, residualSchema } from '#spec/learningSchema';
import { taskMirrorSchema } from '#spec/mirrorSchema';
import { rewardSchema } from '#spec/rewardSchema';
import { controlSchema, dynamicsSchema } from '#spec/robotSchema';
import { scoresSchema } from '#spec/scores/scoreSchema';
import { tgpoSchema } from '#spec/tgpoSchema';
import { defaultSemantics } from '#stl/formula';

/** The task file. Expressions are strings (or bare numbers); #expr compiles them against the model. */

const name = z.string().min(1);
const count = z.int().positive();
const nonnegative = z.number().nonnegative();

const span = z
  .tuple([z.number(), z.number()])
  .refine(([lo, hi]) => lo <= hi, { error: 'expected the lower bound first, [lo, hi]' });
const scale = z
  .tuple([z.number().positive(), z.number().positive()])
  .refine(([lo, hi]) => lo <= hi, { error: 'expected the lower bound first, [lo, hi]' })
  .meta({ description: 'Factor drawn uniformly from [lo, hi].' });

/** One kind of randomisation each; the first key tells which. Everything is drawn uniformly at each reset. */
export const randomizeSchema = z.union([
  z.strictObject({
    body: name.meta({ description: 'Offsets to the pose this body has in the model, in its parent frame.' }),
    x: span.optional(),
    y: span.optional(),
    z: span.optional(),
    roll: span.optional(),
    pitch: span.optional(),
    yaw: span.optional(),
    apart_from: z
      .array(name)
      .optional()
      .meta({ description: 'Draw again while nearer than `distance` to these bodies (horizontally).' }),
    distance: nonnegative.optional(),
  }),
  z.strictObject({
    joints: z.union([name, z.array(name).min(1)]).meta({ description: '`arm`, `gripper`, or joint names.' }),
    noise: nonnegative.meta({ description: 'Uniform +- around home (arm) or the model (others), rad or m.' }),
  }),
  z.strictObject({ mass: name.meta({ description: 'Body; its inertia scales too.' }), scale }),
  z.strictObject({ friction: name.meta({ description: 'Body; sliding friction of all its geoms.' }), scale }),
  z.strictObject({ gain: name.meta({ description: '`arm`, `gripper`, or an actuator: kp and kv.' }), scale }),
  z.strictObject({ damping: name.meta({ description: '`arm`, `gripper`, or a joint.' }), scale }),
  z.strictObject({
    observation_noise: nonnegative.meta({ description: 'Gaussian, on every entry, every step.' }),
  }),
  z.strictObject({
    latency: z
      .tuple([z.int().nonnegative(), z.int().nonnegative()])
      .refine(([lo, hi]) => lo <= hi, { error: 'expected the lower bound first, [lo, hi]' })
      .meta({ description: 'Control steps by which actions arrive late, drawn per episode.' }),
  }),
]);

const waypointSchema = z.strictObject({
  name: name.optional(),
  position: expression
    .optional()
    .meta({ description: 'Where the end effector goes: a 3-vector, m. Default: it stays.' }),
  yaw: expression.optional().meta({ description: 'Yaw of the end effector, rad.' }),
  quaternion: expression.optional().meta({ description: 'Orientation of the end effector; instead of yaw.' }),
  joints: expression.optional().meta({ description: 'Joint modes: arm positions, one per joint.' }),
  gripper: z
    .union([z.enum(['open', 'closed']), z.number().min(-1).max(1)])
    .optional()
    .meta({
      description: 'Gripper action from here on. Default: as before, open at the start.',
    }),
  until: condition
    .optional()
    .meta({ description: 'Go on when this holds. Default: within tolerance of the target.' }),
  tolerance: z
    .number()
    .positive()
    .default(0.01)
    .meta({ description: 'Of the default `until`: m, and 10 times that in rad.' }),
  hold: z
    .int()
    .nonnegative()
    .default(0)
    .meta({ description: 'Control steps to stay before looking at `until`.' }),
  timeout: count
    .optional()
    .meta({ description: 'Control steps after which to go on anyway. Default: none.' }),
  speed: z.number().positive().max(1).default(1).meta({ description: 'Largest |action| on the way.' }),
});

export const expertSchema = z
  .strictObject({
    noise: nonnegative
      .default(0)
      .meta({ description: 'Std of the Gaussian action noise while recording, in action units.' }),
    gain: z
      .number()
      .positive()
      .default(1)
      .meta({ description: 'action = clip(gain * (target - here) / what |a| = 1 moves).' }),
    waypoints: z.array(waypointSchema).min(1),
  })
  .meta({ description: 'Way-points run in order, to record demonstrations.' });

const observationEntry = z.union([
  z.string().min(1),
  z.strictObject({
    name,
    value: expression,
    scale: z.number().optional().meta({ description: 'Factor. Default 1.' }),
  }),
]);

const formula = z
  .string()
  .min(1)
  .meta({ description: 'A formula of signal temporal logic over expressions; see docs/stl.md.' });
const formulaOrList = z
  .union([formula, z.array(formula).min(1)])
  .meta({ description: 'A formula, or several that must all hold.' });

const specificationSchema = z
  .union([
    formula,
    z.array(formula).min(1),
    z.strictObject({
      formula: formulaOrList,
      until: z
        .enum(['halfopen', 'closed'])
        .default(defaultSemantics.until)
        .meta({ description: 'closed: the left side of until must still hold where the right one does.' }),
      end: z
        .enum(['vacuous', 'pessimistic', 'undefined'])
        .default(defaultSemantics.end)
        .meta({ description: 'What windows ask of samples behind the end of the episode.' }),
      terminate: z.boolean().default(true).meta({
        description:
          'false: an early verdict does not end the episode; it is judged at its horizon, by all of it.',
      }),
      observe: z.boolean().default(false).meta({
        description: 'Puts what the monitor keeps behind the observation, so that the problem is Markov.',
      }),
      reward: z
        .strictObject({
          kind: z.enum(['final', 'potential', 'stage']).meta({
            description:
              'final: the robustness at the end of the episode. potential: shaping by what is known of it, which leaves the best policy the same. stage: an equal share for each stage of the formula when it comes to hold.',
          }),
          weight: z.number().default(1),
          clip: z
            .number()
            .positive()
            .default(1)
            .meta({ description: 'Robustness counts up to this, both ways.' }),
        })
        .optional()
        .meta({ description: 'Added to the reward of each step. Default: nothing.' }),
    }),
  ])
  .meta({
    description: 'What the episode shall do, from its first sample on: success is its exact verdict.',
  });

const guardSchema = z.strictObject({
  name: name.optional(),
  holds: formula.meta({ description: 'What must hold at every sample.' }),
  violation: z
    .enum(['terminate', 'count'])
    .default('terminate')
    .meta({ description: 'terminate: ends the episode without success. count: is only told.' }),
});

export const taskSchema = z
  .strictObject({
    name,
    description: z.string().default(''),
    robot: name.meta({ description: 'A folder of robots/, or a path to a robot.yaml or an MJCF.' }),
    scene: name.optional().meta({
      description: 'A file of sim/scenes/ without .xml, or a path to an MJCF. Default: the robot alone.',
    }),
    horizon: count.meta({ description: 'Control steps after which an episode is truncated.' }),
    control: controlSchema.prefault({}).meta({ description: "Replaces the robot's defaults key by key." }),
    dynamics: dynamicsSchema.optional().meta({ description: "Replaces the robot's." }),
    randomize: z.array(randomizeSchema).default([]),
    signals: z
      .record(name, expression)
      .default({})
      .meta({ description: 'Named expressions, usable everywhere below and in each other.' }),
    observation: z.array(observationEntry).min(1).meta({ description: 'Flattened in this order, float32.' }),
    success: condition
      .optional()
      .meta({ description: 'A condition that ends the episode with success. Either this or `spec`.' }),
    spec: specificationSchema.optional(),
    guard: z.array(guardSchema).default([]).meta({ description: 'Safety clauses, watched at every step.' }),
    success_hold: count.default(1).meta({ description: 'Control steps in a row that success must hold.' }),
    failure: condition.optional().meta({ description: 'Ends the episode without reward.' }),
    cameras: camerasSchema,
    scores: scoresSchema,
    reward: rewardSchema,
    expert: expertSchema.optional(),
    mirror: taskMirrorSchema.optional(),
    demos: demosSchema.prefault({}),
    base: baseSchema.prefault({}),
    residual: residualSchema.prefault({}),
    tgpo: tgpoSchema.optional().meta({
      description:
        'The formula under `spec` is learned from scratch, in the place of demos, base and residual.',
    }),
    distill: distillSchema.prefault({}),
    evaluation: evaluationSchema.prefault({}),
  })
  .meta({ title: 'Vernier task file' });

/** A task file as read: presets expanded, defaults filled in, keys as in the file. */
export type TaskSpec = z.output<typeof taskSchema>;
export type ExpertSpec = z.output<typeof expertSchema>;
export type RandomizeSpec = z.output<typeof randomizeSchema>;
export type SpecificationSpec = z.output<typeof specificationSchema>;
export type WaypointSpec = z.output<typeof waypointSchema>;
