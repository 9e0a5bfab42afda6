import { z } from 'zod';
import { robotMirrorSchema } from '#spec/mirrorSchema';

/** robot.yaml: what a robot is, beside its MJCF: which joints form the arm, how the gripper is driven, limits,
 * control rates, ROS names. Names are those of the model. SI units and radians. */

const name = z.string().min(1);
const names = z.array(name).min(1);
const positive = z.number().positive();
const range = z
  .tuple([z.number(), z.number()])
  .refine(([lo, hi]) => lo <= hi, { error: 'expected the lower bound first, [lo, hi]' });

export const controlModes = [
  'joint_position',
  'joint_delta',
  'joint_velocity',
  'torque',
  'end_effector_delta',
] as const;
export const controlAxes = ['x', 'y', 'z', 'roll', 'pitch', 'yaw'] as const;

/** The control section of a robot or a task. A task's keys replace the robot's one by one. */
export const controlSchema = z.strictObject({
  mode: z.enum(controlModes).optional().meta({
    description:
      'What the arm part of an action means. joint_position: target = middle + a * half of the position range; joint_delta: target += a * delta; joint_velocity: a * scale * velocity limit; torque: a * scale * effort limit; end_effector_delta: target frame moves by a * translation and a * rotation along the chosen axes of the base frame.',
  }),
  goal: z.enum(['achieved', 'commanded']).optional().meta({
    description:
      'Deltas start from where the arm is (achieved) or from the previous target (commanded). Default achieved.',
  }),
  axes: z.array(z.enum(controlAxes)).min(1).optional().meta({
    description:
      'end_effector_delta: one action entry per axis, in this order. Default [x, y, z, roll, pitch, yaw].',
  }),
  translation: positive
    .optional()
    .meta({ description: 'end_effector_delta: metres per control step at |a| = 1. Default 0.05.' }),
  rotation: positive
    .optional()
    .meta({ description: 'end_effector_delta: radians per control step at |a| = 1. Default 0.5.' }),
  delta: positive.optional().meta({
    description: 'joint_delta: radians (metres for slides) per control step at |a| = 1. Default 0.05.',
  }),
  scale: z
    .number()
    .positive()
    .max(1)
    .optional()
    .meta({ description: 'joint_velocity, torque: share of the limit at |a| = 1. Default 1.' }),
  damping: positive.optional().meta({
    description: 'end_effector_delta: damping of the least-squares inverse kinematics. Default 0.05.',
  }),
  gripper: z
    .boolean()
    .optional()
    .meta({ description: 'One more action entry for the gripper: -1 closed, +1 open. Default false.' }),
  period: positive
    .optional()
    .meta({ description: 'Seconds of one control step; a whole number of time steps. Default 0.05.' }),
  timestep: positive
    .optional()
    .meta({ description: "Seconds of one physics step. Default: the model's own." }),
});

export const jointLimitsSchema = z.strictObject({
  position: range.optional().meta({ description: '[lo, hi], rad or m. Default: the range in the model.' }),
  velocity: positive.optional().meta({ description: 'rad/s or m/s.' }),
  acceleration: positive.optional(),
  jerk: positive.optional(),
  effort: positive.optional().meta({ description: 'N m or N.' }),
});

export const dynamicsSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('linear'),
      speed: positive.optional().meta({
        description: 'm/s or rad/s of every joint at |a| = 1. Default: limits.<joint>.velocity.',
      }),
    }),
    z.strictObject({
      kind: z.literal('unicycle'),
      turn_rate: positive.default(1).meta({ description: 'rad/s at |a| = 1.' }),
      acceleration: positive.default(1).meta({ description: 'm/s^2 at |a| = 1.' }),
      speed: range.default([-0.01, 2]).meta({ description: '[lo, hi], m/s, along the heading.' }),
    }),
    z.strictObject({
      kind: z.literal('quadrotor'),
      tilt: positive.max(1.5).default(0.5).meta({ description: 'Roll and pitch asked for at |a| = 1, rad.' }),
      yaw_rate: positive.default(1).meta({ description: 'rad/s at |a| = 1.' }),
      thrust: positive
        .max(1)
        .default(0.5)
        .meta({ description: 'Thrust is (1 + a * this) times the weight.' }),
      response: positive.default(0.15).meta({ description: 'Time constant of roll and pitch, s.' }),
      drag: z.number().nonnegative().default(0.5).meta({ description: 'Deceleration by speed, 1/s.' }),
    }),
  ])
  .meta({
    description:
      "An analytic model in the place of MuJoCo's step; it tells what an action is. linear: each arm joint moves at a * speed. unicycle: joints [x, y, yaw], action [turn, accelerate]. quadrotor: joints [x, y, z, yaw, pitch, roll], action [roll, pitch, yaw_rate, thrust].",
  });

export const rosSchema = z.strictObject({
  joint_names: names.optional().meta({
    description: 'ROS names of the arm joints, in the order of arm.joints. Default: the same names.',
  }),
  joint_states: name.default('/joint_states').meta({ description: 'Topic of sensor_msgs/JointState.' }),
  controller: name.optional().meta({ description: 'ros2_control controller that takes the arm commands.' }),
  command_topic: name.optional(),
  base_frame: name.optional(),
  end_effector_frame: name.optional(),
  gripper: z
    .strictObject({
      joint_names: names.optional(),
      action: name.optional().meta({ description: 'control_msgs/GripperCommand action.' }),
      topic: name.optional(),
      open: z.number().optional().meta({ description: 'Position in the unit of the driver.' }),
      closed: z.number().optional(),
      max_effort: z.number().nonnegative().optional(),
    })
    .optional(),
});

export const robotSchema = z
  .strictObject({
    name,
    description: z.string().default(''),
    model: name.meta({ description: 'MJCF of the robot, relative to this file.' }),
    base: name
      .optional()
      .meta({ description: 'Body that is the base frame. Default: the body the arm starts at.' }),
    arm: z.strictObject({
      joints: names.meta({ description: 'Hinge and slide joints of the arm, from the base outwards.' }),
      actuators: names.meta({ description: 'One actuator per joint, same order.' }),
      home: z.array(z.number()).min(1).meta({ description: 'Joint positions at rest, same order.' }),
    }),
    gripper: z
      .strictObject({
        actuators: names,
        joints: names.meta({ description: 'Finger joints; their speeds add up to gripper.velocity.' }),
        open: z.number().meta({ description: 'Control value of the open gripper.' }),
        closed: z.number(),
        width: names
          .optional()
          .meta({ description: 'Joints whose positions add up to gripper.width. Default: joints.' }),
        home: z
          .array(z.number())
          .min(1)
          .optional()
          .meta({ description: 'Positions of joints at rest. Default: the model.' }),
      })
      .optional(),
    end_effector: name
      .optional()
      .meta({ description: 'Site of the tool centre point: `ee` in expressions.' }),
    limits: z.record(name, jointLimitsSchema).default({}).meta({ description: 'Per joint of the arm.' }),
    control: controlSchema.prefault({}),
    dynamics: dynamicsSchema.optional(),
    mirror: robotMirrorSchema.optional(),
    ros: rosSchema.prefault({}),
  })
  .meta({ title: 'Vernier robot file' });

/** A robot file as read, defaults filled in. */
export type RobotSpec = z.output<typeof robotSchema>;
export type DynamicsFileSpec = z.output<typeof dynamicsSchema>;
export type ControlSpec = z.output<typeof controlSchema>;
export type ControlMode = (typeof controlModes)[number];
export type ControlAxis = (typeof controlAxes)[number];
