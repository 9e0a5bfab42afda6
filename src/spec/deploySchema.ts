import { z } from 'zod';

/** deploy.yaml: how the contract of a bundle meets the topics of a robot. All of it may be left out: the defaults are those
 * of the robot file's `ros` section, and fit `vernier sim-robot`. SI units, radians, seconds. */

const name = z.string().min(1);
const names = z.array(name).min(1);
const topic = name.regex(/^[/~]?[A-Za-z_][\w/]*$|^~\/[\w/]+$/, {
  error: 'expected a topic such as /joint_states, ~/emergency_stop',
});
const seconds = z.number().positive();
const share = z.number().positive().max(1);
const vector = z.tuple([z.number(), z.number(), z.number()]);
const quaternion = z
  .tuple([z.number(), z.number(), z.number(), z.number()])
  .refine((q) => Math.abs(Math.hypot(...q) - 1) < 1e-3, { error: 'expected a unit quaternion [w, x, y, z]' });

const bodySchema = z
  .union([
    z.strictObject({ topic }).meta({ description: 'A geometry_msgs/PoseStamped topic.' }),
    z.strictObject({ frame: name }).meta({ description: 'A frame of TF.' }),
    z
      .strictObject({ position: vector, rotation: quaternion.default([1, 0, 0, 0]) })
      .meta({ description: 'Measured once: where it stands in the base frame, [w, x, y, z].' }),
    z.strictObject({ attached_to: name }).meta({
      description: 'Held by a site or body of the robot, as the model has it at rest.',
    }),
  ])
  .meta({ description: 'Where the pose of a body comes from. Default: the frame of TF of its name.' });

const imageSchema = z.strictObject({
  topic,
  kind: z.enum(['image', 'compressed']).default('image').meta({
    description: 'sensor_msgs/Image or sensor_msgs/CompressedImage.',
  }),
});

export const outputKinds = ['joint_trajectory', 'follow_joint_trajectory', 'forward_position'] as const;

export const deploySchema = z
  .strictObject({
    node: name
      .regex(/^[A-Za-z_]\w*$/, { error: 'expected a name of letters, digits and _' })
      .default('vernier')
      .meta({ description: 'Name of the node.' }),
    joint_states: z
      .strictObject({
        topic: topic
          .optional()
          .meta({ description: 'sensor_msgs/JointState. Default: ros.joint_states of the robot file.' }),
        joint_names: names.optional().meta({
          description: 'ROS names in the order of arm.joints. Default: ros.joint_names, or the same.',
        }),
        others: z
          .record(name, name)
          .default({})
          .meta({ description: "Joints beside arm and gripper: the model's name to the ROS name." }),
      })
      .prefault({}),
    gripper: z
      .strictObject({
        joint_names: names
          .optional()
          .meta({ description: 'ROS names of gripper.joints. Default: ros.gripper.joint_names.' }),
        action: name.optional().meta({ description: 'control_msgs/GripperCommand action.' }),
        topic: topic
          .optional()
          .meta({ description: 'std_msgs/Float64MultiArray topic of a position controller.' }),
        open: z.number().optional().meta({ description: 'Position in the unit of the driver.' }),
        closed: z.number().optional(),
        max_effort: z.number().nonnegative().optional(),
        deadband: share
          .default(0.02)
          .meta({ description: 'Share of the way from closed to open below which no new command is sent.' }),
      })
      .prefault({}),
    bodies: z.record(name, bodySchema).default({}),
    tf: z
      .strictObject({
        topic: topic.default('/tf'),
        static_topic: topic.default('/tf_static'),
        base_frame: name
          .optional()
          .meta({ description: "The robot's base in TF. Default: ros.base_frame of the robot file." }),
      })
      .prefault({}),
    images: z
      .record(name, imageSchema)
      .default({})
      .meta({ description: 'Cameras: recorded; no expression of a task reads them.' }),
    wrench: z
      .strictObject({ topic })
      .optional()
      .meta({ description: 'geometry_msgs/WrenchStamped: recorded.' }),
    output: z
      .strictObject({
        kind: z.enum(outputKinds).default('joint_trajectory').meta({
          description:
            'joint_trajectory: a topic of the joint trajectory controller; follow_joint_trajectory: its action; forward_position: std_msgs/Float64MultiArray, which nothing stops when this process dies.',
        }),
        topic: topic.optional().meta({
          description:
            'Default: ros.command_topic, else /<ros.controller>/joint_trajectory or /<ros.controller>/commands.',
        }),
        action: name.optional().meta({ description: 'Default: /<ros.controller>/follow_joint_trajectory.' }),
        steps: z.number().int().min(1).max(4).default(2).meta({
          description:
            'Policy steps that a trajectory reaches ahead before it comes to rest: what the arm still moves when the next one is late.',
        }),
        stamp: z.enum(['absolute', 'zero']).default('absolute').meta({
          description:
            'absolute: trajectories begin at a time of the clock that both sides share; zero: when they arrive, for controllers on a machine whose clock is another.',
        }),
        latency: z
          .number()
          .nonnegative()
          .max(0.2)
          .default(0.01)
          .meta({ description: 'Seconds from a tick to when the controller follows what it says.' }),
      })
      .prefault({}),
    limits: z
      .strictObject({
        margin: z
          .number()
          .nonnegative()
          .default(0.02)
          .meta({ description: 'By which commands stay inside the range of a joint, rad or m.' }),
        scale: share
          .default(1)
          .meta({ description: "Share of the robot file's velocity, acceleration and jerk." }),
        tick: z
          .number()
          .min(0.001)
          .max(0.02)
          .default(0.005)
          .meta({ description: 'Longest tick of the safety filter, s.' }),
        following: z
          .number()
          .positive()
          .default(0.25)
          .meta({ description: 'How far an arm may be from its command, rad or m, before it is stopped.' }),
        workspace: z
          .strictObject({ lower: vector, upper: vector })
          .refine(({ lower, upper }) => lower.every((lo, i) => lo < upper[i]!), {
            error: 'expected lower < upper along each axis',
          })
          .optional()
          .meta({ description: 'Box in the base frame that the end effector stays in, m.' }),
      })
      .prefault({}),
    ages: z
      .strictObject({
        joints: seconds
          .optional()
          .meta({ description: 'Older joint states are stale. Default: 2 policy steps, at least 0.1.' }),
        bodies: seconds
          .default(0.5)
          .meta({ description: 'Older poses are stale; those of /tf_static never are.' }),
        deactivate: seconds
          .default(1)
          .meta({ description: 'Seconds of a stop after which the node deactivates itself.' }),
      })
      .prefault({}),
    emergency_stop: z
      .strictObject({
        topic: topic
          .default('/emergency_stop')
          .meta({ description: 'std_msgs/Bool: true latches the stop.' }),
        service: topic.default('~/emergency_stop').meta({ description: 'std_srvs/Trigger.' }),
        reset_service: topic.default('~/reset_emergency_stop').meta({ description: 'std_srvs/Trigger.' }),
      })
      .prefault({}),
    start: z
      .strictObject({
        pose: z.enum(['home', 'any']).default('home').meta({
          description: 'home: an episode starts with the arm at arm.home; any: where it is.',
        }),
        tolerance: z.number().positive().default(0.06).meta({ description: 'Of each joint, rad or m.' }),
        move: z
          .boolean()
          .default(true)
          .meta({ description: 'Move there first; false: refuse to start elsewhere.' }),
        speed: share
          .default(0.2)
          .meta({ description: 'Share of the limits of velocity while moving there.' }),
        timeout: seconds.default(30),
      })
      .prefault({}),
    episode: z
      .strictObject({
        count: z.number().int().min(1).default(1).meta({ description: 'Episodes in a row.' }),
        reset: name.optional().meta({
          description: 'std_srvs/Trigger service that sets the scene up, called before each episode.',
        }),
        judge: z.boolean().default(true).meta({
          description:
            'Success, failure and formulas end an episode; false: only its horizon does, and what they read need not be sensed.',
        }),
      })
      .prefault({}),
    residual_scale: z.number().min(0).max(1).optional().meta({
      description: "Of the residual; 0 is the base alone. Default: the bundle's.",
    }),
    pace: z.number().min(0.05).max(1).default(1).meta({
      description:
        'Share of the speed at which the policy acts: a step takes control.period / pace, and velocities are told to it as at full pace. Below 1 for policies that act more abruptly than the limits allow.',
    }),
    speed_scale: share.default(1).meta({ description: 'Share of the speed at which the arm follows.' }),
    inputs_timeout: seconds
      .default(10)
      .meta({ description: 'Seconds that an activation waits for the first of every input.' }),
    record: name.optional().meta({ description: 'MCAP file of all that came and went.' }),
  })
  .meta({ title: 'Vernier deployment file' });

export type DeploySpec = z.output<typeof deploySchema>;
export type BodySource = z.output<typeof bodySchema>;
